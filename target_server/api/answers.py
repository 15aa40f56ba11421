"""Encode answers. A chunk is two prepared pieces around one JSON string: nothing else changes in it.

Encoding a chunk as a whole costs four times as much, and a server sends many thousands a second.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from target_server.api.shapes import Shape
from target_server.engine.protocol import FinishReason, TokenDelta

DONE = b"data: [DONE]\n\n"
_CHUNK_END = b',"logprobs":null,"finish_reason":null}]}\n\n'
_encode = msgspec.json.encode


class Answer:
    """The encodings of one request's answer, which begins now."""

    __slots__ = ("_before_text", "_created", "_include_usage", "_model", "_request_id", "_shape")

    def __init__(self, shape: Shape, request_id: str, model: str, *, include_usage: bool) -> None:
        self._shape = shape
        self._include_usage = include_usage
        self._request_id = request_id
        self._model = model
        self._created = int(time.time())
        self._before_text = b"data: " + self._head() + b',"choices":[{"index":0,' + shape.text_opening

    def opening(self) -> bytes:
        """Return what precedes the first token: for chat, the chunk that names the role."""
        return self._choice_event(self._shape.role, None) if self._shape.role else b""

    def chunk(self, text: str) -> bytes:
        """Return the event for some text; no text makes no event."""
        return self._before_text + _encode(text) + self._shape.text_closing + _CHUNK_END if text else b""

    def ending(self, last: TokenDelta) -> bytes:
        """Return the events that end a stream: why it ended, the token counts when asked for, ``[DONE]``."""
        usage = self._usage_event(last) if self._include_usage else b""
        return self._choice_event(self._shape.nothing, last.finish_reason) + usage + DONE

    def whole(self, text: str, last: TokenDelta) -> bytes:
        """Return the document that answers a request without streaming."""
        choice = _choice(self._shape.whole(text), last.finish_reason)
        document = {**self._facts(), "object": self._shape.whole_object, "choices": [choice]}
        return _encode({**document, "usage": _usage(last)})

    def _facts(self) -> dict[str, Any]:
        return {"id": self._request_id, "created": self._created, "model": self._model}

    def _head(self) -> bytes:
        """Encode what every chunk begins with; made anew where it is rare, since a stream may last hours."""
        return _opened({**self._facts(), "object": self._shape.chunk_object})

    def _usage_event(self, last: TokenDelta) -> bytes:
        return b"data: " + self._head() + b',"choices":[],"usage":' + _encode(_usage(last)) + b"}\n\n"

    def _choice_event(self, content: dict[str, Any], finish_reason: FinishReason | None) -> bytes:
        choice = _encode(_choice(content, finish_reason))
        return b"data: " + self._head() + b',"choices":[' + choice + b"]}\n\n"


def _choice(content: dict[str, Any], finish_reason: FinishReason | None) -> dict[str, Any]:
    return {"index": 0, **content, "logprobs": None, "finish_reason": finish_reason}


def _opened(document: dict[str, Any]) -> bytes:
    """Encode an object without its closing brace."""
    return _encode(document)[:-1]


def _usage(last: TokenDelta) -> dict[str, Any]:
    return {
        "prompt_tokens": last.prompt_tokens,
        "completion_tokens": last.completion_tokens,
        "total_tokens": last.prompt_tokens + last.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": last.cached_tokens},
    }
