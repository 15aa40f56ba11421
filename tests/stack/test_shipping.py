"""The shipper and a real Elasticsearch: templates, ids, dead letters, rollovers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from elasticsearch import Elasticsearch

from observability.elastic.bulk import ItemResult, UnavailableError
from observability.elastic.client import connect
from observability.elastic.document import Document
from observability.elastic.ledger import StreamTally
from observability.elastic.provision import modules_of, provision
from observability.elastic.streams import Stream
from tests.observability.elastic.shipping import STREAM, OneShipper, Send, document, spool_documents, tally
from tests.stack.conftest import Server


@pytest.fixture
def client(elasticsearch: Server) -> Iterator[Elasticsearch]:
    elasticsearch.start()
    with connect(elasticsearch.url) as client:
        provision(client)
        yield client


@pytest.fixture
def run_id() -> str:
    return f"run-{uuid4().hex[:8]}"


def stored_ids(client: Elasticsearch, run_id: str, stream: str = STREAM) -> list[str]:
    """Every copy of every document of the run, over all indices of the stream."""
    client.indices.refresh(index=stream)
    found = client.search(index=stream, query={"term": {"labels.run_id": run_id}}, size=10_000, source=False)
    return sorted(hit["_id"] for hit in found["hits"]["hits"])


def ids(documents: Sequence[Document]) -> list[str]:
    return sorted(each.id for each in documents)


def test_provisioning_twice_changes_nothing_and_says_what_this_server_cannot(client: Elasticsearch) -> None:
    before = client.indices.get_index_template(name="tidegate-*").body
    again = provision(client)
    assert client.indices.get_index_template(name="tidegate-*").body == before
    assert {t["name"] for t in before["index_templates"]} == set(again.templates)
    if "data-streams" in modules_of(client):
        assert again.left_out == ()
    else:
        (left_out,) = again.left_out
        assert left_out.startswith(
            "retention (requests 30 days, generator 30 days, target 30 days, runs 365 days)"
        )


def test_the_first_document_makes_a_data_stream_whose_fields_are_typed(
    client: Elasticsearch, tmp_path: Path, run_id: str
) -> None:
    spool_documents(tmp_path, [document(1, run_id=run_id, **{"tidegate.ttft_ms": 12.5, "trace.id": "ab"})])
    OneShipper(tmp_path, connect_url(client)).ship_all()
    streams = client.indices.resolve_index(name=STREAM)["data_streams"]
    assert [each["name"] for each in streams] == [STREAM]
    wanted = {"tidegate.ttft_ms": ["double"], "trace.id": ["keyword"], "@timestamp": ["date"]}
    fields = client.field_caps(index=STREAM, fields=list(wanted))["fields"]
    assert {name: list(fields[name]) for name in wanted} == wanted


def test_a_document_that_does_not_fit_the_mapping_is_a_dead_letter_and_the_others_are_stored(
    client: Elasticsearch, tmp_path: Path, run_id: str
) -> None:
    good = [document(number, run_id=run_id) for number in range(3)]
    bad = document(9, run_id=run_id, **{"tidegate.seq": "not a number"})
    spool_documents(tmp_path, [*good, bad])
    ledger = OneShipper(tmp_path, connect_url(client)).ship_all()
    assert ledger.streams[STREAM] == StreamTally(stored=3, dead_lettered=1)
    assert stored_ids(client, run_id) == ids(good)
    letter = json.loads((tmp_path / "dead-letters.ndjson").read_text())
    assert letter["id"] == bad.id
    assert letter["reason"].startswith("400 document_parsing_exception")


def lost_answer(after: Callable[[], Any]) -> Callable[[Send], Send]:
    """The first try reaches the server and its answer is lost; then ``after`` happens."""

    def wrap(send: Send) -> Send:
        first = iter([True])

        def losing(documents: Sequence[Document]) -> list[ItemResult]:
            results = send(documents)
            if next(first, False):
                after()
                raise UnavailableError("the answer was lost")
            return results

        return losing

    return wrap


def test_create_alone_doubles_across_a_rollover(client: Elasticsearch, tmp_path: Path, run_id: str) -> None:
    """The reason for all that follows: were this to fail, the server would protect ids by itself."""
    documents = [document(number, run_id=run_id) for number in range(3)]
    for folder in (tmp_path / "a", tmp_path / "b"):  # two spools that know nothing of each other
        spool_documents(folder, documents)
        OneShipper(folder, connect_url(client)).ship_all()
        client.indices.rollover(alias=STREAM)
    assert stored_ids(client, run_id) == sorted(ids(documents) * 2)


def test_a_rollover_between_a_lost_answer_and_the_next_try_doubles_nothing(
    client: Elasticsearch, tmp_path: Path, run_id: str
) -> None:
    documents = [document(number, run_id=run_id) for number in range(50)]
    spool_documents(tmp_path, documents)
    wrap = lost_answer(lambda: client.indices.rollover(alias=STREAM))
    ledger = OneShipper(tmp_path, connect_url(client), wrap).ship_all()
    assert stored_ids(client, run_id) == ids(documents)
    assert ledger.streams[STREAM] == StreamTally(duplicates=50)


def test_two_rollovers_and_the_end_of_the_shipper_between_the_tries_double_nothing(
    client: Elasticsearch, tmp_path: Path, run_id: str
) -> None:
    documents = [document(number, run_id=run_id) for number in range(50)]
    spool_documents(tmp_path, documents)

    class KilledError(Exception):
        pass

    def die() -> None:
        raise KilledError

    first = OneShipper(tmp_path, connect_url(client), lost_answer(die))
    with pytest.raises(KilledError):
        first.ship_all()
    first.end()
    client.indices.rollover(alias=STREAM)
    client.indices.rollover(alias=STREAM)
    OneShipper(tmp_path, connect_url(client)).ship_all()
    assert stored_ids(client, run_id) == ids(documents)
    assert tally(tmp_path) == StreamTally(duplicates=50)


def test_a_rollover_between_the_question_and_the_try_doubles_nothing(
    client: Elasticsearch, tmp_path: Path, run_id: str
) -> None:
    """The first try stores in one index; the second finds no rollover, and sends after one all the same."""
    documents = [document(number, run_id=run_id) for number in range(50)]
    spool_documents(tmp_path, documents)

    def wrap(send: Send) -> Send:
        tries = iter(["lose", "roll over"])

        def spoiling(documents: Sequence[Document]) -> list[ItemResult]:
            what = next(tries, "")
            if what == "roll over":
                client.indices.rollover(alias=STREAM)
            results = send(documents)
            if what == "lose":
                raise UnavailableError("the answer was lost")
            return results

        return spoiling

    ledger = OneShipper(tmp_path, connect_url(client), wrap).ship_all()
    assert stored_ids(client, run_id) == ids(documents)
    assert ledger.streams[STREAM] == StreamTally(duplicates=50)


def test_a_stream_that_is_born_and_rolls_over_within_a_lost_answer_doubles_nothing(
    client: Elasticsearch, tmp_path: Path, run_id: str
) -> None:
    stream = f"{Stream.GENERATOR}-{run_id}"  # the template's pattern covers it
    documents = [document(number, stream, run_id) for number in range(5)]  # type: ignore[arg-type]
    spool_documents(tmp_path, documents)
    wrap = lost_answer(lambda: client.indices.rollover(alias=stream))
    OneShipper(tmp_path, connect_url(client), wrap).ship_all()
    assert stored_ids(client, run_id, stream) == ids(documents)


def test_an_index_that_another_shipper_has_closed_buries_nothing(
    client: Elasticsearch, tmp_path: Path, run_id: str
) -> None:
    stream = f"{Stream.GENERATOR}-{run_id}"
    spool_documents(tmp_path, [document(0, stream, run_id)])  # type: ignore[arg-type]
    OneShipper(tmp_path, connect_url(client)).ship_all()
    (index,) = client.indices.resolve_index(name=stream)["data_streams"][0]["backing_indices"]
    client.indices.put_settings(index=index, settings={"index.blocks.write": True})
    spool_documents(tmp_path, [document(1, stream, run_id)])  # type: ignore[arg-type]

    def wrap(send: Send) -> Send:
        def rolling_over(documents: Sequence[Document]) -> list[ItemResult]:
            results = send(documents)
            client.indices.rollover(alias=stream)
            return results

        return rolling_over

    OneShipper(tmp_path, connect_url(client), wrap).ship_all()
    assert stored_ids(client, run_id, stream) == [f"{run_id}-0", f"{run_id}-1"]
    assert tally(tmp_path, stream) == StreamTally(stored=2)  # type: ignore[arg-type]


def test_an_index_that_was_asked_for_ids_takes_no_late_writes(
    client: Elasticsearch, tmp_path: Path, run_id: str
) -> None:
    """A try that the server still works on could otherwise leave its document after the question."""
    spool_documents(tmp_path, [document(1, run_id=run_id)])
    wrap = lost_answer(lambda: client.indices.rollover(alias=STREAM))
    OneShipper(tmp_path, connect_url(client), wrap).ship_all()
    *_, passed, write_index = client.indices.resolve_index(name=STREAM)["data_streams"][0]["backing_indices"]
    settings = client.indices.get_settings(index=f"{passed},{write_index}", flat_settings=True)
    assert settings[passed]["settings"]["index.blocks.write"] == "true"
    assert "index.blocks.write" not in settings[write_index]["settings"]


def connect_url(client: Elasticsearch) -> str:
    (node,) = client.transport.node_pool.all()
    return str(node.base_url)
