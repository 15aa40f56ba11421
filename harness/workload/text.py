"""Synthetic text of n words in microseconds, whatever n is.

A text is eight words drawn for its key, then a slice of one long ring of random words that is made once. The
eight words (64 bits) make every text begin differently, and a prefix cache compares from the beginning, so it
can never answer for another request; that later passages repeat does not matter to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.workload.draws import Draws

_RING_WORDS = 1 << 16
_LEAD_WORDS = 8


class TextMaker:
    """Makes the text of (stream, key) from at most 256 ``words``; ``first_words`` may begin it."""

    def __init__(self, seed: int, words: Sequence[str], first_words: Sequence[str]) -> None:
        self._words, self._first_words = tuple(words), tuple(first_words)
        picks = np.random.Generator(np.random.PCG64(seed)).integers(0, len(words), _RING_WORDS)
        ring = [self._words[pick] for pick in picks]
        # Every word with a space in front: a slice from word a to word b is text[at[a]:at[b]].
        self._text = " " + " ".join(ring)
        lengths = np.fromiter((len(word) + 1 for word in ring), np.int64, _RING_WORDS)
        self._at: list[int] = [0, *np.cumsum(lengths).tolist()]

    def make(self, draws: Draws, key: int, count: int) -> str:
        """Return ``count`` (at least 1) words as one line."""
        bits = draws.bits(key)
        lead = [self._first_words[(bits & 255) % len(self._first_words)]]
        lead += [
            self._words[(bits >> 8 * place & 255) % len(self._words)]
            for place in range(1, min(count, _LEAD_WORDS))
        ]
        text = " ".join(lead)
        if count <= _LEAD_WORDS:
            return text
        return text + self._slice(bits % _RING_WORDS, count - _LEAD_WORDS)

    def _slice(self, start: int, count: int) -> str:
        """Return ``count`` words from word ``start`` on, going round the ring as often as needed."""
        end = start + count
        if end <= _RING_WORDS:
            return self._text[self._at[start] : self._at[end]]
        rounds, rest = divmod(end - _RING_WORDS, _RING_WORDS)
        return self._text[self._at[start] :] + self._text * rounds + self._text[: self._at[rest]]
