from collections.abc import Iterator

import openai
import pytest

from tests.target_server.running import ThreadTarget, thread_target

HELLO = [{"role": "user", "content": "hello there you"}]
THREE_WORDS = "the tide comes "


@pytest.fixture(scope="module")
def target() -> Iterator[ThreadTarget]:
    with thread_target("ttft=5ms,gap=1ms", max_sequence_length=64) as running:
        yield running


@pytest.fixture
def client(target: ThreadTarget) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{target.url}/v1", api_key="none", max_retries=0, timeout=10) as made:
        yield made


def test_chat_answers_whole(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="scripted", messages=HELLO, max_tokens=3)
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content, choice.finish_reason) == (
        "assistant",
        THREE_WORDS,
        "length",
    )
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
        3,
        3,
        6,
    )


def test_chat_streams_word_by_word_and_ends_with_usage(client: openai.OpenAI) -> None:
    options = {"include_usage": True}
    stream = client.chat.completions.create(
        model="scripted", messages=HELLO, max_completion_tokens=3, stream=True, stream_options=options
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == THREE_WORDS
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].usage is not None
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens) == ([], 3)
    assert len({c.id for c in chunks}) == 1


def test_completions_answer_whole_and_streamed(client: openai.OpenAI) -> None:
    whole = client.completions.create(model="scripted", prompt="one two", max_tokens=3)
    assert (whole.choices[0].text, whole.choices[0].finish_reason) == (THREE_WORDS, "length")
    stream = client.completions.create(model="scripted", prompt="one two", max_tokens=3, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == THREE_WORDS


def test_a_default_answer_length_becomes_what_the_prompt_leaves(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="scripted", messages=HELLO)
    assert answer.usage is not None
    assert (answer.usage.total_tokens, answer.choices[0].finish_reason) == (64, "length")


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["scripted"]
    assert client.models.retrieve("scripted").owned_by == "tidegate"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("another")


def test_errors_arrive_as_the_clients_own_exceptions(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="scripted", messages=HELLO, n=2)
    assert wrong.value.param == "n"
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="another", messages=HELLO)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(model="scripted", messages=HELLO, max_tokens=62)
    assert (long.value.code, long.value.param) == ("context_length_exceeded", "messages")


def test_an_engine_failure_before_the_first_token_is_a_500_and_after_it_an_error_event() -> None:
    with thread_target("ttft=5ms,gap=1ms,error=2") as target:
        client = openai.OpenAI(base_url=f"{target.url}/v1", api_key="none", max_retries=0)
        stream = client.chat.completions.create(model="scripted", messages=HELLO, max_tokens=4, stream=True)
        with pytest.raises(openai.APIError, match="engine failed"):
            list(stream)
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(model="scripted", messages=HELLO, max_tokens=4)
