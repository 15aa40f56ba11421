"""Timeouts for many connections at the price of one timer: a wheel of 20 ms slots."""

from __future__ import annotations

from typing import Protocol

SLOT_NS = 20_000_000


class Expirable(Protocol):
    """What the wheel looks after. ``deadline_ns`` is 0 while nothing is awaited."""

    def deadline_ns(self) -> int:
        """Return the current deadline on the monotonic clock. It may have moved later since ``watch``."""

    def expire(self) -> None:
        """Take the news that the deadline has passed."""


class TimerWheel:
    """Calls ``expire`` on members whose deadline has passed, at most one slot late.

    When a member's slot comes up, the member is asked for its deadline again: data that arrives moves the
    deadline later without touching the wheel. Whoever moves a deadline earlier calls ``watch`` again.
    """

    __slots__ = ("_next_slot", "_slot_of", "_slots")

    def __init__(self, now_ns: int) -> None:
        self._slots: dict[int, list[Expirable]] = {}
        self._slot_of: dict[Expirable, int] = {}  # a member's entries in other slots are out of date
        self._next_slot = now_ns // SLOT_NS

    def watch(self, member: Expirable) -> None:
        """Look after ``member`` until it has no deadline. Watching it twice is harmless."""
        slot = max(member.deadline_ns() // SLOT_NS, self._next_slot)
        if slot < self._slot_of.get(member, slot + 1):
            self._slot_of[member] = slot
            self._slots.setdefault(slot, []).append(member)

    def advance(self, now_ns: int) -> None:
        """Expire what is due. Call it about every slot; a long pause only makes it late."""
        current = now_ns // SLOT_NS
        while self._next_slot < current:
            slot = self._next_slot
            self._next_slot += 1  # first: what is placed while we visit goes into a slot that comes
            for member in self._slots.pop(slot, ()):
                if self._slot_of.get(member) == slot:
                    del self._slot_of[member]
                    self._visit(member, now_ns)

    def _visit(self, member: Expirable, now_ns: int) -> None:
        deadline_ns = member.deadline_ns()
        if deadline_ns and deadline_ns <= now_ns:
            member.expire()
            deadline_ns = member.deadline_ns()
        if deadline_ns:
            self.watch(member)
