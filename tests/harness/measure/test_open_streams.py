import math

import pytest

from harness.measure.open_streams import (
    MachineLevels,
    MachineReport,
    all_open_seconds,
    open_streams,
)
from harness.measure.record import Outcome
from harness.measure.worker_report import Peak, WorkerReport
from tests.harness.measure.build import record, records_of, report

MIB = 1 << 20


def worker(number: int, in_flight: int, grown_bytes: int) -> WorkerReport:
    return report(number, peak=Peak(in_flight, 100 * MIB, 100 * MIB + grown_bytes, 60 * MIB))


def machine(**at_peak: int) -> MachineReport:
    before = {"kernel_bytes": 500 * MIB, "available_bytes": 9000 * MIB, "target_bytes": 80 * MIB}
    return MachineReport(MachineLevels(0.0, **before), MachineLevels(9.0, **(before | at_peak)))


def test_all_are_open_when_the_last_first_token_comes_before_the_first_end() -> None:
    rows = [record(0, 0.0, ttft=0.1, e2e=5.0, delay=0.02), record(1, 1.0, ttft=0.4, e2e=5.0)]
    assert all_open_seconds(records_of(rows)) == pytest.approx(1.4 - 0.02)  # from the send on


def test_streams_that_were_never_open_together_have_no_such_time() -> None:
    rows = [record(0, 0.0, ttft=0.1, e2e=0.5), record(1, 1.0, ttft=0.1, e2e=0.5)]
    assert math.isnan(all_open_seconds(records_of(rows)))


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.DROPPED])
def test_one_stream_that_never_opened_leaves_no_time_at_which_all_were(outcome: Outcome) -> None:
    rows = [record(0, 0.0, e2e=5.0), record(1, 0.0, outcome=outcome)]
    assert math.isnan(all_open_seconds(records_of(rows)))


def test_no_records_have_no_time() -> None:
    assert math.isnan(all_open_seconds(records_of([])))


def test_each_part_is_what_grew_over_the_streams_that_were_open() -> None:
    workers = [worker(0, 1000, 3 * MIB), worker(1, 1048, 1 * MIB)]
    grown = {"kernel_bytes": 520 * MIB, "available_bytes": 8000 * MIB, "target_bytes": 96 * MIB}
    found = open_streams(records_of([]), workers, machine(**grown, target_open=2048))
    assert found is not None
    assert (found.peak, [w.in_flight for w in found.workers]) == (2048, [1000, 1048])
    assert found.client_bytes_per_stream == 2048.0  # 4 MiB / 2,048
    assert found.kernel_bytes_per_stream == 10_240.0
    assert found.target_bytes_per_stream == 8192.0
    assert (found.target_open, found.taken_bytes) == (2048, 1000.0 * MIB)


def test_too_few_streams_tell_nothing_about_one() -> None:
    found = open_streams(records_of([]), [worker(0, 999, MIB)], machine())
    assert found is not None
    assert found.peak == 999
    assert math.isnan(found.client_bytes_per_stream)
    assert math.isnan(found.taken_bytes)


def test_a_target_that_tells_nothing_has_no_figure_and_not_zero() -> None:
    levels = MachineReport(MachineLevels(0.0), MachineLevels(1.0))
    found = open_streams(records_of([]), [worker(0, 5000, MIB)], levels)
    assert found is not None
    assert math.isnan(found.target_bytes_per_stream)
    assert found.target_open is None


def test_workers_that_did_not_watch_themselves_leave_nothing_to_say() -> None:
    assert open_streams(records_of([]), [report(0)], None) is None


def test_the_machines_levels_survive_their_file() -> None:
    levels = machine(tcp_sockets=7)
    assert MachineReport.from_dict(levels.to_dict()) == levels


def test_a_workers_peak_survives_its_file() -> None:
    told = worker(0, 1000, MIB)
    assert WorkerReport.from_dict(told.to_dict()).peak == told.peak
