"""The shipper as a process: it begins and ends with the one that writes the spool, and tells how."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from observability.ecs import EcsFormatter
from observability.elastic.launch import ShipperProcess
from observability.elastic.ledger import Ledger, StreamTally
from observability.elastic.log_handler import SpoolHandler
from observability.elastic.streams import Stream
from observability.spool.cursor import read_cursor
from observability.spool.writer import SpoolWriter
from tests.observability.elastic.shipping import STREAM, document, spool_documents, tally
from tests.observability.elastic.stand_in import StandIn

NOBODY = "http://127.0.0.1:9"


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_offered_while_it_runs_is_shipped_and_the_templates_are_there(
    tmp_path: Path, stand_in: StandIn
) -> None:
    writer = SpoolWriter(tmp_path)
    process = ShipperProcess(tmp_path, stand_in.url, drain_seconds=10)
    writer.offer(document(1).to_entry())
    wait_until(lambda: tally(tmp_path) == StreamTally(stored=1))
    assert process.is_alive()
    writer.offer(document(2).to_entry())
    writer.close()
    assert process.finish()
    assert stand_in.copies(STREAM) == {"run-1": 1, "run-2": 1}
    assert stand_in.templates == {f"tidegate-{stream.dataset}" for stream in Stream}


def test_without_a_server_it_gives_up_in_time_and_leaves_the_entries_with_the_reason(tmp_path: Path) -> None:
    spool_documents(tmp_path, [document(1)])
    process = ShipperProcess(tmp_path, NOBODY, drain_seconds=0.5)
    began = time.monotonic()
    assert not process.finish()
    assert time.monotonic() - began < 10
    assert Ledger.from_notes(read_cursor(tmp_path).notes).trouble.startswith("no answer from Elasticsearch")


def test_it_ships_the_rest_when_its_maker_is_killed(tmp_path: Path, stand_in: StandIn) -> None:
    spool_documents(tmp_path, [document(number) for number in range(100)])
    maker = (
        "import sys, time; from pathlib import Path\n"
        "from observability.elastic.launch import ShipperProcess\n"
        "process = ShipperProcess(Path(sys.argv[1]), sys.argv[2], 20)\n"
        "print(process.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", maker, str(tmp_path), stand_in.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as made:
        assert made.stdout is not None
        shipper = int(made.stdout.readline())
        made.send_signal(signal.SIGKILL)
    wait_until(lambda: tally(tmp_path) == StreamTally(stored=100))
    wait_until(lambda: not is_alive(shipper))


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_the_address_and_its_password_are_not_in_the_list_of_processes(
    tmp_path: Path, stand_in: StandIn
) -> None:
    url = stand_in.url.replace("//", "//shipper:secret@")
    process = ShipperProcess(tmp_path, url, drain_seconds=5)
    assert b"secret" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    assert process.finish()


def test_two_log_lines_that_say_the_same_are_two_documents(tmp_path: Path, stand_in: StandIn) -> None:
    writer = SpoolWriter(tmp_path)
    handler = SpoolHandler(writer, Stream.TARGET, EcsFormatter("a-service"))
    logger = logging.getLogger("tests.spooled")
    logger.propagate = False
    logger.addHandler(handler)
    for _ in range(2):
        logger.warning("again", extra={"ecs": {"labels.run_id": "run"}})
    logger.removeHandler(handler)
    writer.close()
    assert (handler.offered, writer.counts.accepted) == (2, 2)
    assert ShipperProcess(tmp_path, stand_in.url, drain_seconds=10).finish()
    (index,) = stand_in.streams[Stream.TARGET]
    assert [told["message"] for told in index.documents.values()] == ["again", "again"]


def test_what_the_shipper_meets_stands_in_its_own_log(tmp_path: Path, stand_in: StandIn) -> None:
    spool_documents(tmp_path, [document(1)])
    plans = iter([{"status": 503}, {}])
    stand_in.plan = lambda _ids: next(plans)
    assert ShipperProcess(tmp_path, stand_in.url, drain_seconds=10).finish()
    (line,) = map(json.loads, (tmp_path / "shipper.log.jsonl").read_text().splitlines())
    assert line["message"].startswith("trying again: Elasticsearch answered 503")
    assert os.environ.get("TIDEGATE_ELASTICSEARCH_URL") is None
