"""Prompts from a file: JSON lines of ``{"prompt": …}`` or ``{"messages": […]}``, may have ``max_tokens``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import Mistake, UsageError

_ALLOWED = (
    'a JSON object with either "prompt" (a text) or "messages" (a list of objects with role and content), '
    'and optionally "max_tokens" (a whole number from 1)'
)


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    prompt: str | None = None
    messages: list[dict[str, Any]] | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """One line of the file. Exactly one of ``text`` and ``messages`` is set."""

    text: str | None
    messages: tuple[dict[str, Any], ...] | None
    max_tokens: int | None

    def content(self) -> str:
        """Return all text of the prompt, messages joined by line breaks."""
        if self.messages is None:
            return self.text or ""
        return "\n".join(str(message["content"]) for message in self.messages)


def read_prompts(file: Path) -> tuple[Prompt, ...]:
    """Read a prompts file. Raises UsageError with every line that is not a prompt."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        mistake = Mistake(file, None, "the file", str(reason).lower(), "a readable file of prompts")
        raise UsageError(f"{file} cannot be read", (mistake,)) from None
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    prompts = [_prompt(line) for _, line in numbered]
    wrong = [
        Mistake(file, number, "the line", line[:80], _ALLOWED)
        for (number, line), prompt in zip(numbered, prompts, strict=True)
        if prompt is None
    ]
    if not prompts:
        wrong = [Mistake(file, None, "the file", "no prompts", "at least one prompt")]
    if wrong:
        raise UsageError(f"{file} is not a prompts file", tuple(wrong))
    return tuple(prompt for prompt in prompts if prompt is not None)


_DECODER = msgspec.json.Decoder(_Line)


def _prompt(line: str) -> Prompt | None:
    """Return the prompt, or None when the line is not one."""
    try:
        parsed = _DECODER.decode(line)
    except msgspec.MsgspecError:
        return None
    if (parsed.prompt is None) == (parsed.messages is None):
        return None
    if parsed.max_tokens is not None and parsed.max_tokens < 1:
        return None
    if parsed.messages is None:
        return Prompt(parsed.prompt, None, parsed.max_tokens)
    if not parsed.messages or any(not {"role", "content"} <= set(message) for message in parsed.messages):
        return None
    return Prompt(None, tuple(parsed.messages), parsed.max_tokens)
