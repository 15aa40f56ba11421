"""The parts of the page that say why the numbers can be trusted: generator, counts, machine, words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.measure.summary import Reconciliation
from harness.report import units, words
from harness.report.markup import Html, cell, el, table
from harness.report.run_folder import Report
from harness.verdict.validity import default_lateness_limit_seconds


def generator(report: Report) -> Html:
    """Show how well the generator itself did: lateness, loop lag, losses, processor and memory."""
    health = report.summary.generator
    delay = (health.schedule_delay_p50_seconds, health.schedule_delay_p99_seconds)
    lag = (health.loop_lag_p50_seconds, health.loop_lag_p99_seconds)
    limits = lateness_limits_seconds(report)
    lost = f"{units.plural(health.workers_lost, 'worker')} lost"
    rows = (
        ("Schedule delay (send − due)", _judged(*delay, health.schedule_delay_max_seconds, limits[0])),
        ("Event-loop lag, worst worker", _judged(*lag, health.loop_lag_max_seconds, limits[1])),
        ("Planned, sent", f"{units.count(health.planned)}, {units.count(health.sent)}"),
        ("Dropped (never sent)", f"{health.dropped:,} ({units.share(health.dropped_share)})"),
        ("Records lost, doubled", f"{health.lost_records:,}, {health.duplicate_records:,}"),
        ("Clock jump", units.seconds(health.clock_jump_seconds)),
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
