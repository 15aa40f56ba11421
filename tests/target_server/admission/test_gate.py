import asyncio

import pytest

from target_server.admission.gate import Refused, admit, whole_retry_seconds
from target_server.engine.protocol import PromptTooLong, SamplingParams, Submission
from target_server.engine.scripted import ScriptedEngine
from target_server.engine.timetable import ScriptedTimetable


def submission(name: str, max_tokens: int = 2) -> Submission:
    return Submission(name, "a prompt", None, SamplingParams(max_tokens=max_tokens))


@pytest.mark.parametrize(("estimate", "header"), [(0.0, 1), (0.2, 1), (1.0, 1), (1.01, 2), (7.5, 8)])
def test_retry_after_is_the_estimate_in_whole_seconds_rounded_up_and_never_zero(
    estimate: float, header: int
) -> None:
    assert whole_retry_seconds(estimate) == header


def test_one_slot_and_a_queue_of_one_take_two_requests_and_refuse_the_third() -> None:
    async def scenario() -> None:
        engine = ScriptedEngine(ScriptedTimetable(slots=1, queue_limit=1))
        await engine.start()
        first, second = (admit(engine, submission(name)) for name in ("first", "second"))
        with pytest.raises(Refused) as refused:
            admit(engine, submission("third"))
        assert refused.value.retry_after_seconds >= 1
        first.cancel()
        second.cancel()
        admit(engine, submission("fourth")).cancel()

    asyncio.run(scenario())


def test_a_request_that_can_never_fit_is_not_mistaken_for_a_full_queue() -> None:
    async def scenario() -> None:
        engine = ScriptedEngine(ScriptedTimetable(max_sequence_length=8))
        await engine.start()
        with pytest.raises(PromptTooLong):
            admit(engine, submission("long", max_tokens=7))

    asyncio.run(scenario())
