"""The golden target over gRPC: vLLM's engine service, answering by a timetable and logging the truth.

``python -m harness.calibrate.golden.grpc_server --timetable ttft=20ms,gap=10ms --log DIR``. On a second port
the same process serves OpenAI's API and ``/metrics``, over the same timetable and counts.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.calibrate.golden.child import end, wait_for_ports
from harness.calibrate.golden.counts import SharedCounts
from harness.calibrate.golden.grpc_answers import scripter
from harness.calibrate.golden.grpc_protocol import GoldenGrpc, GoldenGrpcProtocol
from harness.calibrate.golden.http_server import HttpServer
from harness.calibrate.golden.log import TruthLog
from harness.calibrate.golden.schedule import Schedule
from harness.calibrate.golden.sockets import listening_socket
from harness.calibrate.golden.timer import TimerFd
from harness.calibrate.golden.timetable import Timetable
from harness.calibrate.golden.truth import Truth, read_truth

DEFAULT_MAX_STREAMS = 1_000_000
CHANNELS_FILE = "channels.json"
_BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class Channels:
    """What the server saw of its clients' channels."""

    connections: int
    most_streams_on_one: int
    most_streams: int


class RunningGrpcGolden:
    """A golden gRPC target that was started: ``url`` for gRPC, ``http_url`` for HTTP."""

    def __init__(self, process: subprocess.Popen[bytes], ports: Sequence[int], log_dir: Path) -> None:
        self._process = process
        self._log_dir = log_dir
        self.url, self.http_url = f"grpc://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"

    @property
    def pid(self) -> int:
        """The process that serves."""
        return self._process.pid

    def stop(self) -> tuple[Truth, Channels]:
        """End the target; return its truth and what it saw of the channels."""
        end(self._process)
        told = json.loads((self._log_dir / CHANNELS_FILE).read_text())
        return read_truth(self._log_dir), Channels(**told)


@contextmanager
def golden_grpc(
    timetable: str = "", *, core: int | None = None, max_streams: int = DEFAULT_MAX_STREAMS, port: int = 0
) -> Iterator[RunningGrpcGolden]:
    """Start a golden gRPC target, wait until it listens, and end it with the block.

    ``stop()`` inside the block returns its truth. Raises TidegateError when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="tidegate-golden-") as name:
        folder = Path(name)
        command = [
            *(sys.executable, "-m", "harness.calibrate.golden.grpc_server", "--timetable", timetable),
            *("--core", "-1" if core is None else str(core), "--max-streams", str(max_streams)),
            *("--port", str(port), "--port-file", str(folder / "ports"), "--log", name),
        ]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            yield RunningGrpcGolden(process, wait_for_ports(process, folder / "ports"), folder)
        finally:
            end(process)


async def serve(given: argparse.Namespace, timetable: Timetable) -> None:
    """Serve until SIGTERM or SIGINT, then leave the log."""
    loop, log, shared = asyncio.get_running_loop(), TruthLog(), SharedCounts(1)
    shared.own(0)
    file = given.log / f"golden-{os.getpid()}.npz"
    schedule = Schedule(loop)
    golden = GoldenGrpc(scripter(timetable), schedule, log, shared, given.max_streams)
    http_listener = listening_socket("127.0.0.1", given.http_port, _BACKLOG)

    def dump() -> tuple[int, str]:
        halves = {file: log.columns(), file.with_stem(f"{file.stem}-http"): http.columns()}
        for path, columns in halves.items():
            columns.write(path)
        return sum(map(len, halves.values())), file.name

    http = HttpServer(http_listener, timetable, shared, dump)
    http_timer = _turn_in(loop, http)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    grpc_port = await _listen(loop, lambda: GoldenGrpcProtocol(golden), given.port)
    _announce(given.port_file, [grpc_port, int(http_listener.getsockname()[1])])
    await ended.wait()
    loop.remove_reader(http.fileno())
    http_timer.close()
    schedule.close()
    dump()
    http.close()
    seen = Channels(golden.connections, golden.most_streams, golden.most_open_streams)
    told = {name: getattr(seen, name) for name in Channels.__slots__}
    (given.log / CHANNELS_FILE).write_text(json.dumps(told))


def _turn_in(loop: asyncio.AbstractEventLoop, http: HttpServer) -> TimerFd:
    """Let an HTTP server take its turns in the loop; return the timer that brings them."""

    def turn() -> None:
        timer.arm(http.turn())

    timer = TimerFd(loop, turn)
    loop.add_reader(http.fileno(), turn)
    return timer


async def _listen(loop: asyncio.AbstractEventLoop, protocol: Any, port: int) -> int:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what it accepts inherits this
    sock.bind(("127.0.0.1", port))
    await loop.create_server(protocol, sock=sock, backlog=_BACKLOG)
    return int(sock.getsockname()[1])


def _announce(port_file: Path | None, ports: list[int]) -> None:
    if port_file is not None:
        unfinished = port_file.with_suffix(".part")
        unfinished.write_text(" ".join(map(str, ports)))
        unfinished.replace(port_file)
    print(f"golden target: grpc://127.0.0.1:{ports[0]}, http://127.0.0.1:{ports[1]}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve one process until told to end."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.calibrate.golden.grpc_server", description=__doc__
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--http-port", type=int, default=0, help="OpenAI's API and /metrics")
    parser.add_argument("--port-file", type=Path, help="both ports, written when it listens")
    parser.add_argument("--core", type=int, default=-1, help="pin to this processor")
    parser.add_argument("--max-streams", type=int, default=DEFAULT_MAX_STREAMS, help="per connection")
    parser.add_argument("--timetable", default="", help="such as ttft=20ms,gap=lognormal(10ms,0.5)")
    parser.add_argument("--log", type=Path, required=True, help="folder for golden-<pid>.npz")
    given = parser.parse_args(arguments)
    try:
        timetable = Timetable.parse(given.timetable)
    except ValueError as error:
        parser.error(str(error))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if given.core >= 0:
        os.sched_setaffinity(0, {given.core})
    given.log.mkdir(parents=True, exist_ok=True)
    gc.freeze()
    gc.disable()  # a collection is a pause, and the connections leave no cycles behind
    try:
        import uvloop
    except ModuleNotFoundError:
        asyncio.run(serve(given, timetable))
    else:
        uvloop.run(serve(given, timetable))


if __name__ == "__main__":
    main()
