"""Step 2: a scenario's rates become the plan: when every request is due."""

from harness.arrivals.build import build_plan
from harness.arrivals.plan import Plan
from harness.scenario.trace_file import Trace, read_trace

__all__ = ["Plan", "Trace", "build_plan", "read_trace"]
