from pathlib import Path

import pytest

from dashboards.rules.slo_source import read_slos
from dashboards.rules.slos import slo_rules
from dashboards.rules.windows import burns
from harness.errors import UsageError

SLO = """
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}}}
spec:
  indicator: {{spec: {{{indicator}}}}}
  timeWindow: [{{duration: {period}, isRolling: true}}]
  objectives: [{objective}]
"""
THRESHOLD = "thresholdMetric: {{metricSource: {{spec: {{metric: {metric}}}}}}}"


def slo_file(folder: Path, name: str, metric: str, objective: str, period: str = "30d") -> Path:
    file = folder / f"{name}.yaml"
    indicator = THRESHOLD.format(metric=metric)
    file.write_text(SLO.format(name=name, indicator=indicator, objective=objective, period=period))
    return file


def test_the_windows_of_thirty_days_are_those_of_the_workbook():
    told = [(burn.long, burn.short, round(burn.factor, 3), burn.severity) for burn in burns(30)]
    assert told == [
        ("1h", "5m", 14.4, "page"),
        ("6h", "30m", 6, "page"),
        ("1d", "2h", 3, "ticket"),
        ("3d", "6h", 1, "ticket"),
    ]


def test_a_shorter_period_has_a_smaller_factor():
    assert burns(28)[0].factor == pytest.approx(13.44)  # 2 % of 28 days' budget in one hour


def test_the_budget_of_a_percentile_is_what_may_be_slower(tmp_path: Path):
    file = slo_file(tmp_path, "fast", "e2e", "{op: lte, value: 1.5, target: 0.999}", "2w")
    (slo,) = read_slos([file])
    assert (slo.metric, slo.threshold, slo.budget, slo.period_days) == ("e2e", 1.5, 0.001, 14)
    assert slo.promise == "99.9 % of requests have a e2e of at most 1.5s"


def test_what_a_server_cannot_tell_is_left_out_and_named(tmp_path: Path):
    files = [
        slo_file(tmp_path, "fast", "ttft", "{op: lte, value: 1.5, target: 0.99}"),
        slo_file(tmp_path, "recovers", "time_to_recover", "{op: lte, value: 20}"),
    ]
    rules = slo_rules(files)
    assert [group.name for group in rules.groups] == ["slo-fast"]
    assert rules.left_out == ("recovers: a server's own metrics do not tell time_to_recover",)


def test_a_wrong_file_ends_with_its_mistakes(tmp_path: Path):
    file = tmp_path / "wrong.yaml"
    file.write_text("kind: SLI\n")
    with pytest.raises(UsageError, match="not a valid SLO file"):
        slo_rules([file])


def test_every_alert_needs_a_long_and_a_short_window(tmp_path: Path):
    (group,) = slo_rules([slo_file(tmp_path, "few", "error_share", "{op: lte, value: 0.01}")]).groups
    alerts = {rule.to_dict()["alert"]: rule.expr for rule in group.rules if "alert" in rule.to_dict()}
    assert alerts["SloBurnsFast"] == (
        '(slo:bad:ratio_rate1h{slo="few"} > 0.144 and slo:bad:ratio_rate5m{slo="few"} > 0.144)'
        ' or (slo:bad:ratio_rate6h{slo="few"} > 0.06 and slo:bad:ratio_rate30m{slo="few"} > 0.06)'
    )
    assert set(alerts) == {"SloBurnsFast", "SloBurnsSlowly"}
