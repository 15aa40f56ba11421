"""The data streams that tidegate writes, named as Elastic names them: type, dataset, namespace."""

from __future__ import annotations

from enum import StrEnum


class Stream(StrEnum):
    """A data stream's name."""

    REQUESTS = "logs-tidegate.requests-default"  # one document for each planned arrival
    RUNS = "logs-tidegate.runs-default"  # one for each run: what was asked, what came of it
    GENERATOR = "logs-tidegate.generator-default"  # the harness's ECS log
    TARGET = "logs-tidegate.target-default"  # the reference target's ECS log

    @property
    def dataset(self) -> str:
        """What the stream holds, in one word: ``requests``."""
        return self.value.removeprefix("logs-tidegate.").removesuffix("-default")

    @classmethod
    def of(cls, dataset: str) -> Stream:
        """Return the stream that holds it. Raise ValueError for none."""
        return cls(f"logs-tidegate.{dataset}-default")
