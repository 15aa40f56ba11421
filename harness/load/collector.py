"""The master's end of the shards: fetches what finished workers have written, a few workers at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import msgspec
from gevent.pool import Pool
from gevent.queue import Empty, Queue

from harness.load import shards
from harness.load.fleet import Member
from harness.load.messages import Finished, Piece, Pull, Release, Shard
from harness.load.shards import Incoming, ShardError

_log = logging.getLogger(__name__)
PIECE_SECONDS = 20.0
"""How long the next piece may take; a worker that is silent for longer is not going to send it."""

Say = Callable[[Member, msgspec.Struct], None]


class Collector:
    """Verifies or fetches every shard, and marks its member as done. ``problems`` says what is not sound."""

    def __init__(self, run_id: str, folder: Path, say: Say, more: bool) -> None:
        self._run_id = run_id
        self._folder = folder
        self._say = say
        self._more = more
        self._pool: Any = Pool(shards.SENDERS)
        self._waiting: list[Any] = []
        self._pieces: dict[int, Any] = {}
        self.problems: list[str] = []

    def take(self, member: Member, finished: Finished) -> None:
        """Begin with a worker's shards, or line it up. Does not wait."""
        member.finished = True
        self._pieces[member.index] = Queue()
        self._waiting.append(gevent.spawn(self._in_turn, member, finished))

    def on_piece(self, piece: Piece) -> None:
        """Hand a piece to whoever waits for it."""
        if piece.worker in self._pieces:
            self._pieces[piece.worker].put(piece)

    def close(self) -> None:
        """Give up on what is still under way."""
        gevent.killall(self._waiting)
        self._pool.kill()

    def _in_turn(self, member: Member, finished: Finished) -> None:
        greenlet = self._pool.spawn(self._collect, member, finished)  # waits while SENDERS others send
        greenlet.join()

    def _collect(self, member: Member, finished: Finished) -> None:
        bring = self._check if finished.shared else self._fetch
        sound = [self._attempt(bring, member, shard) for shard in finished.shards]
        absent = shards.missing_names(finished.shards, member.index)
        self.problems += [f"{member.name}: {name} was not written" for name in absent]
        self._say(member, Release(self._run_id, all(sound) and not absent, self._more))
        member.done = True

    def _attempt(self, bring: Callable[[Member, Shard], None], member: Member, shard: Shard) -> bool:
        try:
            bring(member, shard)
        except (ShardError, OSError) as problem:
            _log.error("%s: %s %s", member.name, shard.name, problem)
            self.problems.append(f"{member.name}: {shard.name} {problem}")
            return False
        return True

    def _check(self, _member: Member, shard: Shard) -> None:
        gevent.get_hub().threadpool.apply(shards.verify, (self._folder, shard))

    def _fetch(self, member: Member, shard: Shard) -> None:
        incoming = Incoming(self._folder, shard)
        try:
            for index in range(min(shards.WINDOW, shards.pieces_of(shard))):
                self._pull(member, shard, index)
            while not incoming.whole:
                self._take_next(member, incoming)
            incoming.finish()
        except BaseException:
            incoming.give_up()
            raise

    def _take_next(self, member: Member, incoming: Incoming) -> None:
        shard = incoming.shard
        piece = self._next_piece(member, incoming)
        incoming.take(piece.index, piece.data)
        following = piece.index + shards.WINDOW
        if following < shards.pieces_of(shard):
            self._pull(member, shard, following)

    def _next_piece(self, member: Member, incoming: Incoming) -> Piece:
        try:
            piece: Piece = self._pieces[member.index].get(timeout=PIECE_SECONDS)
        except Empty:
            total = shards.pieces_of(incoming.shard)
            raise ShardError(f"stopped coming after {incoming.taken} of {total} pieces") from None
        return piece if piece.name == incoming.shard.name else self._next_piece(member, incoming)

    def _pull(self, member: Member, shard: Shard, index: int) -> None:
        self._say(member, Pull(self._run_id, shard.name, index))
