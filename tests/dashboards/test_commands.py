from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dashboards.commands import app
from dashboards.run_marks import marks_of
from harness.errors import TidegateError, UsageError
from stack.grafana_token import keep_token
from tests.dashboards.grafana_standin import Grafana
from tests.dashboards.standin import StandIn, stand_in
from tests.harness.report.run_folders import KINDS, START_WALL_NS, write_run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "flash-sale-1", KINDS["FAIL"])


@pytest.fixture
def grafana() -> Iterator[StandIn]:
    with stand_in(Grafana().answer) as seen:
        yield seen


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_check_finds_nothing_in_what_is_committed():
    assert "as they should be" in invoke("check")


def test_rules_for_slo_files_of_ones_own_are_printed():
    text = invoke("slo-rules", str(ROOT / "scenarios/slos/errors.yaml"))
    assert text.startswith("# Alerts for production")
    assert "slo-errors" in text


def test_a_run_is_marked_where_it_began_and_where_its_stages_did(run_dir: Path):
    run_id, (whole, *stages) = marks_of(run_dir)
    start_ms = START_WALL_NS // 1_000_000
    assert (whole.start_ms, whole.text) == (start_ms, "flash-sale-1: FAIL")
    assert run_id == "flash-sale-1"
    assert [mark.text.split(": ")[1] for mark in stages] == ["calm", "sale", "fade", "after"]
    assert stages[0].start_ms == start_ms
    assert stages[1].start_ms == start_ms + 40_000


def test_annotating_twice_adds_the_marks_once(run_dir: Path, grafana: StandIn):
    arguments = ("annotate", str(run_dir), "--grafana", grafana.url, "--token", "t")
    assert "5 marks added, 0 were there" in invoke(*arguments)
    assert "0 marks added, 5 were there" in invoke(*arguments)


def test_the_token_that_provisioning_kept_is_used(
    run_dir: Path, grafana: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / ".tidegate").mkdir()
    file = keep_token(tmp_path / ".tidegate", "kept")
    assert file.stat().st_mode & 0o777 == 0o600
    monkeypatch.chdir(tmp_path)
    invoke("annotate", str(run_dir), "--grafana", grafana.url)
    assert {call.headers["authorization"] for call in grafana.calls} == {"Bearer kept"}


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (("annotate", "{run}"), UsageError, "needs a token"),
        (("annotate", "{empty}", "--token", "t"), UsageError, "no finished run is stored here"),
        (("annotate", "{run}", "--token", "t"), UsageError, "no grafana is running here"),
        (("preview", "{empty}"), UsageError, "no prometheus is running here"),
        (
            ("preview", "{empty}", "--prometheus", "http://127.0.0.1:1"),
            TidegateError,
            "no answer from Prometheus",
        ),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(
    run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments, error, told: str
):
    monkeypatch.chdir(tmp_path)  # where no stack was started
    filled = [each.format(run=run_dir, empty=tmp_path / "empty") for each in arguments]
    with pytest.raises(error, match=told):
        CliRunner().invoke(app, filled, catch_exceptions=False)
