"""``python -m harness.calibrate.golden --timetable ttft=20ms,gap=10ms,tokens=64 --processes 2 --log DIR``."""

from __future__ import annotations

import argparse
import resource
from collections.abc import Sequence
from pathlib import Path

from harness.calibrate.golden.serve import Settings, serve
from harness.calibrate.golden.timetable import Timetable


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = _settings(arguments)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        serve(settings)
    except OSError as error:
        raise SystemExit(f"golden target: {error}") from None


def _settings(arguments: Sequence[str] | None) -> Settings:
    parser = argparse.ArgumentParser(prog="python -m harness.calibrate.golden", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="written when every process listens")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--cores", default="", help="pin process k to the k-th of these, such as 0,1")
    parser.add_argument("--timetable", default="", help="such as ttft=20ms,gap=lognormal(10ms,0.5)")
    parser.add_argument("--log", type=Path, required=True, help="folder for golden-<pid>.npz")
    parser.add_argument("--backlog", type=int, default=4096)
    given = parser.parse_args(arguments)
    try:
        timetable = Timetable.parse(given.timetable)
        cores = tuple(int(core) for core in given.cores.split(",") if core)
    except ValueError as error:
        parser.error(str(error))
    if given.processes < 1:
        parser.error("--processes: a whole number from 1")
    return Settings(
        timetable,
        given.log,
        given.host,
        given.port,
        given.processes,
        cores,
        given.backlog,
        given.port_file,
    )


if __name__ == "__main__":
    main()
