"""The torch engine as the API sees it: submissions in, tokens out, and the step loop on its own thread."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from target_server.engine.batcher import Batcher
from target_server.engine.kv_cache import SlotCache
from target_server.engine.ledger import Ledger
from target_server.engine.observer import NullObserver, Observer
from target_server.engine.protocol import (
    EngineFailed,
    EngineFull,
    EngineStats,
    PromptTooLong,
    SamplingParams,
    Submission,
)
from target_server.engine.scheduler import Batch, Scheduler
from target_server.engine.sequence import Sequence
from target_server.engine.stream import Outbox, TokenStream
from target_server.engine.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class TorchConfig:
    """How to run a model.

    ``model`` is a name that `fetch_model` knows, a local directory or a hub id. ``device`` and ``dtype`` are
    torch's names or ``auto``. ``threads`` None leaves one core to the event loop. A step computes at most
    ``prefill_tokens_per_step`` prompt tokens, so that long prompts do not hold up those that decode; None is
    64 on a CPU, which is saturated by that, and 1024 on a GPU.
    """

    model: str = "smollm2-135m"
    device: str = "auto"
    dtype: str = "auto"
    threads: int | None = None
    slots: int = 16
    queue_limit: int = 64
    max_sequence_length: int = 1024
    prefill_tokens_per_step: int | None = None


class LoadedModel(Protocol):
    """What loading yields: `target_server.engine.model.SlotModel`, or a stand-in that fails on demand."""

    cache: SlotCache
    tokenizer: Tokenizer
    end_tokens: frozenset[int]
    max_sequence_length: int

    def step(self, batch: Batch) -> torch.Tensor:
        """Compute one step; return logits (len(batch.choosing), vocabulary)."""
        ...


def load_model(config: TorchConfig) -> LoadedModel:
    """Fetch and load the model. Takes seconds, or minutes the first time."""
    from target_server.engine.fetch import fetch_model  # transformers takes two seconds to import
    from target_server.engine.model import SlotModel

    return SlotModel(
        fetch_model(config.model),
        device=config.device,
        dtype=config.dtype,
        slots=config.slots,
        max_sequence_length=config.max_sequence_length,
    )


class TorchEngine:
    """Continuous batching over a transformers model."""

    name = "torch"

    def __init__(
        self,
        config: TorchConfig | None = None,
        *,
        model_id: str | None = None,
        observer: Observer | None = None,
        load: Callable[[TorchConfig], LoadedModel] = load_model,
    ) -> None:
        self.config = config or TorchConfig()
        self.model_id = model_id or Path(self.config.model).name
        self.max_sequence_length = self.config.max_sequence_length
        self._load = load
        self._ledger = Ledger(observer or NullObserver())
        self._parts: _Parts | None = None
        self._thread: threading.Thread | None = None

    @property
    def ready(self) -> bool:
        """True from the end of ``start`` to the beginning of ``stop``."""
        return self._parts is not None

    async def start(self) -> None:
        """Load the model on the engine's thread, try one step, begin the loop. Raises what loading raised."""
        loop = asyncio.get_running_loop()
        loaded: asyncio.Future[_Parts] = loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(loop, loaded), name="engine", daemon=True)
        self._thread.start()
        parts = await loaded
        self.max_sequence_length = parts.model.max_sequence_length
        self._parts = parts

    async def stop(self) -> None:
        """End after the current step; open streams get `EngineFailed`."""
        if self._parts is None or self._thread is None:
            return
        parts, self._parts = self._parts, None
        parts.batcher.stop()
        await asyncio.to_thread(self._thread.join)
        for sequence in parts.scheduler.take_running() + parts.scheduler.take_waiting():
            sequence.stream.fail(EngineFailed("the engine was stopped"))
            self._ledger.ended(sequence.request_id, "failed", len(sequence.tokens))

    def submit(self, submission: Submission) -> TokenStream:
        """Tokenize and queue. Raises `EngineFull`, `PromptTooLong`, `EngineFailed` when not ready, and
        ValueError when the messages do not fit the model's chat template."""
        parts = self._parts
        if parts is None:
            raise EngineFailed("the engine is not ready")
        if parts.scheduler.full:
            self._ledger.rejected(submission.request_id)
            raise EngineFull(self._ledger.retry_after_seconds(parts.scheduler.waiting))
        prompt, max_tokens = parts.model.tokenizer.encode(submission), submission.params.max_tokens
        if len(prompt) + max_tokens > self.max_sequence_length:
            raise PromptTooLong(len(prompt), max_tokens, self.max_sequence_length)
        return self._enqueue(parts, submission, prompt)

    def stats(self) -> EngineStats:
        """Return counters and levels."""
        scheduler = self._parts.scheduler if self._parts else None
        running = list(scheduler.running) if scheduler else []
        return self._ledger.stats(
            running=len(running),
            waiting=scheduler.waiting if scheduler else 0,
            slots=self.config.slots,
            queue_limit=self.config.queue_limit,
            kv_used_share=sum(sequence.computed for sequence in running)
            / (self.config.slots * self.max_sequence_length),
        )

    def _enqueue(self, parts: _Parts, submission: Submission, prompt: list[int]) -> TokenStream:
        stream = TokenStream(submission.request_id, len(prompt), lambda: self._cancel(parts, sequence))
        sequence = Sequence(
            prompt, submission.params, stream, parts.model.tokenizer.decode, parts.model.end_tokens
        )
        self._ledger.queued(submission.request_id)
        parts.scheduler.add(sequence)
        parts.batcher.wake()
        return stream

    def _cancel(self, parts: _Parts, sequence: Sequence) -> None:
        if parts.scheduler.withdraw(sequence):
            self._ledger.ended(sequence.request_id, "cancelled", 0)
        else:
            parts.batcher.wake()  # it leaves its slot at the next step, if it has not yet

    def _run(self, loop: asyncio.AbstractEventLoop, loaded: asyncio.Future[_Parts]) -> None:
        """Live the engine's thread: load, then step."""
        try:
            parts = self._build(loop)
        except BaseException as error:  # whoever awaits the start gets it  # noqa: BLE001
            loop.call_soon_threadsafe(_answer, loaded, error)
            return
        loop.call_soon_threadsafe(_answer, loaded, parts)
        parts.batcher.run()

    def _build(self, loop: asyncio.AbstractEventLoop) -> _Parts:
        torch.set_num_threads(self.config.threads or _spare_cores())  # here: OpenMP keeps it per thread
        model = self._load(self.config)
        scheduler = Scheduler(
            model.cache,
            slots=self.config.slots,
            queue_limit=self.config.queue_limit,
            prefill_tokens_per_step=self.config.prefill_tokens_per_step or _prefill_tokens(model),
        )
        _try_step(model, scheduler)
        return _Parts(model, scheduler, Batcher(model, scheduler, Outbox(loop), self._ledger))


