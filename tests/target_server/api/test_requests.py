import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_server.api.errors import ApiError
from target_server.api.fields import NEUTRAL_VALUES, ChatRequest, CompletionRequest
from target_server.api.requests import DEFAULT_MAX_TOKENS, Read, read_chat, read_completion

MESSAGES = [{"role": "user", "content": "hello"}]


def chat(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": MESSAGES, **fields}).encode()


def completion(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "prompt": "hello", **fields}).encode()


def test_every_supported_field_reaches_the_sampling_parameters() -> None:
    ask = read_chat(
        chat(
            max_tokens=7, temperature=0.5, top_p=0.9, seed=3, stop=["a", "b"], ignore_eos=True, stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    params = ask.params
    assert (params.max_tokens, params.temperature, params.top_p, params.seed) == (7, 0.5, 0.9, 3)
    assert (params.stop, params.ignore_eos, ask.stream, ask.include_usage) == (("a", "b"), True, True, True)


def test_defaults_are_openais_and_null_means_the_default() -> None:
    for body in (chat(), chat(temperature=None, top_p=None, stop=None, max_tokens=None, stream=None)):
        ask = read_chat(body)
        assert (ask.params.temperature, ask.params.top_p, ask.params.stop) == (1.0, 1.0, ())
        assert (ask.params.max_tokens, ask.max_tokens_given, ask.stream) == (DEFAULT_MAX_TOKENS, False, False)


def test_max_completion_tokens_is_the_newer_name_and_wins() -> None:
    assert read_chat(chat(max_completion_tokens=3, max_tokens=9)).params.max_tokens == 3
    assert read_chat(chat(max_completion_tokens=3)).max_tokens_given


def test_content_of_text_parts_is_joined_and_developer_is_system() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    ask = read_chat(
        chat(messages=[{"role": "developer", "content": "be brief"}, {"role": "user", "content": parts}])
    )
    assert ask.messages == ({"role": "system", "content": "be brief"}, {"role": "user", "content": "one two"})
    assert ask.text == "be brief\none two"


def test_a_list_of_one_prompt_is_that_prompt() -> None:
    assert read_completion(completion(prompt=["x"])).prompt == "x"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": "7"}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"seed": 2**63}, "seed"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": ""}, "stop"),
        ({"stop": ["a", ""]}, "stop[1]"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"other": 1}}, "stream_options.other"),
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].type"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"top_k": 5}, "top_k"),
    ],
)
def test_what_is_wrong_is_refused_with_400_and_the_fields_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_chat(chat(**fields))
    assert (refused.value.status, refused.value.param, refused.value.outcome) == (400, param, "invalid")
    assert f"'{param}'" in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt[0]"),
        ({"best_of": 2}, "best_of"),
        ({"echo": True}, "echo"),
        ({"logprobs": 0}, "logprobs"),
        ({"messages": MESSAGES}, "messages"),
    ],
)
def test_completions_refuse_what_they_cannot_do(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_completion(completion(**fields))
    assert refused.value.param == param


def test_values_that_ask_for_nothing_are_accepted() -> None:
    for read, body, struct in (
        (read_chat, chat, ChatRequest),
        (read_completion, completion, CompletionRequest),
    ):
        for name, values in NEUTRAL_VALUES.items():
            if name in struct.__struct_fields__:
                for value in (None, *values):
                    assert read(body(**{name: value})).model == "m"


def test_every_neutral_value_belongs_to_a_field() -> None:
    known = {*ChatRequest.__struct_fields__, *CompletionRequest.__struct_fields__}
    assert set(NEUTRAL_VALUES) <= known


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nonsense", b'{"model": "\xff"}', b'{"model": NaN}', chat() + b"{}"]
)
def test_a_body_that_is_not_json_is_named_as_such(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        read_chat(body)
    assert (refused.value.status, refused.value.code, refused.value.param) == (400, "invalid_json", None)


def test_a_body_nested_beyond_reason_is_refused_like_any_other() -> None:
    with pytest.raises(ApiError, match="not valid JSON"):
        read_chat(b'{"tools": ' + b"[" * 200_000)


@pytest.mark.parametrize("body", [b"[]", b"7", b"null", b'"text"'])
def test_json_that_is_not_an_object_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError, match="'body'"):
        read_chat(body)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_fields = st.dictionaries(st.sampled_from(ChatRequest.__struct_fields__), _json, max_size=4)


@given(fields=_fields)
def test_no_json_at_all_makes_anything_but_a_request_or_a_400(fields: dict[str, Any]) -> None:
    for read, body in ((read_chat, chat), (read_completion, completion)):
        assert status(read, body(**fields)) in (200, 400)


def status(read: Read, body: bytes) -> int:
    try:
        read(body)
    except ApiError as refused:
        return refused.status
    return 200
