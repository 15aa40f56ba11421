"""Real runs with everything watching: what the tests of dashboards, rules, alerts and exemplars look at."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from dashboards.prometheus import Prometheus
from stack.endpoints import Endpoints
from stack.scrape import announce, withdraw
from tests.dashboards.foreign_page import SERVERS, ForeignPage
from tests.e2e.servers import only_run, reference_target, tidegate

_OTLP, _STORE = "OTEL_EXPORTER_OTLP_ENDPOINT", "TIDEGATE_ELASTICSEARCH_URL"
STAGES = (("calm", 12, "25/s"), ("rush", 8, "120/s"), ("after", 12, "25/s"))
TIMETABLE = "ttft=30ms,gap=4ms"
"""With 8 slots and a queue of 30 the calm takes a fifth of what the target can; the rush is beyond it."""
SLOTS = ("--engine", "scripted", "--timetable", TIMETABLE, "--slots", "8", "--queue", "30")


Alert = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WatchedRuns:
    """Two finished runs of one scenario, and what watched them. Instants since 1970.

    ``alerts`` are those that Alertmanager sent while the runs went on, in the order in which they came.
    """

    prometheus: Prometheus
    endpoints: Endpoints
    folders: tuple[Path, Path]
    alerts: list[Alert]
    start: float
    end: float

    @property
    def ids(self) -> tuple[str, str]:
        """The runs' ids, the earlier one first."""
        first, second = self.folders
        return first.name, second.name


def watch_two_runs(folder: Path, stack_folder: Path, endpoints: Endpoints, webhook_port: int) -> WatchedRuns:
    """Run a small flash sale twice against the reference target, beside pages of other kinds of servers."""
    start = time.time()
    scenario = _scenario(folder)
    with (
        _receiver(webhook_port) as alerts,
        _environment({_OTLP: endpoints.otlp_http, _STORE: endpoints.elasticsearch}),
        reference_target(folder, *SLOTS, "--spool-dir", str(folder / "spool")) as url,
        foreign_pages() as others,
    ):
        announce("target", "reference", [url.removeprefix("http://")], folder=stack_folder)
        announce("target", "others", others, folder=stack_folder)
        time.sleep(3)  # Prometheus looks for new files every two seconds
        folders = tuple(_run(folder / f"runs{i}", scenario, url, stack_folder) for i in range(2))
        time.sleep(6)  # a scrape of the slowest kind, and what is sent in batches
        withdraw("target", "reference", stack_folder)
        withdraw("target", "others", stack_folder)
    assert endpoints.prometheus is not None
    prometheus = Prometheus(endpoints.prometheus)
    return WatchedRuns(prometheus, endpoints, (folders[0], folders[1]), alerts, start, time.time())


def _run(runs_dir: Path, scenario: Path, url: str, stack_folder: Path) -> Path:
    done = tidegate(
        *("run", str(scenario), "--target", url, "--runs-dir", str(runs_dir), "--workers", "2"),
        cwd=_beside(stack_folder, runs_dir),
    )
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    return only_run(runs_dir)


def _beside(stack_folder: Path, runs_dir: Path) -> Path:
    """Return a folder in which the command line finds the stack, as in a checkout where it was started."""
    link = runs_dir.parent / ".tidegate"
    if not link.exists():
        link.symlink_to(stack_folder)
    return runs_dir.parent


def _scenario(folder: Path) -> Path:
    document = {
        "name": "watched",
        "seed": 3,
        "trace_sample_share": 0.2,
        "max_in_flight": 500,
        "target": {"request_timeout": "350ms"},  # of the rush, some time out
        "workload": {"prompt_tokens": 8, "output_tokens": 12},
        "stages": [{"name": n, "duration": f"{s}s", "rate": rate} for n, s, rate in STAGES],
        "slos": [
            {"name": "first-token", "metric": "ttft", "percentile": 95, "at_most": "200ms"},
            {"name": "whole-answer", "metric": "e2e", "percentile": 95, "at_most": "1s"},
            {"name": "sent-in-time", "metric": "schedule_delay", "percentile": 95, "at_most": "1s"},
            {"name": "few-errors", "metric": "error_share", "at_most": "2%"},
        ],
        "limits": {"schedule_delay_p99": "200ms", "loop_lag_p99": "200ms"},
    }
    file = folder / "watched.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


@contextmanager
def foreign_pages() -> Iterator[list[str]]:
    """Serve a page for each other kind of server; yield their addresses (host:port)."""
    with ExitStack() as stack:
        yield [stack.enter_context(_served(ForeignPage(server))) for server in SERVERS]


@contextmanager
def _environment(wanted: Mapping[str, str | None]) -> Iterator[None]:
    """Have what is started within the block find these variables, as far as they have a value."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: value for name, value in wanted.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _receiver(port: int) -> Iterator[list[Alert]]:
    """Listen where Alertmanager sends; yield the list that its alerts go to."""
    alerts: list[Alert] = []

    class Handler(_Quiet):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            alerts.extend(json.loads(body)["alerts"])
            self.send_response(200)
            self.end_headers()

    with _listening(Handler, port):
        yield alerts


@contextmanager
def _served(page: ForeignPage) -> Iterator[str]:
    class Handler(_Quiet):
        def do_GET(self) -> None:
            body = page.text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with _listening(Handler) as port:
        yield f"127.0.0.1:{port}"


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _listening(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
