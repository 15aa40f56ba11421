"""What a report says of a run without a schedule: users of a locustfile, each waiting for its answers."""

from __future__ import annotations

from harness.report.run_folder import Report

NOTE = (
    "A closed loop, driven by a locustfile: each user asks again only once it has been answered, so a slower "
    "target is asked less, and its latencies say nothing about a load that does not wait. Times count from "
    "the send: there was no schedule. What users had open when they were stopped is left out."
)


def is_closed(report: Report) -> bool:
    """Whether the run had no schedule."""
    return report.scenario.loop == "closed"
