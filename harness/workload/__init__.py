"""Step 3: what each request asks: its text and its lengths, the same whatever the workers."""

from harness.workload.build import build_workload
from harness.workload.workload import Ask, Workload

__all__ = ["Ask", "Workload", "build_workload"]
