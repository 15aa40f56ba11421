"""A stream's chunks differ only in their text: recognize the next one without decoding its JSON."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

_TEXT_KEYS = (b'"content"', b'"text"', b'"reasoning_content"', b'"reasoning"')

STRUCTURAL = b'"\\\r\n'
"""Text that holds one of these may be more than text: it is decoded."""


class Template(NamedTuple):
    """What surrounds the text in an event: everything before its first and after its last character.

    An event with the same surroundings, and between them neither a quote nor a backslash nor a line end, is
    the same JSON with another non-empty string in that one place.
    """

    prefix: bytes
    suffix: bytes


def learn_template(data: bytes, content: str) -> Template | None:
    """Find the place of ``content`` in an event's ``data``; None where that place is not beyond doubt."""
    literal = msgspec.json.encode(content)
    at = data.find(literal)
    if at < 0 or data.find(literal, at + 1) >= 0:
        return None
    before = data[:at].rstrip()
    if not before.endswith(b":") or not before[:-1].rstrip().endswith(_TEXT_KEYS):
        return None
    end = at + len(literal)
    return Template(b"data: " + data[: at + 1], data[end - 1 :] + b"\n\n")
