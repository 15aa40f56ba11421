"""Random numbers by request number: draw i is a pure function of (seed, purpose, i), with no state to share.

numpy's generators cost 10 µs to seed for every request; splitmix64 costs less than one.
"""

from __future__ import annotations

_MASK = 2**64 - 1


def mix(number: int) -> int:
    """Return splitmix64's output for the state ``number``: 64 well-mixed bits."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


class Draws:
    """One stream of draws. Streams of different purposes are independent."""

    __slots__ = ("_key",)

    def __init__(self, seed: int, purpose: str) -> None:
        key = mix(seed)
        for byte in purpose.encode():
            key = mix(key ^ byte)
        self._key = key

    def bits(self, index: int) -> int:
        """Return 64 random bits."""
        return mix(self._key ^ mix(index))

    def uniform(self, index: int) -> float:
        """Return a number in (0, 1), never an end of it."""
        return ((self.bits(index) >> 12) + 0.5) / 2**52
