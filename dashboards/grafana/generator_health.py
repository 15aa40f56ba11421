"""Can these numbers be trusted? What the generator did to the run, beside what makes it INVALID."""

from __future__ import annotations

from dashboards.grafana.common import (
    BLUE,
    GREEN,
    GREY,
    LINKS,
    PURPLE,
    RED,
    RUN_VARIABLES,
    percentiles,
)
from dashboards.grafana.promql import (
    CHOSEN,
    CHOSEN_TARGET,
    of_run,
    run_level,
    run_limit,
    run_quantile,
    run_rate,
)
from dashboards.grafana.spec import Board, Panel, Row, Series, Threshold

_DELAY, _LAG = "tidegate_schedule_delay_seconds", "tidegate_loop_lag_seconds"
_IS_DROPPED = 'outcome="dropped"'
_DROPPED = f"({run_level('tidegate_completed_total', _IS_DROPPED)} / {run_level('tidegate_arrivals_total')})"
_LOST = 'fate=~"refused|dead_lettered"'
_P99 = 'quantile="0.99"'


def _limit(what: str) -> str:
    return run_limit("tidegate_lateness_limit_seconds", f'what="{what}"')


_VALIDITY = (
    Panel(
        "Valid so far",
        "1 while schedule delay, loop lag, dropped arrivals and lost records of the whole run "
        "are within their limits. At 0 the verdict will be INVALID, whatever the target did.",
        "short",
        (Series(f"min(tidegate:valid:bool{{{CHOSEN}}})", "valid"),),
        "stat",
        width=6,
        height=4,
        words=(("1", "valid", GREEN), ("0", "INVALID", RED)),
    ),
    Panel(
        "Schedule delay P99 so far",
        "Sent − due, over the whole run.",
        "s",
        (Series(f"max(tidegate:schedule_delay_seconds:quantile_run{{{_P99}, {CHOSEN}}})", "P99"),),
        "stat",
        width=6,
        height=4,
    ),
    Panel(
        "Dropped so far",
        "Share of due arrivals that were never sent, because max_in_flight was reached.",
        "percentunit",
        (Series(_DROPPED, "dropped"),),
        "stat",
        width=6,
        height=4,
        thresholds=(Threshold(None, GREEN), Threshold(0.001, RED)),
    ),
    Panel(
        "Telemetry lost",
        "Records that could not be written, spans that were dropped, log lines that found no room "
        "or were refused. Any lost record makes the run INVALID.",
        "short",
        (
            Series(run_level("tidegate_records_lost_total"), "records"),
            Series(f"sum(tidegate_target_spans_dropped_total{{{CHOSEN_TARGET}}})", "spans"),
            Series(f"sum(tidegate_target_log_entries_total{{{_LOST}, {CHOSEN_TARGET}}})", "log lines"),
        ),
        "stat",
        width=6,
        height=4,
        thresholds=(Threshold(None, GREEN), Threshold(1, RED)),
        decimals=0,
    ),
)

_LATENESS = Panel(
    "Schedule delay",
    "Sent − due. Above the dashed line the generator, not the target, made requests late.",
    "s",
    (
        *percentiles(lambda q: run_quantile(q, _DELAY)),
        Series(_limit("schedule_delay"), "limit of P99", role="limit", color=RED),
    ),
    log=True,
    minimum=None,
)
_LOOP = Panel(
    "Event-loop lag",
    "How late the load loop came round, all workers together.",
    "s",
    (
        *percentiles(lambda q: run_quantile(q, _LAG)),
        Series(_limit("loop_lag"), "limit of P99", role="limit", color=RED),
    ),
    log=True,
    minimum=None,
)
_SENDING = Panel(
    "Due, sent, dropped",
    "Arrivals per second. due and sent must lie on one another; dropped must not be.",
    "reqps",
    (
        Series(run_rate("tidegate_arrivals_total"), "due", color=GREY),
        Series(run_rate("tidegate_sent_total"), "sent", color=BLUE),
        Series(run_rate("tidegate_completed_total", _IS_DROPPED), "dropped", color=RED),
    ),
    scraped="1s",
)
_OPEN = Panel(
    "Open requests by worker",
    "How many requests each worker holds open. Workers that drift apart do not share the load evenly.",
    "short",
    (Series(f"sum by (instance) {of_run('tidegate_in_flight')}", "{{instance}}"),),
)
_CONNECTIONS = Panel(
    "Connections opened again",
    "Connections per second that had to be replaced: the other side closed one that was kept alive.",
    "short",
    (Series(run_rate("tidegate_reconnects_total"), "reconnects", color=PURPLE),),
    width=8,
)
_CORES = Panel(
    "Cores per worker",
    "A worker that needs a whole core sends late: start more of them.",
    "short",
    (
        Series(
            f"sum by (instance) {of_run('rate(tidegate_process_cpu_seconds_total[$__rate_interval])')}",
            "{{instance}}",
        ),
    ),
    width=8,
    decimals=2,
)
_SCRAPES = Panel(
    "Scrapes that failed",
    "Pages that Prometheus could not read. While one is missing, its counts are missing from every panel.",
    "short",
    (Series("sum by (job) (1 - up)", "{{job}}"),),
    width=8,
)

BOARD = Board(
    "tidegate-generator",
    "tidegate / Generator health",
    "Can these numbers be trusted? Lateness, losses and validity of the generator itself.",
    (
        Row("Validity", _VALIDITY),
        Row("Lateness", (_LATENESS, _LOOP)),
        Row("Sending", (_SENDING, _OPEN, _CONNECTIONS, _CORES, _SCRAPES)),
    ),
    RUN_VARIABLES,
    LINKS,
)
