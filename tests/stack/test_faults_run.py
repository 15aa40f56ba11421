"""A whole run, in the midst of which the store goes away."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from tests.e2e.servers import BIN, only_run, reference_target
from tests.stack.conftest import Server
from tests.stack.flowing import STOP_SECONDS, wait_until

SCENARIO = """
name: away
seed: 3
workload: {prompt_tokens: 16, output_tokens: 8}
drain: 5s
stages:
  - {name: calm, duration: DURATION, rate: 40/s, arrivals: constant}
slos:
  - {name: ttft-p90, metric: ttft, percentile: 90, at_most: 1s}
limits: {schedule_delay_p99: 500ms, loop_lag_p99: 500ms}
"""


def test_a_run_in_the_midst_of_which_the_server_is_away_is_complete_all_the_same(
    elasticsearch: Server, tmp_path: Path
) -> None:
    elasticsearch.start()
    seconds = round(STOP_SECONDS) + 4
    scenario = tmp_path / "away.yaml"
    scenario.write_text(SCENARIO.replace("DURATION", f"{seconds}s"))
    store = ("--elasticsearch", elasticsearch.url)
    scripted = ("--engine", "scripted", "--timetable", "ttft=20ms,gap=5ms,slots=32,queue=64")
    spool = ("--spool-dir", str(tmp_path / "target-spool"))
    with reference_target(tmp_path, *scripted, *store, *spool) as url:
        command = [str(BIN / "tidegate"), "run", str(scenario), "--target", url, "--workers", "1", *store]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as running:
            wait_until(lambda: "stage calm begins" in generator_log(tmp_path))
            elasticsearch.stop()
            time.sleep(STOP_SECONDS)
            assert "load ended" not in generator_log(tmp_path)
            elasticsearch.start()
            assert running.wait(120) == 0
    streams = json.loads((only_run(tmp_path / "runs") / "telemetry.json").read_text())["elasticsearch"][
        "streams"
    ]
    assert {name: told["complete"] for name, told in streams.items()} == dict.fromkeys(
        ("requests", "generator", "target", "runs"), True
    )
    assert streams["requests"]["stored"] == streams["target"]["stored"] == 40 * seconds


def generator_log(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.glob("runs/*/generator.log.jsonl"))
