"""What an objective demands, in a sentence that needs no glossary."""

from __future__ import annotations

from harness.report import words
from harness.scenario.objective import Objective
from harness.verdict.evaluate import SHED_LATENCY_PERCENTILE

_SENTENCES = {
    "ttft": "{share} of requests get their first token within {limit} of being due",
    "ttft_service": "{share} of requests get their first token within {limit} of being sent",
    "e2e": "{share} of requests are answered in full within {limit} of being due",
    "tpot": "{share} of answers take {bound} per output token",
    "itl": "{share} of the gaps between chunks are {bound}",
    "schedule_delay": "{share} of requests leave the generator within {limit} of being due",
    "error_share": "{bound} of requests fail (refusals are counted apart)",
    "shed_share": "{bound} of requests are refused (429, 503)",
    "attainment": "{bound} of requests meet every latency objective of their stage",
    "goodput": "{bound} requests meet every latency objective of their stage",
    "time_to_recover": "requests meet their objectives as before within {limit} after the spike",
    "drain_time": "the backlog is back to that of the calm within {limit} after the spike",
    "shed_latency": "{share} of refusals arrive within {limit}",
}


def meaning(objective: Objective) -> str:
    """Say what the objective demands: ``95 % of requests get their first token within 250 ms …``."""
    percentile = objective.percentile
    if objective.metric == "shed_latency" and percentile is None:
        percentile = SHED_LATENCY_PERCENTILE
    limit = words.threshold_value(objective.metric, objective.threshold)
    bound = f"at {'most' if objective.op == 'at_most' else 'least'} {limit}"
    share = "" if percentile is None else f"{percentile:g} %"
    text = _SENTENCES[objective.metric].format(share=share, limit=limit, bound=bound)
    return text[:1].upper() + text[1:]
