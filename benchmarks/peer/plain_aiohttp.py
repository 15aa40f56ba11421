"""aiohttp in a loop, as people write it when they need a load generator by tonight."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.peer.environment import environment
from benchmarks.peer.tool import PATH, Launch, Load, Reading

VERSION = "3.14.5"
_SCRIPT = """import asyncio
import time

import aiohttp

BODY = %(body)s
sent = 0


async def caller(session, until):
    global sent
    while time.monotonic() < until:
        async with session.post("%(url)s", data=BODY, headers={"Content-Type": "application/json"}) as answer:
            await answer.read()
            answer.raise_for_status()
        sent += 1


async def main():
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        began = time.monotonic()
        await asyncio.gather(*(caller(session, began + %(seconds)g) for _ in range(%(at_a_time)d)))
        print(sent / (time.monotonic() - began))


asyncio.run(main())
"""


class PlainAiohttp:
    name = "aiohttp loop"
    ladder: tuple[int, ...] = ()
    modest_counts = True
    short = True

    def get(self) -> str:
        self._bin = environment("aiohttp", f"aiohttp=={VERSION}")
        return VERSION

    def launch(self, load: Load, folder: Path) -> Launch:
        script = folder / "loop.py"
        facts = {"body": repr(json.dumps(load.body).encode()), "url": load.url + PATH}
        script.write_text(_SCRIPT % {**facts, "seconds": load.seconds, "at_a_time": load.at_a_time})
        return Launch([str(self._bin / "python"), str(script)])

    def read(self, load: Load, folder: Path, output: str) -> Reading:  # noqa: ARG002
        return Reading(float(output.split()[-1]), note="keeps no records")
