from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from target_server.engine.protocol import SamplingParams
from target_server.engine.scheduler import Batch, Scheduler
from target_server.engine.sequence import Sequence
from target_server.engine.stream import TokenStream


class Rows:
    """A cache that holds, for each slot, whose positions it has."""

    def __init__(self, slots: int) -> None:
        self.rows: list[list[tuple[Sequence, int]]] = [[] for _ in range(slots)]

    def write(self, slot: int, sequence: Sequence, position: int) -> None:
        self.rows[slot][position:] = [(sequence, position)]

    def move(self, source: int, target: int, tokens: int) -> None:
        self.rows[target] = self.rows[source][:tokens]


def sequence(prompt_tokens: int, max_tokens: int = 3) -> Sequence:
    stream = TokenStream("r", prompt_tokens, lambda: None)
    return Sequence([1] * prompt_tokens, SamplingParams(max_tokens), stream, lambda _: "", frozenset())


def compute(batch: Batch, rows: Rows) -> list[Sequence]:
    """Do what model and batcher do to a batch; return who is finished."""
    for slot, decoding in enumerate(batch.decoding):
        rows.write(slot, decoding, decoding.computed)
        decoding.computed += 1
    for chunk in batch.chunks:
        for position in range(chunk.start, chunk.end):
            rows.write(chunk.slot, chunk.sequence, position)
        chunk.sequence.computed = chunk.end
    return [choosing for choosing in batch.choosing if choosing.append(7).finish_reason]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5)), min_size=1, max_size=20),
    st.integers(1, 4),
    st.integers(1, 12),
    st.sets(st.integers(0, 19)),
)
def test_everyone_is_served_in_order_and_always_finds_its_own_rows_in_its_slot(
    lengths: list[tuple[int, int]], slots: int, budget: int, cancelled: set[int]
) -> None:
    rows = Rows(slots)
    scheduler = Scheduler(rows, slots=slots, queue_limit=99, prefill_tokens_per_step=budget)
    everyone = [sequence(*length) for length in lengths]
    for one in everyone:
        scheduler.add(one)
    started: list[Sequence] = []
    for step in range(1000):
        for number in cancelled & {step}:  # someone leaves in the middle
            if number < len(everyone) and everyone[number] in scheduler.running:
                scheduler.release(everyone[number])
        batch = scheduler.next()
        if batch is None:
            break
        started += batch.joined
        assert batch.prefill_tokens <= budget
        for finished in compute(batch, rows):
            scheduler.release(finished)
        assert sum(one.prefilling for one in scheduler.running) <= 1
        for slot, one in enumerate(scheduler.running):
            assert rows.rows[slot][: one.computed] == [(one, position) for position in range(one.computed)]
    assert started == everyone
    assert not scheduler.running


def test_decoding_goes_on_while_a_long_prompt_is_computed_in_chunks() -> None:
    rows = Rows(2)
    scheduler = Scheduler(rows, slots=2, queue_limit=9, prefill_tokens_per_step=4)
    scheduler.add(sequence(4, max_tokens=9))
    first = scheduler.next()
    assert first is not None
    compute(first, rows)
    scheduler.add(sequence(10))
    batches = []
    for _ in range(3):
        batch = scheduler.next()
        assert batch is not None
        batches.append((len(batch.decoding), [(chunk.start, chunk.end) for chunk in batch.chunks]))
        compute(batch, rows)
    assert batches == [(1, [(0, 4)]), (1, [(4, 8)]), (1, [(8, 10)])]


def test_full_counts_slots_and_queue_together() -> None:
    scheduler = Scheduler(Rows(1), slots=1, queue_limit=1, prefill_tokens_per_step=4)
    scheduler.add(sequence(1))
    assert not scheduler.full
    scheduler.add(sequence(1))
    assert scheduler.full
    scheduler.next()
    assert scheduler.full
    assert scheduler.waiting == 1


def test_withdrawing_works_in_the_queue_only() -> None:
    scheduler = Scheduler(Rows(1), slots=1, queue_limit=9, prefill_tokens_per_step=4)
    running, waiting = sequence(1), sequence(1)
    scheduler.add(running)
    scheduler.add(waiting)
    scheduler.next()
    assert not scheduler.withdraw(running)
    assert scheduler.withdraw(waiting)
    assert not scheduler.withdraw(waiting)
