"""A real miss, a real alert: Prometheus' rule, Alertmanager, and who is told."""

import pytest

from tests.stack.watched import WatchedRuns


@pytest.mark.timeout(400)
def test_an_objective_that_a_run_misses_is_told_through_alertmanager(watched_runs: WatchedRuns):
    missed = [a for a in watched_runs.alerts if a["labels"]["alertname"] == "TidegateObjectiveMissed"]
    told = {(alert["labels"]["run"], alert["labels"]["objective"]) for alert in missed}
    assert (watched_runs.ids[0], "first-token") in told
    (first, *_) = [a for a in missed if a["labels"]["objective"] == "first-token"]
    assert first["status"] == "firing"
    assert first["annotations"]["summary"] == f"{first['labels']['run']} misses first-token"


@pytest.mark.timeout(400)
def test_an_objective_that_is_met_is_told_to_nobody(watched_runs: WatchedRuns):
    assert "sent-in-time" not in {alert["labels"].get("objective") for alert in watched_runs.alerts}


@pytest.mark.timeout(400)
def test_a_run_that_is_over_is_resolved(watched_runs: WatchedRuns):
    earlier = watched_runs.ids[0]
    states = [a["status"] for a in watched_runs.alerts if a["labels"].get("run") == earlier]
    assert states[-1] == "resolved"
