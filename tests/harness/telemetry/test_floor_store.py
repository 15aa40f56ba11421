from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.measure.floor import Floor
from harness.telemetry.environment import read_environment
from harness.telemetry.floor_store import (
    environment_with_floor,
    floor_file,
    machine_of,
    read_floor,
    write_floor,
)
from tests.harness.measure.test_floor import floor


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Floor:
    """Return a floor of this machine, whose cache is empty."""
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path / "cache"))
    return replace(floor(), machine=machine_of(read_environment()))


def test_a_floor_is_kept_for_the_machine_it_was_measured_on(here: Floor, tmp_path: Path) -> None:
    assert read_floor() is None
    assert write_floor(here).parent == tmp_path / "cache"
    assert read_floor() == here
    assert environment_with_floor()["calibration_floor"]["added_ttft"]["p50_seconds"] == 3e-5


def test_another_machine_has_another_file(here: Floor) -> None:
    machine = here.machine
    others = (replace(machine, cpu="another"), replace(machine, cores=machine.cores + 1))
    assert len({floor_file(one) for one in (machine, *others)}) == 3
    write_floor(replace(here, machine=others[0]))
    assert read_floor() is None


def test_a_floor_that_this_version_cannot_read_is_none(here: Floor) -> None:
    file = write_floor(here)
    for broken in ("half of a fi", here.to_json().replace('"schema_version": 1', '"schema_version": 999')):
        file.write_text(broken)
        assert read_floor() is None
        assert environment_with_floor()["calibration_floor"] is None
