"""Books every request's way through an engine exactly once: counts it and tells the observer.

One lock, because requests end on two threads: most on the engine's, those cancelled in the queue on the
loop's.
"""

from __future__ import annotations

import threading
import time

from target_server.engine.observer import EndReason, Observer
from target_server.engine.protocol import EngineStats
from target_server.engine.throughput import Throughput


class Ledger:
    """Counters since the engine's start."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._lock = threading.Lock()
        self._throughput = Throughput()
        self._ended: dict[EndReason, int] = {"stop": 0, "length": 0, "cancelled": 0, "failed": 0}
        self._rejected = 0
        self._prefill_tokens = 0
        self._decode_tokens = 0
        self._steps = 0
        self._step_failures = 0

    def rejected(self, request_id: str) -> None:
        """Book a request that found the queue full."""
        self._rejected += 1
        self._observer.on_rejected(request_id, time.monotonic_ns())

    def queued(self, request_id: str) -> None:
        """Book a request that was accepted."""
        self._observer.on_queued(request_id, time.monotonic_ns())

    def started(self, request_id: str) -> None:
        """Book a request that got its slot."""
        self._observer.on_started(request_id, time.monotonic_ns())

    def first_token(self, request_id: str, prompt_tokens: int) -> None:
        """Book the end of a prompt and, at the same instant, the first token."""
        now_ns = time.monotonic_ns()
        self._observer.on_prefilled(request_id, prompt_tokens, now_ns)
        self._observer.on_first_token(request_id, now_ns)

    def ended(self, request_id: str, reason: EndReason, tokens: int) -> None:
        """Book a request that left with ``tokens`` tokens."""
        with self._lock:
            self._ended[reason] += 1
            self._throughput.record()
        self._observer.on_finished(request_id, reason, tokens, time.monotonic_ns())

    def computed(self, *, prefill_tokens: int, decode_tokens: int) -> None:
        """Book prompt tokens computed and tokens generated."""
        self._prefill_tokens += prefill_tokens
        self._decode_tokens += decode_tokens

    def stepped(self, batch_size: int, seconds: float) -> None:
        """Book a step that served ``batch_size`` requests."""
        self._steps += 1
        self._observer.on_step(batch_size, seconds)

    def step_failed(self) -> None:
        """Book a step that raised."""
        self._step_failures += 1

    def retry_after_seconds(self, waiting: int) -> float:
        """Return when a refused request should come back."""
        with self._lock:
            return self._throughput.retry_after_seconds(waiting)

    def stats(
        self, *, running: int, waiting: int, slots: int, queue_limit: int, kv_used_share: float
    ) -> EngineStats:
        """Return the counters beside the engine's own levels."""
        with self._lock:
            ended = dict(self._ended)
        return EngineStats(
            running=running,
            waiting=waiting,
            slots=slots,
            queue_limit=queue_limit,
            kv_used_share=kv_used_share,
            prefill_tokens_total=self._prefill_tokens,
            decode_tokens_total=self._decode_tokens,
            steps_total=self._steps,
            finished_total=ended["stop"] + ended["length"],
            cancelled_total=ended["cancelled"],
            failed_total=ended["failed"],
            rejected_total=self._rejected,
            step_failures_total=self._step_failures,
        )
