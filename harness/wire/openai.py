"""OpenAI's answers as typed values: stream chunks and whole answers, chat and completions."""

from __future__ import annotations

from typing import Any

import msgspec

_MAX_ERROR_TYPE = 80


class ProtocolError(ValueError):
    """The bytes are not the protocol's JSON."""


class Message(msgspec.Struct, gc=False):
    """A delta of a stream or the message of a whole answer. Servers name the reasoning either way."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class Choice(msgspec.Struct, gc=False):
    """One choice; ``text`` is completions', ``delta`` and ``message`` are chat's."""

    delta: Message | None = None
    message: Message | None = None
    text: str | None = None
    finish_reason: str | None = None

    @property
    def content(self) -> str:
        """Return the choice's text, reasoning included: it is output that the user waits for."""
        said = self.delta or self.message
        if said is None:
            return self.text or ""
        return (said.reasoning_content or said.reasoning or "") + (said.content or "")


class PromptDetails(msgspec.Struct, gc=False):
    """How much of the prompt came out of the server's cache, in tokens."""

    cached_tokens: int | None = None


class Usage(msgspec.Struct, gc=False):
    """The server's own token counts."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None


class Answer(msgspec.Struct):
    """One stream chunk, or one whole answer: they differ only in which fields are set."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Any = None

    @property
    def content(self) -> str:
        """Return the text of all choices."""
        return "".join(choice.content for choice in self.choices or ())

    @property
    def finish_reason(self) -> str | None:
        """Return the first finish reason among the choices."""
        return next((c.finish_reason for c in self.choices or () if c.finish_reason), None)


_decode = msgspec.json.Decoder(Answer).decode


def decode_answer(data: bytes) -> Answer:
    """Decode one chunk or one whole answer. Raises ProtocolError."""
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(str(error)) from None


def error_type(error: object) -> str:
    """Return a short name of an error object: its type, else its code, else what it says."""
    if isinstance(error, dict):
        error = error.get("type") or error.get("code") or error.get("message") or "error"
    return str(error)[:_MAX_ERROR_TYPE]


def error_type_of_body(body: bytes) -> str | None:
    """Return the error's name from an error answer's body, or None where the body has none."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    error = found.get("error") or (found if "type" in found else None)
    return None if error is None else error_type(error)
