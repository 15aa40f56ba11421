"""The key figures of a run as cards: load, latency, refusals, and the flash sale's own results."""

from __future__ import annotations

import math

from harness.measure.summary import FlashSale, LatencySummary
from harness.report import units, words
from harness.report.calibration import is_marked, mark
from harness.report.closed_loop import is_closed
from harness.report.markup import Html, card, el, join
from harness.report.run_folder import Report


def measured(value: str, report: Report) -> Html:
    """Show a measured value; what an INVALID run measured is struck through, and what is partial says so."""
    if report.is_valid or value == units.ABSENT:
        return el("span", value)
    shown = el("s", value, class_="void") if report.verdict.kind.value == "INVALID" else value
    return el("span", shown, " ", el("span", words.doubt(report.verdict.kind.value), class_="void-label"))


def key_figures(report: Report) -> Html:
    """Make the cards that a reader looks at first."""
    whole = report.summary.whole
    refused, failed = whole.outcomes.get("rejected", 0), _failed(report)
    met = f"{units.share(whole.attainment)} of offered met every latency objective"
    cards = [
        *_capacity(report),
        card(
            "Asked" if is_closed(report) else "Offered",
            units.rate(whole.offered_rate),
            _offered_detail(report),
        ),
        card("Goodput", measured(units.rate(whole.goodput), report), met if report.is_valid else ""),
        _latency_card("TTFT p50", "p50", report),
        _latency_card("TTFT p99", "p99", report),
        card(
            "Shed",
            measured(units.share(whole.shed_share), report),
            f"{units.plural(refused, 'request')} refused (429, 503)",
        ),
        card(
            "Failed",
            measured(units.share(whole.error_share), report),
            f"{units.plural(failed, 'request')} without an answer",
        ),
    ]
    return el("div", *cards, class_="cards")


def flash_sale(spike: FlashSale, report: Report) -> Html:
    """Make the cards of the spike. What did not happen is said, never shown as a number."""
    calm = f"{spike.baseline_backlog:,} in the calm before"
    cards = [
        card("Time to first breach", *_breach(spike, report)),
        card(
            "Peak backlog",
            measured(units.count(spike.peak_backlog), report),
            f"due and not ended, at {spike.peak_backlog_at_seconds:.0f} s; {calm}",
        ),
        card(
            "Shed in the spike", measured(units.share(spike.shed_share), report), "of what was offered in it"
        ),
        card("Drain time", *_after("not drained", spike.drain_seconds, spike.drain_observed_seconds, report)),
        card(
            "Time to recover",
            *_after("not recovered", spike.recover_seconds, spike.recover_observed_seconds, report),
        ),
    ]
    return el("div", *cards, class_="cards")


def interval(latency: LatencySummary) -> str:
    """Show the P99's 95 % interval, or why there is none."""
    if latency.p99_ci is None:
        return f"n = {latency.n:,}: too few for an interval"
    low, high = latency.p99_ci
    return f"95 % interval {units.seconds(low)} to {units.seconds(high)}"


def _capacity(report: Report) -> list[Html]:
    capacity = report.summary.capacity
    if capacity is None:
        return []
    how = f"probed before: {units.plural(capacity.requests, 'request')}, {capacity.concurrency} at a time"
    return [card("Capacity (1x)", units.rate(capacity.requests_per_second), how)]


def _offered_detail(report: Report) -> str:
    whole, offered = report.summary.whole, report.summary.series.offered
    peak = f", peak {max(offered):,}/s" if offered else ""
    return f"{units.plural(whole.offered, 'request')} in {units.seconds(whole.end_seconds)}{peak}"


def _failed(report: Report) -> int:
    outcomes = report.summary.whole.outcomes
    return sum(number for outcome, number in outcomes.items() if outcome not in {"ok", "rejected"})


def _latency_card(label: str, key: str, report: Report) -> Html:
    latency = report.summary.whole.latencies["ttft"]
    value = getattr(latency, key)
    details = [f"of {units.plural(latency.n, 'offered request')}"]
    if key == "p99" and math.isfinite(value):
        details = [interval(latency)]
    if math.isinf(value):
        details = [
            f"{units.plural(latency.n_failed, 'request')} got no answer; of the answered: "
            f"{units.seconds(latency.over_ok.get(key))}"
        ]
    near = mark(is_marked(report, report.summary.whole, "ttft", key))
    shown = join([measured(units.seconds(value), report), near])
    return card(label, shown, details[0] if report.is_valid else "")


def _breach(spike: FlashSale, report: Report) -> tuple[object, str]:
    value = spike.time_to_first_breach_seconds
    if math.isnan(value):
        return units.ABSENT, "no latency objective to breach"
    if math.isinf(value):
        return measured("none", report), "no request missed a latency objective"
    return measured(
        units.seconds(value), report
    ), f"after the spike began at {spike.spike_start_seconds:.0f} s"


def _after(never: str, value: float, observed: float, report: Report) -> tuple[object, str]:
    if math.isnan(value):
        return units.ABSENT, "the calm before gives no level to return to"
    if math.isinf(value):
        return measured(never, report), f"within the {units.seconds(observed)} after the spike"
    return measured(units.seconds(value), report), "after the spike ended"
