import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from target_server.api.answers import Answer
from target_server.api.shapes import CHAT, COMPLETION, Shape
from target_server.engine.protocol import TokenDelta

LAST = TokenDelta("", 1, "length", prompt_tokens=5, completion_tokens=3, cached_tokens=2)
USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 3,
    "total_tokens": 8,
    "prompt_tokens_details": {"cached_tokens": 2},
}


def answer(shape: Shape, *, include_usage: bool = False) -> Answer:
    return Answer(shape, "an-id", "a-model", include_usage=include_usage)


def events(encoded: bytes) -> list[Any]:
    parts = encoded.split(b"\n\n")
    assert parts.pop() == b""
    return [part if part == b"data: [DONE]" else json.loads(part.removeprefix(b"data: ")) for part in parts]


@given(text=st.text(min_size=1))
def test_a_prepared_chunk_is_what_encoding_it_whole_would_give(text: str) -> None:
    (chunk,) = events(answer(CHAT).chunk(text))
    created = chunk.pop("created")
    assert isinstance(created, int)
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    assert chunk == {
        "id": "an-id",
        "model": "a-model",
        "object": "chat.completion.chunk",
        "choices": [choice],
    }
    (chunk,) = events(answer(COMPLETION).chunk(text))
    assert chunk["choices"] == [{"index": 0, "text": text, "logprobs": None, "finish_reason": None}]


def test_an_event_never_holds_a_line_end_inside() -> None:
    assert answer(CHAT).chunk("a\nb\r\n\u2028").count(b"\n") == 2


def test_no_text_makes_no_event() -> None:
    assert answer(CHAT).chunk("") == b""


def test_a_chat_opens_with_its_role_and_a_completion_with_nothing() -> None:
    (first,) = events(answer(CHAT).opening())
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert answer(COMPLETION).opening() == b""


@pytest.mark.parametrize("shape", [CHAT, COMPLETION])
def test_a_stream_ends_with_its_reason_then_usage_if_asked_then_done(shape: Shape) -> None:
    reason, done = events(answer(shape).ending(LAST))
    assert (reason["choices"][0]["finish_reason"], done) == ("length", b"data: [DONE]")
    reason, usage, done = events(answer(shape, include_usage=True).ending(LAST))
    assert (usage["choices"], usage["usage"], done) == ([], USAGE, b"data: [DONE]")


def test_whole_answers_are_valid_for_the_official_clients_types() -> None:
    chat = ChatCompletion.model_validate_json(answer(CHAT).whole("hi", LAST), strict=True)
    assert (chat.choices[0].message.content, chat.choices[0].finish_reason) == ("hi", "length")
    completion = Completion.model_validate_json(answer(COMPLETION).whole("hi", LAST), strict=True)
    assert completion.choices[0].text == "hi"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 8


def test_chunks_are_valid_for_the_official_clients_types() -> None:
    chat = answer(CHAT, include_usage=True)
    for event in events(chat.opening() + chat.chunk("x") + chat.ending(LAST))[:-1]:
        ChatCompletionChunk.model_validate(event, strict=True)
