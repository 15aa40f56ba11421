"""Does it hold, now? Attainment of each objective, the load, the latencies, the errors."""

from __future__ import annotations

from dashboards.grafana.common import (
    BLUE,
    CLIENT_VARIABLES,
    GREEN,
    GREY,
    LINKS,
    ORANGE,
    PURPLE,
    RED,
    percentiles,
)
from dashboards.grafana.promql import CHOSEN, run_level, run_limit, run_quantile, run_rate
from dashboards.grafana.spec import Board, Panel, Row, Series, Threshold

_TTFT = "tidegate_time_to_first_token_seconds"
_E2E = "gen_ai_client_operation_duration_seconds"
_OK, _NOT_OK = 'outcome="ok"', 'outcome!="ok"'
_GOOD, _OFFERED = "tidegate_objective_good_total", "tidegate_objective_offered_total"
_BY_THE_SECOND = "1s"
"""A spike is over in a minute: generator and target are scraped each second."""

_ATTAINMENT = Panel(
    "Attainment per objective",
    "Share of the requests offered that met each objective, over the panel's interval. A "
    "request that failed or "
    "was never sent has not met it. The dashed lines are what the scenario demands.",
    "percentunit",
    (
        Series(f"{run_rate(_GOOD, by='objective')} / {run_rate(_OFFERED, by='objective')}", "{{objective}}"),
        Series(
            run_limit("tidegate_objective_target_share", by="objective"),
            "{{objective}} demands",
            role="limit",
            color=GREY,
        ),
    ),
    maximum=1,
)

_LOAD = Panel(
    "Offered, sent, completed, good",
    "Requests per second: due by the schedule, sent, ended whatever their outcome, and answered within every "
    "latency objective. Where sent falls below offered, the generator is late; where completed "
    "does, the target is.",
    "reqps",
    (
        Series(run_rate("tidegate_arrivals_total"), "offered", color=GREY),
        Series(run_rate("tidegate_sent_total"), "sent", color=BLUE),
        Series(run_rate("tidegate_completed_total"), "completed", color=PURPLE),
        Series(run_rate("tidegate_good_total"), "good", color=GREEN),
    ),
    scraped=_BY_THE_SECOND,
)


def _latency(title: str, what: str, family: str, metric: str, where: str = "") -> Panel:
    return Panel(
        title,
        f"{what}, from when the request was due, so that a stalled target cannot hide its queue. Of answered "
        "requests only: failures are in the attainment. Diamonds are traces, dashed lines the objectives.",
        "s",
        (
            *percentiles(lambda q: run_quantile(q, family, where), exemplars=True),
            Series(
                run_limit("tidegate_objective_threshold_seconds", f'metric="{metric}"', "objective"),
                "{{objective}}",
                role="limit",
                color=RED,
            ),
        ),
        log=True,
        minimum=None,
    )


_HEATMAP = Panel(
    "First tokens, all of them",
    "How many requests got their first token after how long. Two bands are two populations, such as requests "
    "that found a slot and requests that waited for one: a percentile shows neither.",
    "s",
    (Series(run_rate(f"{_TTFT}_bucket", by="le"), "{{le}}"),),
    kind="heatmap",
    scraped=_BY_THE_SECOND,
)

_ERRORS = Panel(
    "Errors by type",
    "Requests per second that ended in anything but a full answer. rejected is a refusal in "
    "order (429, 503); dropped was never sent, because the generator had as many open as it may have.",
    "reqps",
    (Series(f"{run_rate('tidegate_completed_total', _NOT_OK, 'outcome')} > 0", "{{outcome}}"),),
    stacked=True,
    no_value="none",
    scraped=_BY_THE_SECOND,
)


def _so_far(
    title: str, description: str, unit: str, expr: str, *colors: Threshold, decimals: int = 2
) -> Panel:
    series = (Series(expr, title),)
    return Panel(
        title, description, unit, series, "stat", width=4, height=4, thresholds=colors, decimals=decimals
    )


def _quantile_so_far(name: str) -> str:
    return f'max(tidegate:{name}:quantile_run{{quantile="0.99", {CHOSEN}}})'


_FIGURES = (
    _so_far(
        "Lowest attainment",
        "Of the objective that is met least: the share of all requests offered so far that met it.",
        "percentunit",
        f"min({run_level(_GOOD, by='objective')} / {run_level(_OFFERED, by='objective')})",
        Threshold(None, RED),
        Threshold(0.9, ORANGE),
        Threshold(0.99, GREEN),
    ),
    _so_far("Requests so far", "Arrivals that have ended.", "short", run_level("tidegate_completed_total")),
    _so_far(
        "Open now", "Requests sent and not yet ended.", "short", run_level("tidegate_in_flight"), decimals=0
    ),
    _so_far(
        "TTFT P99 so far",
        "Over the whole run, of answered requests. The report's is exact and over all offered.",
        "s",
        _quantile_so_far("time_to_first_token_seconds"),
    ),
    _so_far(
        "E2E P99 so far",
        "Over the whole run, of answered requests, to their last byte.",
        "s",
        _quantile_so_far("request_duration_seconds"),
    ),
    _so_far(
        "Tokens per second",
        "Output tokens received per second.",
        "short",
        run_rate("tidegate_output_tokens_total"),
    ),
)

BOARD = Board(
    "tidegate-run",
    "tidegate / Run",
    "Does the service hold? Objectives, load, latencies and errors of one run, with its stages.",
    (
        Row("So far", _FIGURES),
        Row("Objectives and load", (_ATTAINMENT, _LOAD)),
        Row(
            "Latency",
            (
                _latency("Time to first token", "To the first token", _TTFT, "ttft"),
                _latency("End to end", "To the last byte", _E2E, "e2e", _OK),
            ),
        ),
        Row("Behind the percentiles", (_HEATMAP, _ERRORS)),
    ),
    CLIENT_VARIABLES,
    LINKS,
)
