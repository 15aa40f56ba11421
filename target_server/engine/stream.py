"""Step 7: tokens on their way from the engine's thread to the reader on the event loop.

The engine wakes the loop once a step, whatever the number of streams. A reader that lags finds one delta that
holds all it missed, so that a stream never holds more than one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from target_server.engine.protocol import EngineFailed, TokenDelta


class TokenStream:
    """One answer. Everything but ``cancelled`` belongs to the event loop."""

    def __init__(self, request_id: str, prompt_tokens: int, on_cancel: Callable[[], None]) -> None:
        self.request_id = request_id
        self.prompt_tokens = prompt_tokens
        self.cancelled = False
        self._on_cancel = on_cancel
        self._pending: TokenDelta | None = None
        self._error: EngineFailed | None = None
        self._over = False
        self._wake: asyncio.Future[None] | None = None

    def __aiter__(self) -> TokenStream:
        return self

    async def __anext__(self) -> TokenDelta:
        while not self._over:
            if self._pending is not None and _worth_reading(self._pending):
                return self._take(self._pending)
            if self._error is not None:
                self._over = True
                raise self._error
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        raise StopAsyncIteration

    def cancel(self) -> None:
        """Give the slot back at the engine's next step."""
        if self._over or self._error is not None:
            return
        self._over = True
        if self._pending is None or self._pending.finish_reason is None:
            self.cancelled = True
            self._on_cancel()
        self._wake_reader()

    def push(self, delta: TokenDelta) -> None:
        """Add what the engine made."""
        self._pending = delta if self._pending is None else _merged(self._pending, delta)
        if _worth_reading(self._pending):
            self._wake_reader()

    def fail(self, error: EngineFailed) -> None:
        """End with an error, after what is still to be read."""
        self._error = error
        self._wake_reader()

    def _take(self, delta: TokenDelta) -> TokenDelta:
        self._pending = None
        self._over = delta.finish_reason is not None
        return delta

    def _wake_reader(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


def _worth_reading(delta: TokenDelta) -> bool:
    """Tell whether the reader would see anything: a token without text waits for the next one with text."""
    return bool(delta.text) or delta.finish_reason is not None


def _merged(earlier: TokenDelta, later: TokenDelta) -> TokenDelta:
    return TokenDelta(
        text=earlier.text + later.text,
        tokens=earlier.tokens + later.tokens,
        finish_reason=later.finish_reason,
        prompt_tokens=later.prompt_tokens,
        completion_tokens=later.completion_tokens,
        cached_tokens=later.cached_tokens,
    )


Letter = TokenDelta | EngineFailed


class Outbox:
    """Collects what one step made and hands it to the event loop in one call."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._letters: list[tuple[TokenStream, Letter]] = []

    def put(self, stream: TokenStream, letter: Letter) -> None:
        """Add a delta, or the error that ends the stream."""
        self._letters.append((stream, letter))

    def send(self) -> None:
        """Deliver everything on the event loop. Called on the engine's thread."""
        if self._letters:
            letters, self._letters = self._letters, []
            self._loop.call_soon_threadsafe(_deliver, letters)


def _deliver(letters: list[tuple[TokenStream, Letter]]) -> None:
    for stream, letter in letters:
        if isinstance(letter, EngineFailed):
            stream.fail(letter)
        else:
            stream.push(letter)
