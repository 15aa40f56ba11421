"""The target's log lines on their way to a store (a stand-in), from real target processes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from observability.elastic.mappings import mapping_of
from observability.elastic.streams import Stream
from tests.observability.elastic.stand_in import StandIn
from tests.target_server.running import process_target, wait_until

SCRIPTED = ("--engine", "scripted", "--timetable", "ttft=1ms,gap=1ms")
RUN = {"x-tidegate-run": "run-1"}


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    server = StandIn()
    yield server
    server.close()


def stored_lines(store: StandIn) -> list[dict[str, object]]:
    indices = store.streams.get(Stream.TARGET, [])
    return [told for index in indices for told in list(index.documents.values())]


def stored_requests(store: StandIn) -> int:
    return sum(line.get("labels.run_id") == "run-1" for line in stored_lines(store))


def shipping(store: StandIn, folder: Path) -> tuple[str, ...]:
    return (*SCRIPTED, "--elasticsearch", store.url, "--spool-dir", str(folder / "spool"))


def test_a_requests_line_is_in_the_store_while_the_target_runs_and_in_its_file_as_before(
    tmp_path: Path, stand_in: StandIn
) -> None:
    with process_target(tmp_path, *shipping(stand_in, tmp_path)) as target:
        target.post(headers=RUN)
        wait_until(lambda: stored_requests(stand_in) == 1, seconds=20)
        entries = "tidegate_target_log_entries_total"
        lines = len(target.log_lines)
        wait_until(lambda: target.sample(entries, fate="stored") == lines, seconds=20)
        assert target.sample(entries, fate="accepted") == lines
        assert target.sample(entries, fate="refused") == 0
        assert target.sample(entries, fate="duplicate") == 0
        assert target.sample(entries, fate="dead_lettered") == 0
        (line,) = [line for line in stored_lines(stand_in) if "labels.run_id" in line]
        assert line in target.log_lines
        assert line.keys() <= mapping_of(Stream.TARGET)["properties"].keys()


def test_what_is_logged_before_the_end_is_shipped_by_the_end(tmp_path: Path, stand_in: StandIn) -> None:
    with process_target(tmp_path, *shipping(stand_in, tmp_path)) as target:
        for _ in range(50):
            target.post(headers=RUN)
        target.process.send_signal(signal.SIGTERM)
        assert target.process.wait(30) == 0
    assert stored_requests(stand_in) == 50


def test_the_next_target_ships_what_a_killed_one_left(tmp_path: Path, stand_in: StandIn) -> None:
    stand_in.plan = lambda _ids: {"status": 503}
    with process_target(tmp_path, *shipping(stand_in, tmp_path)) as target:
        target.post(headers=RUN)
        accepted = "tidegate_target_log_entries_total"
        wait_until(lambda: target.sample(accepted, fate="accepted") == len(target.log_lines), seconds=20)
    stand_in.plan = lambda _ids: {}
    (tmp_path / "port").unlink()
    with process_target(tmp_path, *shipping(stand_in, tmp_path)):
        wait_until(lambda: stored_requests(stand_in) == 1, seconds=30)
    assert set(stand_in.copies(Stream.TARGET).values()) == {1}


def test_each_process_of_a_group_ships_its_own_lines(tmp_path: Path, stand_in: StandIn) -> None:
    with process_target(tmp_path, *shipping(stand_in, tmp_path), "--processes", "2") as group:
        for _ in range(20):
            group.post(headers=RUN)
        wait_until(lambda: stored_requests(stand_in) == 20, seconds=30)
        assert sorted(path.name for path in (tmp_path / "spool").iterdir()) == ["0", "1"]


def test_without_a_store_there_is_no_series_and_no_spool(tmp_path: Path) -> None:
    with process_target(tmp_path, *SCRIPTED) as target:
        target.post()
        assert target.sample("tidegate_target_log_entries_total", fate="accepted") is None
    assert not Path(".tidegate/spool/target").exists()
