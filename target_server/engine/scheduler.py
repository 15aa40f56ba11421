"""Who runs in the next step: a bounded first-in-first-out queue in front of a fixed number of slots.

Sequences join and leave between steps. ``running[i]`` owns cache slot i. Those that decode come first; at
most one, the last, is in the middle of its prompt, because a step's prefill budget is spent in order of
arrival.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from target_server.engine.sequence import Sequence


class SlotMover(Protocol):
    """The part of the cache that the scheduler needs."""

    def move(self, source: int, target: int, tokens: int) -> None:
        """Copy a sequence's first ``tokens`` positions to another slot."""
        ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """Positions ``start`` to ``end`` (excluded) of a prompt, to be computed into a slot."""

    sequence: Sequence
    slot: int
    start: int
    end: int

    @property
    def completes_prompt(self) -> bool:
        """True when the sequence's first token can be chosen after this chunk."""
        return self.end == len(self.sequence.prompt)


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's work: a token for each decoding sequence (slot = index), then chunks of prompts."""

    decoding: tuple[Sequence, ...]
    chunks: tuple[Chunk, ...]
    joined: tuple[Sequence, ...]

    @property
    def choosing(self) -> tuple[Sequence, ...]:
        """The sequences that get a token from this step, in the order of the step's logits."""
        return self.decoding + tuple(chunk.sequence for chunk in self.chunks if chunk.completes_prompt)

    @property
    def prefill_tokens(self) -> int:
        """Prompt tokens that this step computes."""
        return sum(chunk.end - chunk.start for chunk in self.chunks)

    def __len__(self) -> int:
        return len(self.decoding) + len(self.chunks)


class Scheduler:
    """Queue and slots. ``add`` and ``withdraw`` belong to the event loop, the rest to the engine's thread."""

    def __init__(
        self, cache: SlotMover, *, slots: int, queue_limit: int, prefill_tokens_per_step: int
    ) -> None:
        self.slots = slots
        self.queue_limit = queue_limit
        self.running: list[Sequence] = []
        self._cache = cache
        self._prefill_tokens_per_step = prefill_tokens_per_step
        self._waiting: deque[Sequence] = deque()
        self._lock = threading.Lock()  # `full` must count a sequence that is joining once

    @property
    def waiting(self) -> int:
        """Sequences without a slot."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """True when slots and queue are taken."""
        with self._lock:
            return len(self._waiting) + len(self.running) >= self.slots + self.queue_limit

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence. The caller has looked at `full`, and only the caller's thread adds."""
        with self._lock:
            self._waiting.append(sequence)

    def withdraw(self, sequence: Sequence) -> bool:
        """Take a sequence out of the queue; False when it already has a slot or has left."""
        with self._lock:
            if sequence not in self._waiting:
                return False
            self._waiting.remove(sequence)
            return True

    def next(self) -> Batch | None:
        """Return the next step's work, or None when there is nothing to do."""
        joined: list[Sequence] = []
        decoding = tuple(sequence for sequence in self.running if not sequence.prefilling)
        chunks = tuple(self._chunks(joined))
        return Batch(decoding, chunks, tuple(joined)) if decoding or chunks else None

    def release(self, sequence: Sequence) -> None:
        """Free a slot and fill the hole from behind, keeping the prefilling sequence the last."""
        hole = self.running.index(sequence)
        for source in self._fillers(hole):
            mover = self.running[source]
            self._cache.move(source, hole, mover.computed)
            self.running[hole] = mover
            hole = source
        self.running.pop()

    def take_running(self) -> list[Sequence]:
        """Empty the slots."""
        with self._lock:
            taken = list(self.running)
            self.running.clear()
            return taken

    def take_waiting(self) -> list[Sequence]:
        """Empty the queue."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
            return taken

    def _chunks(self, joined: list[Sequence]) -> Iterator[Chunk]:
        budget = self._prefill_tokens_per_step
        for sequence in self._prompts(joined):
            end = min(sequence.computed + budget, len(sequence.prompt))
            budget -= end - sequence.computed
            yield Chunk(sequence, self.running.index(sequence), sequence.computed, end)
            if budget == 0:
                return

    def _prompts(self, joined: list[Sequence]) -> Iterator[Sequence]:
        """Yield the half-computed prompt, then those of the queue as long as slots are free."""
        if self.running and self.running[-1].prefilling:
            yield self.running[-1]
        while len(self.running) < self.slots and (sequence := self._join()) is not None:
            joined.append(sequence)
            yield sequence

    def _join(self) -> Sequence | None:
        with self._lock:
            if not self._waiting:
                return None
            self.running.append(self._waiting.popleft())
            return self.running[-1]

    def _fillers(self, hole: int) -> list[int]:
        last = len(self.running) - 1
        movers = [last - 1, last] if self.running[last].prefilling else [last]
        return [slot for slot in movers if slot > hole]