@dataclass(frozen=True, slots=True)
class _Parts:
    """What exists between start and stop."""

    model: LoadedModel
    scheduler: Scheduler
    batcher: Batcher


def _answer(loaded: asyncio.Future[_Parts], result: _Parts | BaseException) -> None:
    if isinstance(result, BaseException):
        if not loaded.cancelled():
            loaded.set_exception(result)
    elif loaded.cancelled():
        result.batcher.stop()
    else:
        loaded.set_result(result)


def _spare_cores() -> int:
    """Return all cores but one: threads that wait for one whose core is busy take ten times as long."""
    return max(1, min(torch.get_num_threads(), len(os.sched_getaffinity(0)) - 1))


def _prefill_tokens(model: LoadedModel) -> int:
    return 64 if model.cache.keys.device.type == "cpu" else 1024


def _try_step(model: LoadedModel, scheduler: Scheduler) -> None:
    """Raise now what no step could do, and let the first request find warm kernels."""
    stream = TokenStream("first step", 1, lambda: None)
    prompt = [0] * min(8, model.max_sequence_length - 1)
    scheduler.add(
        Sequence(prompt, SamplingParams(max_tokens=1), stream, model.tokenizer.decode, model.end_tokens)
    )
    batch = scheduler.next()
    if batch is not None:
        model.step(batch)
    scheduler.take_running()
