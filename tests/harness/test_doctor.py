import resource

from harness import doctor


def test_every_finding_says_what_it_means():
    findings = doctor.examine()
    assert {"open files per process", "cores", "clock"} <= {finding.subject for finding in findings}
    assert all(finding.value and finding.meaning for finding in findings)


def test_few_file_descriptors_are_told_with_the_command_that_raises_them(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 65536))
    (files,) = [finding for finding in doctor.examine() if finding.subject == "open files per process"]
    assert "824" in files.meaning  # 1,024 less 200 for everything else
    assert files.advice == "ulimit -n 65536"


def test_enough_file_descriptors_need_no_advice(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (65536, 65536))
    (files,) = [finding for finding in doctor.examine() if finding.subject == "open files per process"]
    assert files.advice == ""
