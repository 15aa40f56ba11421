"""Ship ended spans in batches from a thread of its own, and count every span that gets lost.

OpenTelemetry's batch processor drops without a word when its queue is full. A test whose traces are missing
must be able to say so.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

_BATCH_SPANS = 512
_LINGER_SECONDS = 0.5  # how long the first span of a batch waits for company


class SpanShipper(SpanProcessor):
    """A bounded queue, one thread, and ``on_dropped(n)`` for spans that were refused or not delivered."""

    def __init__(
        self, exporter: SpanExporter, on_dropped: Callable[[int], None], queue_spans: int = 8192
    ) -> None:
        self._exporter = exporter
        self._on_dropped = on_dropped
        self.dropped = 0
        self._queue: queue.Queue[ReadableSpan] = queue.Queue(queue_spans)
        self._closing = threading.Event()
        self._losing = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="span-shipper", daemon=True)
        self._thread.start()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span, or count it as lost: this never waits."""
        if not span.context or not span.context.trace_flags.sampled:
            return
        try:
            self._queue.put_nowait(span)
        except queue.Full:
            self._lose(1)

    def close(self, timeout_seconds: float) -> None:
        """Deliver what is queued, for at most so long; what is left is counted as lost."""
        self._closing.set()
        self._thread.join(timeout_seconds)
        self._lose(len(self._drain(self._queue.maxsize)))

    def shutdown(self) -> None:
        """Close within the time that the exporter itself allows one request."""
        self.close(timeout_seconds=10.0)

    def _work(self) -> None:
        while not (self._closing.is_set() and self._queue.empty()):
            batch = self._collect()
            if batch:
                self._ship(batch)
        self._exporter.shutdown()

    def _collect(self) -> list[ReadableSpan]:
        """Wait for a first span, linger for others unless closing."""
        try:
            first = self._queue.get(timeout=0.1)
        except queue.Empty:
            return []
        deadline = time.monotonic() + _LINGER_SECONDS
        while time.monotonic() < deadline and self._queue.qsize() < _BATCH_SPANS:
            if self._closing.wait(0.05):
                break
        return [first, *self._drain(_BATCH_SPANS - 1)]

    def _drain(self, most: int) -> list[ReadableSpan]:
        spans: list[ReadableSpan] = []
        while len(spans) < most:
            try:
                spans.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return spans

    def _ship(self, batch: list[ReadableSpan]) -> None:
        if self._exporter.export(batch) is not SpanExportResult.SUCCESS:
            self._lose(len(batch))

    def _lose(self, spans: int) -> None:
        with self._losing:  # called from the serving thread and from ours
            self.dropped += spans
        self._on_dropped(spans)
