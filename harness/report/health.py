"""The parts of the page that say why the numbers can be trusted: generator, counts, machine, words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.measure.reception import Reception
from harness.measure.summary import OpenStreams, Reconciliation, WorkerClock
from harness.report import units, words
from harness.report.calibration import floor_rows
from harness.report.closed_loop import is_closed
from harness.report.markup import Html, cell, el, table
from harness.report.run_folder import Report
from harness.verdict.validity import default_lateness_limit_seconds

_CLOCKS_SHOWN = 8


def generator(report: Report) -> Html:
    """Show how well the generator itself did: lateness, loop lag, losses, processor and memory."""
    health = report.summary.generator
    delay = (health.schedule_delay_p50_seconds, health.schedule_delay_p99_seconds)
    lag = (health.loop_lag_p50_seconds, health.loop_lag_p99_seconds)
    limits = lateness_limits_seconds(report)
    lost = f"{units.plural(health.workers_lost, 'worker')} lost"
    rows = (
        (
            ("Schedule delay", "none: users ask when they are answered, not by a schedule")
            if is_closed(report)
            else (
                "Schedule delay (send − due)",
                _judged(*delay, health.schedule_delay_max_seconds, limits[0]),
            )
        ),
        ("Event-loop lag, worst worker", _judged(*lag, health.loop_lag_max_seconds, limits[1])),
        (
            "Asked, sent" if is_closed(report) else "Planned, sent",
            f"{units.count(health.planned)}, {units.count(health.sent)}",
        ),
        ("Dropped (never sent)", f"{health.dropped:,} ({units.share(health.dropped_share)})"),
        ("Records lost, doubled", f"{health.lost_records:,}, {health.duplicate_records:,}"),
        ("Clock jump", units.seconds(health.clock_jump_seconds)),
        *_clock_rows(health.clocks),
        *_reception_rows(health.reception),
        *_stream_rows(report.summary.open_streams),
        *floor_rows(report.summary),
        ("Connections replaced", units.count(health.reconnects)),
        ("Workers", f"{health.workers:,}, {lost}"),
        ("Processor per worker", ", ".join(f"{share * 100:.0f} % of a core" for share in health.cpu_share)),
        ("Peak memory per worker", ", ".join(map(units.size, health.peak_rss_bytes))),
        *(("Spoiled", reason) for reason in health.spoiled),
    )
    return _facts(rows, "The generator's health")


def reconciliation(report: Report) -> Html:
    """Compare the client's counts with the server's, where the server tells its own."""
    counts = report.summary.reconciliation
    if counts is None:
        text = "The target's own counts could not be read, so they are not compared."
        return el("p", text, class_="note")
    head = ("Count", "#Client", f"#Server ({counts.kind})", "#May differ by", "Agree")
    return table(head, _count_rows(counts), "Reconciliation with the server")


def outcomes(report: Report) -> Html:
    """Count the outcomes of the whole run, the most frequent first."""
    whole = report.summary.whole
    ranked = sorted(whole.outcomes.items(), key=lambda item: -item[1])
    rows = (
        (words.outcome_name(name), f"{number:,} ({units.share(number / whole.offered)})")
        for name, number in ranked
        if number
    )
    return _facts(rows, "Outcomes")


def facts_of(facts: Mapping[str, Any], label: str) -> Html:
    """Show a tree of facts (the environment, the telemetry's counts) as a flat table."""
    if not facts:
        return el("p", "Nothing was recorded.", class_="note")
    return _facts(_flat(facts), label)


def definitions() -> Html:
    """Explain every word of the page."""
    verdicts = {kind: f"{meaning[:1].upper()}{meaning[1:]}." for kind, meaning in words.MEANINGS.items()}
    pairs = {**words.DEFINITIONS, **verdicts}.items()
    return el("dl", *(el("div", el("dt", word), el("dd", told)) for word, told in pairs), class_="words")


def lateness_limits_seconds(report: Report) -> tuple[float, float]:
    """Return the largest p99 of schedule delay and of loop lag that leave a run valid."""
    limits = report.scenario.limits
    default = default_lateness_limit_seconds([result.objective for result in report.verdict.results])
    return limits.schedule_delay_p99 or default, limits.loop_lag_p99 or default


def _judged(p50: float, p99: float, top: float, limit: float) -> Html:
    """Show a lateness with its limit; one that was not measured is not good (nan compares as false)."""
    kind, word = ("PASS", "within") if p99 <= limit else ("INVALID", "above")
    spread = f"p50 {units.seconds(p50)}, p99 {units.seconds(p99)}, max {units.seconds(top)} "
    allowed = f"limit of p99: {units.exact_seconds(limit)}"
    return el("span", spread, el("span", word, class_=f"pill {kind}"), el("small", allowed))


def _reception_rows(reception: Reception | None) -> list[tuple[str, str]]:
    """Tell whose clock the tokens' times are of, and how many share one."""
    if reception is None or not reception.reads:
        return []
    stamped, shared = reception.stamped_share, reception.shared_share
    rows = [
        (
            "Times of arrival",
            f"the kernel’s for {units.share(stamped)} of {units.count(reception.reads)} reads",
        )
    ]
    if not math.isnan(shared):
        rows.append(
            ("Reads with several tokens", f"{units.share(shared)}; such tokens share the last one’s time")
        )
    return rows


def _stream_rows(streams: OpenStreams | None) -> list[tuple[str, str]]:
    """Tell what holding the streams took; what is not known has no row."""
    if streams is None:
        return []
    rows = [
        ("Open at once", _open_at_once(streams)),
        ("All open within", _known(streams.all_open_seconds, units.seconds)),
        ("Memory a stream, workers", _known(streams.client_bytes_per_stream, units.small_size)),
        ("Memory a stream, kernel here", _known(streams.kernel_bytes_per_stream, units.small_size)),
        ("Memory a stream, target", _known(streams.target_bytes_per_stream, units.small_size)),
        ("Memory taken, all in", _known(streams.taken_bytes, units.size)),
    ]
    return [(name, text) for name, text in rows if text]


def _open_at_once(streams: OpenStreams) -> str:
    """Tell how many streams were open: by the workers' counts, and by the target's own."""
    open_each = [worker.in_flight for worker in streams.workers]
    each = "" if len(open_each) == 1 else f" ({min(open_each):,} to {max(open_each):,} a worker)"
    told = "" if streams.target_open is None else f"; the target counts {streams.target_open:,}"
    return f"{streams.peak:,}{each}{told}"


def _known(value: float, show: Callable[[float], str]) -> str:
    return "" if math.isnan(value) else show(value)


def _clock_rows(clocks: Sequence[WorkerClock]) -> list[tuple[str, str]]:
    """Tell each worker's clock, or of many only those that are worst known or moved the most."""
    shown = list(clocks)
    if len(clocks) > _CLOCKS_SHOWN:
        worst = (
            max(clocks, key=lambda clock: clock.uncertainty_seconds),
            max(clocks, key=lambda clock: abs(clock.drift_seconds)),
        )
        shown = list(dict.fromkeys(worst))
    return [(f"Clock of worker {clock.worker} − master’s", _clock(clock)) for clock in shown]


def _clock(clock: WorkerClock) -> str:
    """Tell a worker's clock: its offset, how well that is known, and how it changed over the run."""
    sign = "+" if clock.offset_seconds >= 0 else "−"
    text = f"{sign}{units.seconds(abs(clock.offset_seconds))} ± {units.seconds(clock.uncertainty_seconds)}"
    if math.isnan(clock.drift_ppm):
        return f"{text}, compared once"
    drift = abs(clock.drift_seconds)
    if drift <= 2 * clock.uncertainty_seconds:
        return f"{text}, no drift that could be told from that"
    return f"{text}, drifted by {units.seconds(drift)} ({abs(clock.drift_ppm):.0f} ppm)"


def _facts(rows: Iterator[tuple[str, Any]] | tuple[tuple[str, Any], ...] | Any, label: str) -> Html:
    body = [el("tr", el("th", name, scope="row"), cell(value)) for name, value in rows]
    return el(
        "div", el("table", el("tbody", *body)), class_="scroll", tabindex="0", role="region", aria_label=label
    )


def _count_rows(counts: Reconciliation) -> list[Html]:
    requests = (counts.client_requests, counts.server_requests, counts.unseen_requests, counts.requests_agree)
    tokens = (
        *(counts.client_output_tokens, counts.server_output_tokens),
        *(counts.unseen_output_tokens, counts.output_tokens_agree),
    )
    return [_count_row("Requests", *requests), _count_row("Output tokens", *tokens)]


def _count_row(name: str, client: int, server: int | None, unseen: int, agree: bool | None) -> Html:
    word, kind = (
        ("not told", "INCONCLUSIVE") if agree is None else ("yes", "PASS") if agree else ("no", "INVALID")
    )
    return el(
        "tr",
        el("th", name, scope="row"),
        *(cell(units.count(value), number=True) for value in (client, server, unseen)),
        cell(el("span", word, class_=f"pill {kind}")),
    )


def _flat(facts: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in facts.items():
        name = f"{before}{key}".replace("_", " ")
        if isinstance(value, Mapping) and not any(isinstance(inner, Mapping) for inner in value.values()):
            yield name, ", ".join(f"{inner} {_written(told)}" for inner, told in value.items())
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{name} · ")
        elif key.endswith("_bytes") and isinstance(value, int):
            yield name.removesuffix(" bytes"), units.size(value)
        elif key.endswith("_seconds") and isinstance(value, int | float):
            yield name.removesuffix(" seconds"), units.seconds(value)
        else:
            yield name, _written(value)


def _written(value: Any) -> str:
    if value is None:
        return units.ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
