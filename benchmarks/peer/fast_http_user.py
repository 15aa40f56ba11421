"""Locust's FastHttpUser, one process. Streams are read as a user of Locust would write it: line by line.

The first token's time comes from that loop and goes through Locust's own statistics, as such loops do; a gap
is the mean of its stream, since an event for each would cost Locust more than the stream.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

from benchmarks.peer.environment import environment
from benchmarks.peer.tool import NAN, PATH, Launch, Load, Reading

VERSION = "2.47.0"
_SHORT = """from locust import FastHttpUser, task

BODY = %(body)s


class Caller(FastHttpUser):
    @task
    def chat(self):
        self.client.post("%(path)s", data=BODY, headers={"Content-Type": "application/json"}, name="chat")
"""
_STREAMED = """import time

from locust import FastHttpUser, events, task

BODY = %(body)s


def report(name, milliseconds, tokens=0):
    said = {"request_type": "SSE", "name": name, "response_time": milliseconds, "response_length": tokens}
    events.request.fire(**said, exception=None, context={})


class Reader(FastHttpUser):
    @task
    def chat(self):
        began = time.perf_counter()
        headers = {"Content-Type": "application/json"}
        response = self.client.post("%(path)s", data=BODY, headers=headers, stream=True, name="head")
        tokens = 0
        while line := response.stream.readline(b"\\n"):
            if not line.startswith(b"data: ") or b'"content"' not in line:
                continue
            last = time.perf_counter()
            first = last if not tokens else first
            tokens += 1
        report("ttft", (first - began) * 1000)
        report("itl", (last - first) * 1000 / (tokens - 1))
        report("chat", (time.perf_counter() - began) * 1000, tokens)
"""


class FastHttpUser:
    name = "Locust FastHttpUser"
    ladder: tuple[int, ...] = (32, 128, 512)
    modest_counts = True
    short = True

    def get(self) -> str:
        self._bin = environment("locust", f"locust=={VERSION}")
        return VERSION

    def launch(self, load: Load, folder: Path) -> Launch:
        script = folder / "locustfile.py"
        facts = {"body": repr(json.dumps(load.body)), "path": PATH}
        script.write_text((_STREAMED if load.streamed else _SHORT) % facts)
        users = ["-u", str(load.at_a_time), "-r", str(load.at_a_time)]
        command = [str(self._bin / "locust"), "-f", str(script), "--headless", "--only-summary", *users]
        warmed_up = [
            "-t",
            f"{round(load.seconds + 1)}s",
            "--reset-stats",
        ]  # all users are there after a second
        command += [*warmed_up, "--stop-timeout", "5", "--host", load.url]
        return Launch([*command, "--csv", str(folder / "locust")])

    def read(self, load: Load, folder: Path, output: str) -> Reading:  # noqa: ARG002
        with (folder / "locust_stats.csv").open() as lines:
            rows = {row["Name"]: row for row in csv.DictReader(lines)}
        rate = float(rows["chat"]["Requests/s"])
        failed = int(rows["Aggregated"]["Failure Count"])
        if not load.streamed:
            return Reading(rate, failed=failed)
        return Reading(
            rate,
            failed=failed,
            ttft_p50_ms=_milliseconds(rows, "ttft", "50%"),
            ttft_p99_ms=_milliseconds(rows, "ttft", "99%"),
            itl_p50_ms=_milliseconds(rows, "itl", "50%"),
            tokens_per_second=rate * load.tokens,
            note="a loop over lines, written for this; Locust itself has no time to first token",
        )


def _milliseconds(rows: dict[str, dict[str, str]], name: str, column: str) -> float:
    found = rows.get(name, {}).get(column, "N/A")
    return NAN if found == "N/A" else float(found)
