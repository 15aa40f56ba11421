"""wrk: one thread, its usual 64 connections. It keeps no records and knows nothing of streams."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.open_loop import _WRK_SCRIPT
from benchmarks.peer.environment import must
from benchmarks.peer.tool import PATH, AbsentError, Launch, Load, Reading


class Wrk:
    name = "wrk"
    ladder: tuple[int, ...] = ()
    modest_counts = True
    short = True

    def get(self) -> str:
        if shutil.which("wrk") is None:
            _install()
        return re.findall(r"wrk (\S+)", _usage())[0]

    def launch(self, load: Load, folder: Path) -> Launch:
        script = folder / "post.lua"
        script.write_text(_WRK_SCRIPT % ("word " * 8))
        options = ["-t1", f"-c{load.at_a_time}", f"-d{round(load.seconds)}s", "-s", str(script)]
        return Launch(["wrk", *options, load.url + PATH])

    def read(self, load: Load, folder: Path, output: str) -> Reading:  # noqa: ARG002
        (rate,) = re.findall(r"Requests/sec:\s+([\d.]+)", output)
        bad = re.findall(r"Non-2xx or 3xx responses: (\d+)", output)
        return Reading(float(rate), failed=sum(map(int, bad)), note="keeps no records")


def _usage() -> str:
    """Return what wrk says of itself; it exits with 1 after that."""
    return subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout


def _install() -> None:
    if os.geteuid() or shutil.which("apt-get") is None:
        raise AbsentError("not on PATH, and only root with apt-get can install it")
    must(["apt-get", "update", "-qq"], 120)
    must(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "wrk"], 300)
