from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from target_server.engine.protocol import EngineFailed, EngineFull, PromptTooLong, Submission, TokenDelta
from target_server.engine.scripted import ScriptedEngine
from target_server.engine.timetable import ScriptedTimetable
from tests.target_server.engine.helpers import Diary, ask, read, text_of

Body = Callable[[ScriptedEngine], Awaitable[None]]


def play(line: str, body: Body, observer: Diary | None = None) -> None:
    async def main() -> None:
        engine = ScriptedEngine(ScriptedTimetable.parse(line), observer=observer)
        await engine.start()
        await body(engine)
        await engine.stop()

    asyncio.run(main())


def test_tokens_come_at_the_written_times() -> None:
    async def body(engine: ScriptedEngine) -> None:
        began = time.monotonic()
        async for delta in engine.submit(ask(max_tokens=3)):
            due = (0.1, 0.15, 0.2)[delta.completion_tokens - 1]
            assert due <= time.monotonic() - began < due + 1  # 1 s: this machine may be busy

    play("ttft=100ms,gap=50ms", body)


def test_a_lagging_reader_gets_all_that_is_due_in_one_delta() -> None:
    async def body(engine: ScriptedEngine) -> None:
        stream = engine.submit(ask(max_tokens=5))
        await asyncio.sleep(0.1)
        assert await read(stream) == [TokenDelta("the tide comes in and ", 5, "length", 2, 5)]

    play("ttft=1ms,gap=1ms", body)


def test_finish_reason_tells_whether_the_timetable_or_the_client_ended_it() -> None:
    async def body(engine: ScriptedEngine) -> None:
        assert (await read(engine.submit(ask(max_tokens=2))))[-1].finish_reason == "length"
        assert (await read(engine.submit(ask(max_tokens=9))))[-1].finish_reason == "stop"

    play("ttft=0s,gap=0s,tokens=3", body)


def test_prompts_are_counted_in_words_and_never_as_nothing() -> None:
    async def body(engine: ScriptedEngine) -> None:
        assert engine.submit(ask("a b  c")).prompt_tokens == 3
        assert engine.submit(ask("")).prompt_tokens == 1
        parts = ({"role": "user", "content": [{"type": "text", "text": "d e"}, {"type": "image_url"}]},)
        chat = Submission("c", None, ({"role": "system", "content": "a b"}, *parts), ask().params)
        assert engine.submit(chat).prompt_tokens == 4

    play("", body)


def test_beyond_slots_and_queue_a_request_is_refused_at_once() -> None:
    async def body(engine: ScriptedEngine) -> None:
        streams = [engine.submit(ask(max_tokens=2, request_id=str(i))) for i in range(3)]
        assert (engine.stats().running, engine.stats().waiting) == (2, 1)
        with pytest.raises(EngineFull) as full:
            engine.submit(ask(request_id="refused"))
        assert full.value.retry_after_seconds >= 1
        answers = await asyncio.gather(*map(read, streams))
        assert all(sum(delta.tokens for delta in answer) == 2 for answer in answers)
        stats = engine.stats()
        assert (stats.finished_total, stats.rejected_total, stats.decode_tokens_total) == (3, 1, 6)
        assert (stats.running, stats.waiting, stats.prefill_tokens_total) == (0, 0, 6)

    diary = Diary()
    play("ttft=20ms,gap=5ms,slots=2,queue=1", body, diary)
    assert diary.calls["refused"] == ["rejected"]


def test_a_waiting_request_counts_its_delay_from_its_slot() -> None:
    async def body(engine: ScriptedEngine) -> None:
        began = time.monotonic()
        await asyncio.gather(read(engine.submit(ask(max_tokens=1))), read(engine.submit(ask(max_tokens=1))))
        assert 0.1 <= time.monotonic() - began < 1.1

    play("ttft=50ms,slots=1", body)


def test_a_slot_is_freed_by_the_timetable_even_when_nobody_reads() -> None:
    async def body(engine: ScriptedEngine) -> None:
        unread = engine.submit(ask(max_tokens=1))
        while engine.stats().running:
            await asyncio.sleep(0.005)
        assert text_of(await read(unread)) == "the "

    play("ttft=5ms", body)


