from __future__ import annotations

import asyncio
import threading

import pytest

from target_server.engine.protocol import EngineFailed, TokenDelta
from target_server.engine.stream import Outbox, TokenStream
from tests.target_server.engine.helpers import read


def delta(text: str, so_far: int, finish: str | None = None) -> TokenDelta:
    return TokenDelta(text, 1, finish, 3, so_far)  # type: ignore[arg-type]


def test_what_a_lagging_reader_missed_comes_as_one_delta() -> None:
    async def main() -> None:
        stream = TokenStream("r", 3, lambda: None)
        for so_far, letter in enumerate("abc", start=1):
            stream.push(delta(letter, so_far))
        assert await anext(stream) == TokenDelta("abc", 3, None, 3, 3)
        stream.push(delta("d", 4, "length"))
        assert await read(stream) == [TokenDelta("d", 1, "length", 3, 4)]

    asyncio.run(main())


def test_a_token_without_text_waits_for_the_next_one_with_text() -> None:
    async def main() -> None:
        stream = TokenStream("r", 3, lambda: None)
        reader = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        stream.push(delta("", 1))
        await asyncio.sleep(0.01)
        assert not reader.done()
        stream.push(delta("日", 2))
        assert await reader == TokenDelta("日", 2, None, 3, 2)

    asyncio.run(main())


def test_deltas_from_another_thread_wake_the_reader() -> None:
    async def main() -> None:
        stream, outbox = TokenStream("r", 3, lambda: None), Outbox(asyncio.get_running_loop())

        def engine() -> None:
            outbox.put(stream, delta("a", 1))
            outbox.put(stream, delta("b", 2, "stop"))
            outbox.send()

        thread = threading.Thread(target=engine)
        thread.start()
        assert await asyncio.wait_for(read(stream), 5) == [TokenDelta("ab", 2, "stop", 3, 2)]
        thread.join()

    asyncio.run(main())


def test_an_error_comes_after_what_was_made_before_it() -> None:
    async def main() -> None:
        stream = TokenStream("r", 3, lambda: None)
        stream.push(delta("a", 1))
        stream.fail(EngineFailed("gone"))
        assert (await anext(stream)).text == "a"
        with pytest.raises(EngineFailed):
            await anext(stream)
        assert await read(stream) == []

    asyncio.run(main())


def test_cancel_tells_the_engine_once_and_not_after_the_end() -> None:
    async def main() -> None:
        told: list[str] = []
        early = TokenStream("early", 3, lambda: told.append("early"))
        early.cancel()
        early.cancel()
        late = TokenStream("late", 3, lambda: told.append("late"))
        late.push(delta("a", 1, "stop"))
        late.cancel()
        assert told == ["early"]
        assert (early.cancelled, late.cancelled) == (True, False)
        assert await read(early) == await read(late) == []

    asyncio.run(main())
