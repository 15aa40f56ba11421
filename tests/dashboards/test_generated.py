from pathlib import Path

import yaml

from dashboards.generated import drifted, generated
from dashboards.rules.document import Alert, Group, Record, rules_yaml


def test_the_committed_files_are_what_is_generated():
    assert drifted() == []


def test_generating_twice_gives_the_same_text():
    assert generated() == generated()


def test_a_changed_file_and_one_that_nothing_makes_are_noticed(tmp_path: Path, monkeypatch):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "old.yaml").write_text("groups: []\n")
    monkeypatch.setattr("dashboards.generated.RULES", rules)
    names = {file.name for file in drifted()}
    assert names == {"old.yaml", "runs.yaml", "run_alerts.yaml", "servers.yaml", "slos.yaml"}


def test_rules_are_written_in_prometheus_form():
    alert = Alert("Late", "x > 1", "10s", {"severity": "test"}, "late", "It is late.")
    text = rules_yaml(["Why."], [Group("g", "5s", [Record("a:b", "sum(c)", {"d": "e"}), alert])])
    assert text.startswith("# Why.\n# Made by `tidegate dashboards generate`")
    assert yaml.safe_load(text) == {
        "groups": [
            {
                "name": "g",
                "interval": "5s",
                "rules": [
                    {"record": "a:b", "expr": "sum(c)", "labels": {"d": "e"}},
                    {
                        "alert": "Late",
                        "expr": "x > 1",
                        "for": "10s",
                        "labels": {"severity": "test"},
                        "annotations": {"summary": "late", "description": "It is late."},
                    },
                ],
            }
        ]
    }
