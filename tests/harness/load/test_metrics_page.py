import socket
import threading
import urllib.request
from types import SimpleNamespace

import gevent

from harness.load.counts import EngineStats
from harness.load.metrics_page import MetricsPage
from harness.measure.histogram import LogHistogram
from harness.scenario.model import Scenario
from observability.names import METRICS

SCENARIO = Scenario.model_validate(
    {
        "name": "s",
        "target": {"url": "http://127.0.0.1:1", "model": "m"},
        "stages": [{"name": "one", "duration": 1, "rate": "1/s"}],
        "slos": [{"name": "first", "metric": "ttft", "percentile": 99, "at_most": "2s"}],
    }
)


class Engine:
    def __init__(self) -> None:
        self.listeners: list = []
        self.loop_lag = LogHistogram()

    def stats(self) -> EngineStats:
        return EngineStats(offered=7, sent=4, in_flight=2)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def opened() -> tuple[MetricsPage, str]:
    port = free_port()
    page = MetricsPage(SCENARIO, "run-1", port, Engine(), SimpleNamespace(lost=3))
    return page, f"http://127.0.0.1:{port}/metrics"


def read(url: str) -> str:
    return urllib.request.urlopen(url, timeout=5).read().decode()


def test_every_metric_of_the_harness_is_on_the_page_and_no_other():
    page, url = opened()
    page.start(1_000_000_000_000)
    text = read(url)
    listening = threading.Timer(0.3, lambda: read(url))
    listening.start()
    page.close()
    served = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    served = {name.removesuffix("_total") for name in served if not name.endswith("_created")}
    expected = {metric.name for metric in METRICS if metric.half in ("harness", "both")}
    assert expected - {name for name in expected if "_gpu_" in name} <= served <= expected
    assert "tidegate_arrivals_total 7.0" in text
    assert "tidegate_sent_total 6.0" in text  # four have ended, two are open
    assert "tidegate_records_lost_total 3.0" in text
    assert 'tidegate_run_info{model="m",run="run-1",scenario="s"' in text


def test_the_page_waits_for_one_more_read_so_that_the_last_counts_are_seen():
    page, url = opened()
    read(url)
    closing = gevent.spawn(page.close)
    gevent.sleep(0.5)
    assert not closing.ready()
    gevent.get_hub().threadpool.apply(read, (url,))
    closing.join(timeout=3)
    assert closing.ready()


def test_a_page_that_nobody_ever_read_does_not_wait():
    page, _ = opened()
    closing = gevent.spawn(page.close)
    closing.join(timeout=2)
    assert closing.ready()
