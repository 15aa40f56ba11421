"""Continuous batching on one screen: what runs next, one step of the model, who gets a token, who leaves."""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

import torch

from target_server.engine.ledger import Ledger
from target_server.engine.observer import EndReason
from target_server.engine.protocol import EngineFailed
from target_server.engine.sampler import choose
from target_server.engine.scheduler import Batch, Scheduler
from target_server.engine.sequence import Sequence
from target_server.engine.stream import Outbox

_log = logging.getLogger(__name__)


class Model(Protocol):
    """The part of the model that the loop needs."""

    def step(self, batch: Batch) -> torch.Tensor:
        """Compute one step; return logits (len(batch.choosing), vocabulary)."""
        ...


class Batcher:
    """The step loop. It runs on the engine's thread and is the only one that touches the slots."""

    def __init__(self, model: Model, scheduler: Scheduler, outbox: Outbox, ledger: Ledger) -> None:
        self._model = model
        self._scheduler = scheduler
        self._outbox = outbox
        self._ledger = ledger
        self._work = threading.Event()
        self._stopping = False

    def run(self) -> None:
        """Step as long as there is work, sleep when there is none, return after `stop`."""
        while True:
            self._work.clear()  # before looking: what arrives after the look sets it again
            if self._stopping:
                return
            if not self.step():
                self._work.wait()

    def wake(self) -> None:
        """Say that there is work. Any thread."""
        self._work.set()

    def stop(self) -> None:
        """Let `run` return after the current step. Any thread."""
        self._stopping = True
        self._work.set()

    def step(self) -> bool:
        """Serve everyone in the slots once; False when there is nothing to do."""
        began, served = time.perf_counter(), 0
        try:
            self._release_cancelled()
            batch = self._scheduler.next()
            if batch is None:
                return False
            served = len(batch)
            self._book_start(batch)
            tokens = choose(self._model.step(batch), batch.choosing)
            self._retire(batch, tokens)
        except Exception as error:  # whatever it was, others are waiting  # noqa: BLE001
            self._fail_running(error)
        self._ledger.stepped(served, time.perf_counter() - began)
        self._outbox.send()  # last: whoever has read an answer's end finds it in the counters
        return True

    def _retire(self, batch: Batch, tokens: list[int]) -> None:
        """Give each sequence its token, and take those that are finished out of their slots."""
        choosing = batch.choosing
        _advance(batch)
        self._ledger.computed(prefill_tokens=batch.prefill_tokens, decode_tokens=len(tokens))
        for sequence, token in zip(choosing, tokens, strict=True):
            delta = sequence.append(token)
            self._outbox.put(sequence.stream, delta)
            if delta.completion_tokens == 1:
                self._ledger.first_token(sequence.request_id, delta.prompt_tokens)
            if delta.finish_reason:
                self._release(sequence, delta.finish_reason)

    def _release_cancelled(self) -> None:
        for sequence in [sequence for sequence in self._scheduler.running if sequence.cancelled]:
            self._release(sequence, "cancelled")

    def _release(self, sequence: Sequence, reason: EndReason) -> None:
        self._scheduler.release(sequence)
        self._ledger.ended(sequence.request_id, reason, len(sequence.tokens))

    def _fail_running(self, error: Exception) -> None:
        """End everyone whose keys and values the failed step may have spoiled; the queue is untouched."""
        _log.error("engine step failed", exc_info=error)
        self._ledger.step_failed()
        for sequence in self._scheduler.take_running():
            self._outbox.put(sequence.stream, EngineFailed(f"engine step failed: {error}"))
            self._ledger.ended(sequence.request_id, "failed", len(sequence.tokens))

    def _book_start(self, batch: Batch) -> None:
        for sequence in batch.joined:
            self._ledger.started(sequence.request_id)


def _advance(batch: Batch) -> None:
    """Count what the step has put into the cache."""
    for sequence in batch.decoding:
        sequence.computed += 1
    for chunk in batch.chunks:
        chunk.sequence.computed = chunk.end
