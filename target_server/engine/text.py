"""From tokens to text, a token at a time: whole characters only, and nothing of a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_UNFINISHED = "\ufffd"
_LONGEST_UNFINISHED = 3  # bytes of a four-byte character whose last one is still to come
_CONTEXT_TOKENS = 4
_WINDOW_TOKENS = 12

Decode = Callable[[Sequence[int]], str]


class Detokenizer:
    """Text of a growing list of tokens.

    Tokens cut characters anywhere, and some decoders treat the first token differently, so tokens are always
    decoded behind a few of their predecessors, and what may still become a character is held back.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._window: list[int] = []
        self._sent_characters = 0

    def push(self, token: int) -> str:
        """Add a token; return the text that has become certain by it."""
        self._window.append(token)
        text = self._decode(self._window)
        certain = _certain(text)
        new = certain[self._sent_characters :]
        self._sent_characters = max(self._sent_characters, len(certain))
        if len(self._window) >= _WINDOW_TOKENS and certain == text:
            self._window = self._window[-_CONTEXT_TOKENS:]
            self._sent_characters = len(self._decode(self._window))
        return new


def _certain(text: str) -> str:
    """Return the text without a tail that further bytes may turn into a character."""
    kept = len(text)
    while kept and len(text) - kept < _LONGEST_UNFINISHED and text[kept - 1] == _UNFINISHED:
        kept -= 1
    return text[:kept]


class StopStrings:
    """Let text through up to the first stop string, which may be spread over any number of pieces."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(filter(None, stops))
        self._held = ""

    def push(self, text: str) -> tuple[str, bool]:
        """Return what may be sent now, and whether a stop string was completed."""
        if not self._stops:
            return text, False
        text = self._held + text
        cut = self._first_stop(text)
        if cut is not None:
            self._held = ""
            return text[:cut], True
        certain = len(text) - self._possible_beginning(text)
        self._held = text[certain:]
        return text[:certain], False

    def flush(self) -> str:
        """Return the text that was held back, because no more will come."""
        held, self._held = self._held, ""
        return held

    def _first_stop(self, text: str) -> int | None:
        """Return where the stop string begins that ends first: how the text was cut makes no difference."""
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        return min(found)[1] if found else None

    def _possible_beginning(self, text: str) -> int:
        """Return the length of the longest end of the text with which a stop string begins."""
        longest = max(map(len, self._stops)) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0
