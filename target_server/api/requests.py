"""From the bytes of a body to a submission for the engine, or to a 400 that names what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from target_server.api.errors import ApiError, invalid
from target_server.api.fields import NEUTRAL_VALUES, ChatRequest, CompletionRequest, Generation, Message
from target_server.engine.protocol import SamplingParams

DEFAULT_MAX_TOKENS = 256
_Request = TypeVar("_Request", bound=Generation)
_DEFAULT_TEMPERATURE = 1.0
# msgspec's sentences: "Expected `int`, got `str` - at `$.max_tokens`"
_WHERE = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_NAMED_FIELD = re.compile(r"Object (?:contains unknown|missing required) field `(?P<field>[^`]*)`")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that was understood. ``max_tokens_given`` tells the default from a wish.

    Exactly one of ``prompt`` and ``messages`` is given; ``text`` is all that the client wrote.
    """

    model: str
    prompt: str | None
    messages: tuple[dict[str, str], ...] | None
    params: SamplingParams
    max_tokens_given: bool
    stream: bool
    include_usage: bool

    @property
    def text_field(self) -> str:
        """Return the name of the field that holds what the client wrote."""
        return "prompt" if self.messages is None else "messages"

    @property
    def text(self) -> str:
        """Return the prompt, or the messages' contents one under the other."""
        if self.messages is None:
            return self.prompt or ""
        return "\n".join(message["content"] for message in self.messages)


Read = Callable[[bytes], Ask]


def read_chat(body: bytes) -> Ask:
    """Read the body of a chat request. Raises `ApiError`."""
    request = _decode(_chat_decoder, body)
    messages = tuple(map(_plain_message, request.messages))
    return _ask(request, None, messages, request.max_completion_tokens or request.max_tokens)


def read_completion(body: bytes) -> Ask:
    """Read the body of a completion request. Raises `ApiError`."""
    request = _decode(_completion_decoder, body)
    prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[0]
    return _ask(request, prompt, None, request.max_tokens)


_chat_decoder = msgspec.json.Decoder(ChatRequest)
_completion_decoder = msgspec.json.Decoder(CompletionRequest)


def _decode(decoder: msgspec.json.Decoder[_Request], body: bytes) -> _Request:
    try:
        request = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"The body is not valid JSON: {error}.", code="invalid_json") from error
    _refuse_unsupported(request)
    return request


def _refusal(complaint: str) -> ApiError:
    """Turn msgspec's sentence into one that starts with the field, and take the field out of it."""
    match = _WHERE.fullmatch(complaint)
    what, path = (match["what"], match["path"] or "") if match else (complaint, "")
    if named := _NAMED_FIELD.match(what):
        param = f"{path}.{named['field']}" if path else named["field"]
        if "missing" in what:
            return invalid(f"'{param}' is required.", param, "missing_parameter")
        return invalid(f"'{param}' is not a parameter of this server.", param, "unknown_parameter")
    return invalid(f"'{path or 'body'}': {what}.", path or None, "invalid_value")


def _refuse_unsupported(request: Generation) -> None:
    for name, neutral in NEUTRAL_VALUES.items():
        value = getattr(request, name, None)
        if value is not None and not any(_same(value, allowed) for allowed in neutral):
            raise invalid(f"'{name}' is not supported by this server.", name, "unsupported_parameter")
    if request.stream_options is not None and not request.stream:
        raise invalid(
            "'stream_options' is only allowed with 'stream': true.", "stream_options", "invalid_value"
        )


def _same(value: Any, allowed: Any) -> bool:
    """Compare with the type: 0 asks for log probabilities, False does not."""
    return type(value) is type(allowed) and bool(value == allowed)


def _plain_message(message: Message) -> dict[str, str]:
    role = "system" if message.role == "developer" else message.role
    if isinstance(message.content, str):
        return {"role": role, "content": message.content}
    return {"role": role, "content": "".join(part.text for part in message.content)}


def _ask(
    request: Generation,
    prompt: str | None,
    messages: tuple[dict[str, str], ...] | None,
    max_tokens: int | None,
) -> Ask:
    options = request.stream_options
    return Ask(
        model=request.model,
        prompt=prompt,
        messages=messages,
        params=_sampling(request, max_tokens or DEFAULT_MAX_TOKENS),
        max_tokens_given=max_tokens is not None,
        stream=bool(request.stream),
        include_usage=options is not None and bool(options.include_usage),
    )


def _sampling(request: Generation, max_tokens: int) -> SamplingParams:
    stop = request.stop
    return SamplingParams(
        max_tokens=max_tokens,
        temperature=_DEFAULT_TEMPERATURE if request.temperature is None else request.temperature,
        top_p=1.0 if request.top_p is None else request.top_p,
        seed=request.seed,
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        ignore_eos=bool(request.ignore_eos),
    )
