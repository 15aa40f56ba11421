"""The other processes behind the same port: whoever is asked about the group asks each of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

SAMPLES_PATH = "/metrics/samples"
"""Where a process serves its metrics for its siblings to merge."""

_ANSWER_SECONDS = 5.0


class SiblingSilent(Exception):  # noqa: N818 - a state of the group, answered with 503
    """A process of the group gave no answer, so that nothing true can be said about all of them."""


@dataclass(frozen=True, slots=True)
class Siblings:
    """The whole group, this process included. ``own_port`` is where this process alone is reached."""

    host: str
    own_port: int
    ports: tuple[int, ...]

    async def ask(self, path: str) -> list[tuple[int, bytes]]:
        """Return (status, body) of every process' own page, in order. Raises `SiblingSilent`."""
        asking = [_get(self.host, port, path) for port in self.ports]
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await asyncio.gather(*asking)
        except (OSError, ValueError, TimeoutError) as error:
            raise SiblingSilent(f"a process of this group gave no answer: {error!r}") from error


async def _get(host: str, port: int, path: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body
    except IndexError:
        raise ValueError("the connection ended before an answer") from None
    finally:
        writer.close()
