"""In what chat and completions differ on the wire, as data: everything else about them is the same code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from target_server.api.requests import Read, read_chat, read_completion
from target_server.telemetry.exchange import Operation


@dataclass(frozen=True, slots=True)
class Shape:
    """One of the two generation endpoints.

    ``text_opening`` and ``text_closing`` stand around a chunk's text; ``role`` is the content of the first
    chunk and ``nothing`` that of the last; ``whole`` makes a choice's content of the complete text.
    """

    route: str
    operation: Operation
    id_prefix: str
    read: Read
    whole_object: str
    chunk_object: str
    text_opening: bytes
    text_closing: bytes
    role: dict[str, Any]
    nothing: dict[str, Any]
    whole: Callable[[str], dict[str, Any]]


CHAT = Shape(
    route="/v1/chat/completions",
    operation="chat",
    id_prefix="chatcmpl-",
    read=read_chat,
    whole_object="chat.completion",
    chunk_object="chat.completion.chunk",
    text_opening=b'"delta":{"content":',
    text_closing=b"}",
    role={"delta": {"role": "assistant", "content": ""}},
    nothing={"delta": {}},
    whole=lambda text: {"message": {"role": "assistant", "content": text}},
)

COMPLETION = Shape(
    route="/v1/completions",
    operation="text_completion",
    id_prefix="cmpl-",
    read=read_completion,
    whole_object="text_completion",
    chunk_object="text_completion",
    text_opening=b'"text":',
    text_closing=b"",
    role={},
    nothing={"text": ""},
    whole=lambda text: {"text": text},
)