def test_cancelling_frees_the_slot_and_ends_the_reader() -> None:
    async def body(engine: ScriptedEngine) -> None:
        running, waiting = (
            engine.submit(ask(request_id="running")),
            engine.submit(ask(request_id="waiting")),
        )
        reading = asyncio.create_task(read(running))
        await asyncio.sleep(0.01)
        waiting.cancel()
        running.cancel()
        running.cancel()
        assert await reading == []
        assert engine.stats().running == engine.stats().waiting == 0
        assert engine.stats().cancelled_total == 2

    diary = Diary()
    play("ttft=10s,slots=1", body, diary)
    assert diary.endings == {"running": ("cancelled", 0), "waiting": ("cancelled", 0)}


def test_a_failing_request_fails_before_its_first_token() -> None:
    async def body(engine: ScriptedEngine) -> None:
        assert len(await read(engine.submit(ask(max_tokens=1)))) == 1
        with pytest.raises(EngineFailed):
            await read(engine.submit(ask(max_tokens=1)))
        assert engine.stats().failed_total == 1

    play("ttft=0s,fail_at=2", body)


def test_an_error_strikes_in_the_middle_of_the_stream() -> None:
    async def body(engine: ScriptedEngine) -> None:
        stream = engine.submit(ask(max_tokens=5))
        while (delta := await anext(stream)).completion_tokens < 2:
            assert delta.finish_reason is None
        with pytest.raises(EngineFailed):
            await anext(stream)

    play("ttft=1ms,gap=1ms,error=2", body)


def test_a_truncated_stream_ends_without_a_reason() -> None:
    async def body(engine: ScriptedEngine) -> None:
        deltas = await read(engine.submit(ask(max_tokens=5)))
        assert sum(delta.tokens for delta in deltas) == 3
        assert {delta.finish_reason for delta in deltas} == {None}

    play("ttft=1ms,gap=1ms,truncate=3", body)


def test_a_stall_holds_the_stream_for_its_time() -> None:
    async def body(engine: ScriptedEngine) -> None:
        began = time.monotonic()
        stream = engine.submit(ask(max_tokens=3))
        while (await anext(stream)).completion_tokens < 2:
            assert time.monotonic() - began < 0.2
        assert (await anext(stream)).completion_tokens == 3
        assert time.monotonic() - began >= 0.21

    play("ttft=1ms,gap=5ms,stall=2:200ms", body)


def test_stopping_fails_open_streams_and_refuses_new_ones() -> None:
    async def body(engine: ScriptedEngine) -> None:
        streams = [engine.submit(ask()), engine.submit(ask())]
        readers = [asyncio.create_task(read(stream)) for stream in streams]
        await asyncio.sleep(0)
        await engine.stop()
        for reader in readers:
            with pytest.raises(EngineFailed):
                await reader
        with pytest.raises(EngineFailed):
            engine.submit(ask())

    play("ttft=10s,slots=1", body)


def test_a_request_beyond_the_context_is_refused_with_its_numbers() -> None:
    async def body(engine: ScriptedEngine) -> None:
        with pytest.raises(PromptTooLong, match="maximum sequence length is 8 tokens, but 9 were requested"):
            engine.submit(ask("a b c", max_tokens=6))

    play("context=8", body)


def test_the_observer_hears_each_life_in_order() -> None:
    async def body(engine: ScriptedEngine) -> None:
        await read(engine.submit(ask("a b c", max_tokens=1)))

    diary = Diary()
    play("ttft=1ms", body, diary)
    assert diary.calls["r"] == ["queued", "started", "prefilled 3", "first_token", "finished"]
    assert diary.instants_ns["r"] == sorted(diary.instants_ns["r"])
    assert diary.endings["r"] == ("length", 1)


def test_two_thousand_streams_at_once_all_end_in_time() -> None:
    async def body(engine: ScriptedEngine) -> None:
        began = time.monotonic()
        streams = [engine.submit(ask(request_id=str(i), max_tokens=5)) for i in range(2000)]
        answers = await asyncio.gather(*map(read, streams))
        assert all(answer[-1].completion_tokens == 5 for answer in answers)
        assert time.monotonic() - began < 20

    play("ttft=50ms,gap=20ms,slots=2000", body)
