"""Faults of the store and the shipper while documents flow, on the real server: none lost, none doubled."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from elasticsearch import Elasticsearch

from observability.elastic.client import FAILURES, connect
from observability.elastic.launch import ShipperProcess
from observability.elastic.provision import provision
from observability.elastic.streams import Stream
from observability.spool.lock import FolderLock, SpoolBusyError
from observability.spool.reader import SpoolReader
from observability.spool.writer import SpoolLimits, SpoolWriter
from tests.observability.elastic.shipping import document, tally
from tests.stack.conftest import Server
from tests.stack.flowing import (
    RATE_PER_SECOND,
    STOP_SECONDS,
    assert_each_is_stored_once,
    flow,
    wait_until,
    wait_until_stored,
)


@pytest.fixture
def client(elasticsearch: Server) -> Iterator[Elasticsearch]:
    elasticsearch.start()
    with connect(elasticsearch.url) as client:
        provision(client)
        yield client


@pytest.fixture
def run_id() -> str:
    return f"run-{uuid4().hex[:8]}"


def test_a_server_that_is_away_costs_nothing_and_holds_nobody_up(
    elasticsearch: Server, client: Elasticsearch, tmp_path: Path, run_id: str
) -> None:
    with flow(tmp_path, elasticsearch.url, run_id) as flowing:
        wait_until_stored(tmp_path, 2000)
        elasticsearch.stop()
        time.sleep(STOP_SECONDS)
        elasticsearch.start()
        offered_while_away = flowing.offered
        wait_until_stored(tmp_path, offered_while_away)
    assert offered_while_away > STOP_SECONDS * RATE_PER_SECOND / 2
    assert flowing.longest_offer_seconds < 0.5
    assert_each_is_stored_once(client, run_id, flowing.offered)


@pytest.mark.filterwarnings("ignore:This API is in technical preview")
def test_a_server_killed_while_it_writes_a_batch_loses_and_doubles_nothing(
    elasticsearch: Server, client: Elasticsearch, tmp_path: Path, run_id: str
) -> None:
    with flow(tmp_path, elasticsearch.url, run_id) as flowing:
        for _ in range(2):
            before = tally(tmp_path).stored
            wait_until_stored(tmp_path, before + 1)
            wait_until_writing(client)
            elasticsearch.kill()
            elasticsearch.start()
    assert_each_is_stored_once(client, run_id, flowing.offered)


def wait_until_writing(client: Elasticsearch) -> None:
    """Wait for a bulk request that the server works on, or for two seconds of not meeting one."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            if client.tasks.list(actions="indices:data/write/bulk*")["nodes"]:
                return
        except FAILURES:
            return


def test_shippers_killed_again_and_again_across_rollovers_lose_and_double_nothing(
    elasticsearch: Server, client: Elasticsearch, tmp_path: Path, run_id: str
) -> None:
    stream = f"{Stream.GENERATOR}-{run_id}"
    writer = SpoolWriter(tmp_path, SpoolLimits(segment_bytes=100_000))
    chance, offered = random.Random(11), 0
    for life in range(24):
        for _ in range(500):
            writer.offer(document(offered, stream, run_id, message="x" * 300).to_entry())  # type: ignore[arg-type]
            offered += 1
        shipper = ShipperProcess(tmp_path, elasticsearch.url, drain_seconds=60)
        wait_until(lambda: is_shipping(tmp_path))
        time.sleep(chance.uniform(0, 0.4))
        os.kill(shipper.pid, signal.SIGKILL)
        shipper.finish()
        if life % 4 == 3:
            client.indices.rollover(alias=stream)
    writer.close()
    assert ShipperProcess(tmp_path, elasticsearch.url, drain_seconds=60).finish()
    assert_each_is_stored_once(client, run_id, offered, stream)
    told = tally(tmp_path, stream)  # type: ignore[arg-type]
    assert told.stored + told.duplicates == offered


def is_shipping(folder: Path) -> bool:
    """Whether a shipper has the spool in hand."""
    try:
        FolderLock(folder, "reader").release()
    except SpoolBusyError:
        return True
    return False


def test_a_full_spool_refuses_and_ships_what_it_had_accepted(
    elasticsearch: Server, client: Elasticsearch, tmp_path: Path, run_id: str
) -> None:
    writer = SpoolWriter(tmp_path, SpoolLimits(total_bytes=100_000, segment_bytes=20_000))
    numbers = iter(range(100_000))
    taken = 0
    while writer.offer(document(taken, run_id=run_id, message="x" * 300).to_entry()):
        taken += 1
    refused = [writer.offer(document(next(numbers), run_id=run_id).to_entry()) for _ in range(10)]
    assert not any(refused)
    writer.close()
    assert (writer.counts.accepted, writer.counts.refused) == (taken, 11)
    assert ShipperProcess(tmp_path, elasticsearch.url, drain_seconds=60).finish()
    assert_each_is_stored_once(client, run_id, taken)
    reader = SpoolReader(tmp_path)
    assert not reader.read(1, 1000).payloads
    reader.close()
