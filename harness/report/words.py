"""The words of a report: what each metric is called, how its values read, and what every word means."""

from __future__ import annotations

import math

from harness.report import units

METRIC_NAMES = {
    "ttft": "TTFT",
    "ttft_service": "TTFT from send",
    "e2e": "E2E",
    "tpot": "TPOT",
    "itl": "ITL",
    "schedule_delay": "Schedule delay",
    "error_share": "Error share",
    "shed_share": "Shed share",
    "attainment": "Attainment",
    "goodput": "Goodput",
    "time_to_recover": "Time to recover",
    "drain_time": "Drain time",
    "shed_latency": "Shed latency",
}

_SHARES = {"error_share", "shed_share", "attainment"}

PROTOCOLS = {"http": "HTTP, OpenAI's API", "vllm-grpc": "gRPC, vLLM's engine service"}

SYMBOLS = {"PASS": "✓", "FAIL": "✗", "INCONCLUSIVE": "?", "INVALID": "⊘", "ABORTED": "■"}
"""A sign for each verdict, so that it never depends on colour alone."""

MEANINGS = {
    "PASS": "every objective's whole confidence interval is on the good side",
    "FAIL": "at least one objective's whole confidence interval is on the bad side",
    "INCONCLUSIVE": (
        "too few samples, or an interval that contains its threshold: neither good nor bad is shown"
    ),
    "INVALID": (
        "the generator, the clock, the records or the counts spoiled the run: nothing measured is trusted"
    ),
    "ABORTED": "the target could not be reached, or the run was stopped",
}

DEFINITIONS = {
    "Target": "The server under test.",
    "Offered": (
        "Planned arrivals. They are due by the clock, whether or not earlier requests were answered (an "
        "open loop)."
    ),
    "Sent, completed": (
        "Requests that left the generator; requests that ended by themselves, refusals included."
    ),
    "Goodput": (
        "Requests per second that meet every latency objective of their stage, over the whole window."
    ),
    "Attainment": "The share of offered requests that meet every latency objective of their stage.",
    "TTFT": (
        "Time to first token: from when the request was due until its first content token was received. A "
        "request that left late, or waited for a connection, is not excused."
    ),
    "TTFT from send": (
        "The same, counted from the actual send. The difference to TTFT is the generator's own delay."
    ),
    "E2E": "From when the request was due until the last byte of its answer.",
    "TPOT": (
        "Time per output token: (last token − first token) ÷ (output tokens − 1). Undefined for one token."
    ),
    "ITL": (
        "Inter-token latency: one value for each gap between two chunks of an answer. Gaps that a failed "
        "request never had count as infinitely long."
    ),
    "Percentiles": (
        "Of all offered requests. Failed and dropped requests count as infinitely slow, so quick failures "
        "cannot improve a score: ∞ means that too many never got there. Where a view over successful "
        "requests stands beside it, it says so."
    ),
    "Interval": (
        "95 % confidence interval: the wider of order statistics and a moving-block bootstrap. The bar "
        "shows the interval, the dot the measured value, the upright line the threshold."
    ),
    "Rejected, shed share": (
        "Requests that the target refused at once (429 or 503), and their share of offered."
    ),
    "Failed, error share": (
        "Requests that ended in anything but an answer or a refusal, and their share of offered."
    ),
    "Dropped": "Arrivals that the generator never sent, because max_in_flight were open.",
    "In flight, backlog": (
        "In flight: sent and not ended. Backlog: due and not ended, whether or not it was sent."
    ),
    "Spike": (
        "It begins with the stage that the scenario names, and ends when the offered rate begins to fall."
    ),
    "Time to first breach": (
        "From the start of the spike until the first second in which a latency objective is missed or the "
        "target refuses a request."
    ),
    "Drain time": (
        "From the end of the spike until the backlog is no larger than it usually was in the calm stage "
        "before."
    ),
    "Time to recover": (
        "From the end of the spike until the share of requests that meet their objectives is back at its "
        "level in the calm stage before, and stays there."
    ),
    "Schedule delay": "Send − due: how late the generator was. When it is too large the run is INVALID.",
    "Loop lag": "How late the generator's event loop came round to what was due.",
    "Capacity": (
        "What a short closed-loop probe before the run found: completed requests per second at a fixed "
        "concurrency. Rates such as 2.5x are multiples of it."
    ),
}


def between(metric: str, low: float, high: float) -> str:
    """Show an interval in the metric's unit: ``96 ms to 103 ms``; one value when both ends read the same."""
    ends = dict.fromkeys(metric_value(metric, value) for value in (low, high))
    return units.ABSENT if units.ABSENT in ends else " to ".join(ends)


def event_time(value: float, never: str = "not in this run") -> str:
    """Show when something happened, in seconds; what did not happen has no time."""
    return never if value == math.inf else units.seconds(value)


def doubt(kind: str) -> str:
    """Say why a measured value of an INVALID or ABORTED run is not to be taken as the run's result."""
    return "not valid" if kind == "INVALID" else "partial"


def metric_name(metric: str, percentile: float | None) -> str:
    """Name a metric as people say it: ``TTFT p99``, ``Shed share``."""
    name = METRIC_NAMES.get(metric, metric)
    return name if percentile is None else f"{name} p{percentile:g}"


def in_sentence(name: str) -> str:
    """Write a name inside a sentence: ``shed share``, but ``TTFT p99``."""
    return name if name[1:2].isupper() or name[1:2].isdigit() else name[:1].lower() + name[1:]


def metric_value(metric: str, value: float | None) -> str:
    """Show a metric's value with its own unit: seconds, share 0..1, or requests per second."""
    if metric == "goodput":
        return units.rate(value)
    return units.share(value) if metric in _SHARES else units.seconds(value)


def limit(op: str, metric: str, threshold: float) -> str:
    """Show a threshold with its direction: ``≤ 1.5 s``."""
    return f"{'≤' if op == 'at_most' else '≥'} {threshold_value(metric, threshold)}"


def threshold_value(metric: str, threshold: float) -> str:
    """Show a threshold as it was written: exact, without zeros after the point."""
    if metric == "goodput":
        return f"{threshold:.4g}/s"
    return f"{threshold * 100:.6g} %" if metric in _SHARES else units.exact_seconds(threshold)


def outcome_name(outcome: str) -> str:
    """Show an outcome's identifier as words: ``http_error`` is ``http error``."""
    return outcome.replace("_", " ")
