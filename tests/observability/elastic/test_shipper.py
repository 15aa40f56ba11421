"""What the shipper does with each answer; the server is a stand-in that fails on demand."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from observability.elastic.bulk import ItemResult, UnavailableError
from observability.elastic.document import Document
from observability.elastic.ledger import Ledger, StreamTally
from observability.elastic.patience import GaveUpError, Patience
from observability.elastic.streams import Stream
from observability.spool.cursor import read_cursor
from observability.spool.reader import SpoolReader
from tests.observability.elastic.shipping import STREAM, OneShipper, Send, document, spool_documents, tally
from tests.observability.elastic.stand_in import StandIn


def test_documents_are_created_gzipped_under_their_own_ids(tmp_path: Path, stand_in: StandIn) -> None:
    spool_documents(tmp_path, [document(1), document(2)])
    ledger = OneShipper(tmp_path, stand_in.url).ship_all()
    assert ledger.streams == {STREAM: StreamTally(stored=2)}
    (index,) = stand_in.streams[STREAM]
    assert index.documents["run-1"] == {
        "@timestamp": "2026-01-01T00:00:00.000Z",
        "labels.run_id": "run",
        "tidegate.seq": 1,
    }
    assert list(index.documents) == ["run-1", "run-2"]
    assert stand_in.encodings["gzip"] == 1


def test_only_the_items_that_failed_for_now_are_sent_again(tmp_path: Path, stand_in: StandIn) -> None:
    spool_documents(tmp_path, [document(number) for number in range(4)])
    plans = iter([{"items": {"run-1": 429, "run-2": 503}}, {"items": {"run-2": 429}}, {}])
    stand_in.plan = lambda _ids: next(plans)
    ledger = OneShipper(tmp_path, stand_in.url).ship_all()
    assert stand_in.bulks == [["run-0", "run-1", "run-2", "run-3"], ["run-1", "run-2"], ["run-2"]]
    assert ledger.streams == {STREAM: StreamTally(stored=4)}


def test_what_the_server_refuses_for_good_lies_in_the_dead_letters_with_the_reason(
    tmp_path: Path, stand_in: StandIn
) -> None:
    spool_documents(tmp_path, [document(1), document(2)])
    stand_in.plan = lambda _ids: {"items": {"run-2": 400}}
    ledger = OneShipper(tmp_path, stand_in.url).ship_all()
    assert ledger.streams == {STREAM: StreamTally(stored=1, dead_lettered=1)}
    (letter,) = map(json.loads, (tmp_path / "dead-letters.ndjson").read_text().splitlines())
    assert letter["reason"] == "400 fault: on demand"
    assert (letter["stream"], letter["id"]) == (STREAM, "run-2")
    assert json.loads(letter["source"])["tidegate.seq"] == 2


def test_an_index_that_another_shipper_closed_refuses_for_now_only(tmp_path: Path, stand_in: StandIn) -> None:
    spool_documents(tmp_path, [document(1)])
    plans = iter([{"items": {"run-1": 403}, "type": "cluster_block_exception"}, {}])
    stand_in.plan = lambda _ids: next(plans)
    assert OneShipper(tmp_path, stand_in.url).ship_all().streams == {STREAM: StreamTally(stored=1)}


def test_a_dead_letter_that_was_written_but_not_committed_is_not_there_twice(
    tmp_path: Path, stand_in: StandIn
) -> None:
    spool_documents(tmp_path, [document(1)])
    (tmp_path / "dead-letters.ndjson").write_text('{"id": "run-1"}\n')  # by one that was killed then
    stand_in.plan = lambda _ids: {"items": {"run-1": 400}}
    OneShipper(tmp_path, stand_in.url).ship_all()
    assert len((tmp_path / "dead-letters.ndjson").read_text().splitlines()) == 1


def test_a_dead_letter_of_a_document_that_was_taken_after_all_is_gone(
    tmp_path: Path, stand_in: StandIn
) -> None:
    spool_documents(tmp_path, [document(1)])
    (tmp_path / "dead-letters.ndjson").write_text('{"id": "run-1"}\n')  # and its shipper was killed then
    assert OneShipper(tmp_path, stand_in.url).ship_all().streams == {STREAM: StreamTally(stored=1)}
    assert (tmp_path / "dead-letters.ndjson").read_text() == ""


def test_a_lost_answer_is_asked_for_again_and_what_was_stored_counts_as_duplicate(
    tmp_path: Path, stand_in: StandIn
) -> None:
    spool_documents(tmp_path, [document(1), document(2)])
    plans = iter([{"lose": True}, {}])
    stand_in.plan = lambda _ids: next(plans)
    ledger = OneShipper(tmp_path, stand_in.url).ship_all()
    assert ledger.streams == {STREAM: StreamTally(duplicates=2)}
    assert stand_in.copies(STREAM) == {"run-1": 1, "run-2": 1}


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503])
def test_an_answer_that_is_not_about_the_documents_buries_none_of_them(
    tmp_path: Path, stand_in: StandIn, status: int
) -> None:
    spool_documents(tmp_path, [document(1)])
    plans = iter([{"status": status}, {"status": status}, {}])
    stand_in.plan = lambda _ids: next(plans)
    assert OneShipper(tmp_path, stand_in.url).ship_all().streams == {STREAM: StreamTally(stored=1)}


def test_of_a_body_that_is_refused_only_the_document_at_fault_is_buried(
    tmp_path: Path, stand_in: StandIn
) -> None:
    spool_documents(tmp_path, [document(number) for number in range(5)])
    stand_in.plan = lambda ids: {"status": 413} if (STREAM, "run-3") in ids else {}
    ledger = OneShipper(tmp_path, stand_in.url).ship_all()
    assert ledger.streams == {STREAM: StreamTally(stored=4, dead_lettered=1)}
    assert sorted(stand_in.copies(STREAM)) == ["run-0", "run-1", "run-2", "run-4"]


def test_two_entries_with_one_id_are_two_in_the_books_and_one_in_the_store(
    tmp_path: Path, stand_in: StandIn
) -> None:
    spool_documents(tmp_path, [document(1), document(1)])
    ledger = OneShipper(tmp_path, stand_in.url).ship_all()
    assert ledger.streams == {STREAM: StreamTally(stored=1, duplicates=1)}


def test_streams_are_counted_apart(tmp_path: Path, stand_in: StandIn) -> None:
    spool_documents(tmp_path, [document(1), document(1, Stream.GENERATOR), document(2)])
    ledger = OneShipper(tmp_path, stand_in.url).ship_all()
    assert ledger.streams == {STREAM: StreamTally(stored=2), Stream.GENERATOR: StreamTally(stored=1)}


def test_the_cursor_moves_only_after_the_acknowledgement(tmp_path: Path, stand_in: StandIn) -> None:
    spool_documents(tmp_path, [document(1)])
    positions = []

    def watched(send: Send) -> Send:
        def watching(documents: Sequence[Document]) -> list[ItemResult]:
            positions.append(read_cursor(tmp_path).position.segment)
            return send(documents)

        return watching

    OneShipper(tmp_path, stand_in.url, watched).ship_all()
    assert positions == [0]
    assert read_cursor(tmp_path).position.segment == 1


def test_a_shipper_whose_time_is_over_leaves_the_entries_and_says_why(
    tmp_path: Path, stand_in: StandIn
) -> None:
    spool_documents(tmp_path, [document(1)])
    stand_in.plan = lambda _ids: {"status": 503}
    one = OneShipper(tmp_path, stand_in.url)
    one.patience.end_within(0.2)
    with pytest.raises(GaveUpError, match="503") as gave_up:
        one.ship_all()
    one.shipper.give_up(str(gave_up.value))
    one.end()
    assert "503" in Ledger.from_notes(read_cursor(tmp_path).notes).trouble
    reader = SpoolReader(tmp_path)
    assert len(reader.read(10, 10_000).payloads) == 1
    reader.close()
    stand_in.plan = lambda _ids: {}
    ledger = OneShipper(tmp_path, stand_in.url).ship_all()
    assert ledger.trouble == ""
    assert tally(tmp_path) == StreamTally(stored=1)


def lose_the_first_answer(after: object) -> object:
    """Store, lose the answer, and let ``after`` happen before the next try."""

    def wrap(send: Send) -> Send:
        tries = iter([True])

        def losing(documents: Sequence[Document]) -> list[ItemResult]:
            results = send(documents)
            if next(tries, False):
                after()  # type: ignore[operator]
                raise UnavailableError("the answer was lost")
            return results

        return losing

    return wrap


def test_a_rollover_between_a_lost_answer_and_the_next_try_makes_no_second_copy(
    tmp_path: Path, stand_in: StandIn
) -> None:
    spool_documents(tmp_path, [document(1), document(2)])
    wrap = lose_the_first_answer(lambda: stand_in.roll_over(STREAM))
    ledger = OneShipper(tmp_path, stand_in.url, wrap).ship_all()  # type: ignore[arg-type]
    assert stand_in.copies(STREAM) == {"run-1": 1, "run-2": 1}
    assert ledger.streams == {STREAM: StreamTally(duplicates=2)}
    assert stand_in.streams[STREAM][0].closed


def test_waiting_grows_by_two_with_chance_up_to_its_bound() -> None:
    patience = Patience(first_seconds=1.0, longest_seconds=5.0, chance=lambda: 0.0)
    assert [patience.next_wait_seconds() for _ in range(5)] == [0.5, 1.0, 2.0, 2.5, 2.5]
    patience.succeeded()
    assert patience.next_wait_seconds() == 0.5
    assert Patience(1.0, 5.0, chance=lambda: 1.0).next_wait_seconds() == 1.0


def test_a_wait_ends_when_the_end_is_announced() -> None:
    patience = Patience(first_seconds=30.0, longest_seconds=30.0)
    patience.end_within(0.0)
    began = time.monotonic()
    with pytest.raises(GaveUpError):
        patience.after_failure("over")
    assert time.monotonic() - began < 1
