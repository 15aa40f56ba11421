"""What is recorded of each run, with the run as a label: few series, for comparing runs and for alerts.

The ids of runs are on no histogram. Only what is small is recorded with them: rates, quantiles, totals.
"""

from __future__ import annotations

from dashboards.rules.document import Group, Record

INTERVAL = "1s"
"""As generator and target are scraped: the last state of a run is seen once, and must be recorded then."""
WINDOW = "30s"
"""Six scrapes of the slowest kind; a spike of seconds is still seen."""
QUANTILES = (0.5, 0.95, 0.99)
RUN_LABELS = "run, scenario, model, version"
_ON_RUN = f"* on (job, instance) group_left ({RUN_LABELS}) tidegate_run_info"
_DROPPED = 'tidegate_completed_total{outcome="dropped"}'

_RATES = ("arrivals", "sent", "completed", "good", "output_tokens")
_HISTOGRAMS = (
    ("time_to_first_token_seconds", "tidegate_time_to_first_token_seconds_bucket"),
    ("request_duration_seconds", 'gen_ai_client_operation_duration_seconds_bucket{outcome="ok"}'),
    ("schedule_delay_seconds", "tidegate_schedule_delay_seconds_bucket"),
    ("loop_lag_seconds", "tidegate_loop_lag_seconds_bucket"),
)


def run_groups() -> tuple[Group, ...]:
    """Return what is recorded while a run goes on; its last values remain."""
    start = f"max by ({RUN_LABELS}) (tidegate_run_start_time_seconds {_ON_RUN})"
    rules = [
        Record("tidegate:run_start_time_seconds", start),
        *(Record(f"tidegate:{name}:rate{WINDOW}", _sum(_rate(f"tidegate_{name}_total"))) for name in _RATES),
        *(Record(f"tidegate:{name}:total", _sum(f"tidegate_{name}_total")) for name in ("completed", "good")),
        *(rule for name, buckets in _HISTOGRAMS for rule in _quantiles(name, buckets)),
        Record(f"tidegate:objective_bad:ratio{WINDOW}", _objective_bad()),
        Record("tidegate:valid:bool", _valid()),
    ]
    return (Group("tidegate-runs", INTERVAL, rules),)


def _quantiles(name: str, buckets: str) -> list[Record]:
    """Record over half a minute, and over all of the run: its counters begin at zero."""
    windows = ((f"quantile{WINDOW}", _sum(_rate(buckets), "le")), ("quantile_run", _sum(buckets, "le")))
    return [
        Record(f"tidegate:{name}:{suffix}", f"histogram_quantile({q:g}, {vector})", {"quantile": f"{q:g}"})
        for suffix, vector in windows
        for q in QUANTILES
    ]


def _objective_bad() -> str:
    good, offered = (
        _sum(_rate(f"tidegate_objective_{kind}_total"), "objective") for kind in ("good", "offered")
    )
    return f"1 - {good} / ({offered} > 0)"


def _valid() -> str:
    """Return 1 while what makes a run INVALID has not happened, else 0."""
    lateness = (
        _within("tidegate:schedule_delay_seconds", "schedule_delay"),
        _within("tidegate:loop_lag_seconds", "loop_lag"),
    )
    allowed = f"{_max('tidegate_dropped_limit_share')} * {_sum('tidegate_arrivals_total')}"
    dropped = f"({_sum(_DROPPED)} <= bool {allowed})"
    nothing_lost = f"({_sum('tidegate_records_lost_total')} == bool 0)"
    return " * ".join((*lateness, dropped, nothing_lost))


def _within(recorded: str, what: str) -> str:
    """Compare as "not above": a quantile of nothing is nan, which is above no limit."""
    p99 = f'sum by ({RUN_LABELS}) ({recorded}:quantile_run{{quantile="0.99"}})'
    limit = _max(f'tidegate_lateness_limit_seconds{{what="{what}"}}')
    return f"(1 - ({p99} > bool {limit}))"


def _rate(series: str) -> str:
    return f"rate({series}[{WINDOW}])"


def _sum(vector: str, *by: str) -> str:
    return f"sum by ({', '.join((*by, RUN_LABELS))}) ({vector} {_ON_RUN})"


def _max(vector: str) -> str:
    return f"max by ({RUN_LABELS}) ({vector} {_ON_RUN})"
