import threading
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from target_server.telemetry.shipper import SpanShipper


class Exporter(SpanExporter):
    """Delivers when ``open`` is set; ``refusing`` makes every delivery fail."""

    def __init__(self, *, refusing: bool = False) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.delivered: list[str] = []
        self._refusing = refusing

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        self.open.wait(10)
        if self._refusing:
            return SpanExportResult.FAILURE
        self.delivered += [span.name for span in spans]
        return SpanExportResult.SUCCESS


def ship(exporter: Exporter, queue_spans: int) -> tuple[SpanShipper, TracerProvider, list[int]]:
    dropped: list[int] = []
    shipper = SpanShipper(exporter, dropped.append, queue_spans)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(shipper)
    return shipper, provider, dropped


def end_spans(provider: TracerProvider, *names: str) -> None:
    for name in names:
        provider.get_tracer("test").start_span(name).end()


def test_closing_delivers_everything_in_order() -> None:
    exporter = Exporter()
    exporter.open.set()
    shipper, provider, dropped = ship(exporter, queue_spans=100)
    end_spans(provider, "a", "b", "c")
    shipper.close(5)
    assert (exporter.delivered, sum(dropped)) == (["a", "b", "c"], 0)


def test_spans_beyond_a_full_queue_are_dropped_and_counted_without_waiting() -> None:
    exporter = Exporter()
    shipper, provider, dropped = ship(exporter, queue_spans=2)
    end_spans(provider, "first")
    assert exporter.entered.wait(5)  # the thread is busy with the first: the queue takes two more
    end_spans(provider, "a", "b", "c", "d")
    assert sum(dropped) == 2
    exporter.open.set()
    shipper.close(5)
    assert (exporter.delivered, shipper.dropped) == (["first", "a", "b"], 2)


def test_a_failed_delivery_counts_every_span_of_the_batch() -> None:
    exporter = Exporter(refusing=True)
    exporter.open.set()
    shipper, provider, dropped = ship(exporter, queue_spans=100)
    end_spans(provider, "a", "b", "c")
    shipper.close(5)
    assert (exporter.delivered, sum(dropped), shipper.dropped) == ([], 3, 3)


def test_what_a_stuck_exporter_leaves_in_the_queue_at_the_end_is_counted() -> None:
    exporter = Exporter()
    shipper, provider, dropped = ship(exporter, queue_spans=100)
    end_spans(provider, "stuck")
    assert exporter.entered.wait(5)
    end_spans(provider, "a", "b")
    shipper.close(0.05)
    assert sum(dropped) == 2
    exporter.open.set()
