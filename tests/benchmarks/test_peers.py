"""Measuring other load generators: what is bounded, counted, and said where a tool is missing."""

from __future__ import annotations

import json
import os
import sys
import time

import pytest

from benchmarks.peer.bounded import run
from benchmarks.peer.k6 import K6
from benchmarks.peer.measure import Done, Results
from benchmarks.peer.table import table
from benchmarks.peer.tool import AbsentError, Launch, Load, Reading
from benchmarks.peer.wrk import Wrk

STREAMS = Load("http://127.0.0.1:1", 32, 1.0, streamed=True)
SHORT = Load("http://127.0.0.1:1", 64, 1.0, streamed=False)
_LEAVES_A_CHILD = """import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid)
"""


def python(script):
    return Launch([sys.executable, "-c", script])


def still_runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
        return stat.read().rpartition(")")[2].split()[0] != "Z"


def test_what_a_tool_leaves_behind_is_ended(tmp_path):
    finished = run(python(_LEAVES_A_CHILD), None, os.getpid(), tmp_path, 30)
    time.sleep(0.1)
    assert not still_runs(int(finished.output))


def test_a_tool_that_does_not_end_is_ended_and_is_a_reason(tmp_path):
    with pytest.raises(AbsentError, match="did not end in time"):
        run(python("import time; time.sleep(60)"), None, os.getpid(), tmp_path, 0.3)


def test_a_tool_that_fails_gives_its_last_words(tmp_path):
    with pytest.raises(AbsentError, match="exit code 1: no such model"):
        run(python("import sys; sys.exit('no such model')"), None, os.getpid(), tmp_path, 30)


def test_processor_seconds_of_a_child_of_the_tool_are_counted(tmp_path):
    burn = "import time\nuntil = time.process_time() + 0.5\nwhile time.process_time() < until: pass"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    assert run(python(script), None, os.getpid(), tmp_path, 60).cpu_seconds >= 0.5


def test_a_k6_that_may_not_be_installed_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(AbsentError, match="AGPL"):
        K6(licence_accepted=False).get()


def test_k6_reports_streams_by_their_rate_and_no_time_to_first_token(tmp_path):
    waiting = {"med": 0.21, "p(99)": 1.5}
    metrics = {"http_reqs": {"count": 50, "rate": 48.0}, "http_req_failed": {"passes": 0, "fails": 50}}
    summary = {"metrics": {**metrics, "http_req_waiting": waiting}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    reading = K6(licence_accepted=False).read(STREAMS, tmp_path, "")
    assert (reading.tokens_per_second, reading.failed) == (48.0 * 64, 0)
    assert reading.ttft_p50_ms != reading.ttft_p50_ms  # nan: it does not know


def test_wrk_counts_answers_that_are_not_2xx_as_failed(tmp_path):
    said = "  Non-2xx or 3xx responses: 7\nRequests/sec:  1200.50\n"
    reading = Wrk().read(SHORT, tmp_path, said)
    assert (reading.requests_per_second, reading.failed) == (1200.5, 7)


def test_a_missing_tool_is_a_row_with_its_reason():
    ours = Results(Wrk(), "1", short=Done(SHORT, Reading(1000.0), cores=0.5, cpu_seconds=1.0))
    page = table([ours, Results(K6(licence_accepted=False), why=["not on PATH"])])
    assert "| 1,000 | 100.0% | 0.50 |" in page
    assert "| k6 | not had | – |" in page
    assert "- k6: not on PATH." in page
