"""Alerts for production from the SLO files: how fast the error budget burns, in several windows at once.

The windows are those of the SRE workbook, chapter 5: a long one, so that the alert means something, and a
short one, so that it ends when the trouble does. In production there is no generator: what counts is what the
server tells, by our names or by the rules that give another server's series ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dashboards.rules.document import Alert, Group, Record
from dashboards.rules.slo_source import ProductionSlo, read_slos
from dashboards.rules.windows import WINDOWS, Burn, burns


@dataclass(frozen=True, slots=True)
class SloRules:
    """The groups, and the objectives that a server's own metrics cannot tell, each with the reason."""

    groups: tuple[Group, ...]
    left_out: tuple[str, ...]


_OK = 'outcome="ok"'
_VALID = 'outcome=~"ok|rejected|unavailable|failed"'
"""What the server is answerable for: neither a client that left nor a request that makes no sense."""
_FAMILIES = {
    "ttft": "gen_ai_server_time_to_first_token_seconds",
    "ttft_service": "gen_ai_server_time_to_first_token_seconds",
    "e2e": "gen_ai_server_request_duration_seconds",
    "tpot": "gen_ai_server_time_per_output_token_seconds",
}
_BAD_OUTCOMES = {"error_share": 'outcome="failed"', "shed_share": 'outcome=~"rejected|unavailable"'}


def slo_rules(files: Sequence[Path]) -> SloRules:
    """Return a group for each objective of the files. Raises UsageError for a file that is not valid."""
    slos = read_slos(files)
    told = [slo for slo in slos if _can_be_told(slo)]
    left_out = tuple(
        f"{slo.name}: a server's own metrics do not tell {slo.metric}" for slo in slos if slo not in told
    )
    return SloRules(tuple(map(_group, told)), left_out)


def _can_be_told(slo: ProductionSlo) -> bool:
    return slo.metric in _FAMILIES or slo.metric in _BAD_OUTCOMES


def _group(slo: ProductionSlo) -> Group:
    records = [
        Record(f"slo:bad:ratio_rate{window}", _bad_share(slo, window), {"slo": slo.name})
        for window in WINDOWS
    ]
    return Group(f"slo-{slo.name}", "30s", [*records, *_alerts(slo)])


def _bad_share(slo: ProductionSlo, window: str) -> str:
    """Return the share of bad requests among the valid ones; nothing where there were none."""
    valid = f"(sum({_rate(_VALID, window)}) > 0)"
    if slo.metric in _BAD_OUTCOMES:
        bad = f"sum({_rate(_BAD_OUTCOMES[slo.metric], window)})"
        return f"({bad} or on () vector(0)) / {valid}"  # a server that never failed has no such series
    family = _FAMILIES[slo.metric]
    buckets = f"sum by (le) (rate({family}_bucket[{window}]))"
    in_time = f"histogram_fraction(0, {slo.threshold:g}, {buckets}) * sum({_rate(_OK, window)})"
    # Without one answer the fraction is nan, and everything is bad. Without the family, nothing is known.
    return f"(1 - ({in_time} >= 0 or on () vector(0)) / {valid}) and on () count({family}_count)"


def _rate(where: str, window: str) -> str:
    return f"rate(tidegate_target_requests_total{{{where}}}[{window}])"


def _alerts(slo: ProductionSlo) -> Iterator[Alert]:
    for severity, name, urgency in (
        ("page", "SloBurnsFast", "now"),
        ("ticket", "SloBurnsSlowly", "within days"),
    ):
        windows = [burn for burn in burns(slo.period_days) if burn.severity == severity]
        yield Alert(
            name,
            " or ".join(_burning(slo, burn) for burn in windows),
            "0s",
            {"severity": severity, "slo": slo.name},
            f"{slo.name} burns its error budget",
            f"{slo.promise}. At this speed the budget of {slo.period_days:g} days is gone long "
            f"before they are: look at it {urgency}. Bad share now: {{{{ $value | humanizePercentage }}}}.",
        )


def _burning(slo: ProductionSlo, burn: Burn) -> str:
    bound = f"{burn.factor * slo.budget:.6g}"
    long, short = (f'slo:bad:ratio_rate{window}{{slo="{slo.name}"}}' for window in (burn.long, burn.short))
    return f"({long} > {bound} and {short} > {bound})"
