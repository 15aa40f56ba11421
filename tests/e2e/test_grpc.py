"""A whole run over gRPC, from the command line, against the golden gRPC target."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from harness.calibrate.golden.grpc_server import golden_grpc
from tests.e2e.servers import only_run, tidegate

SCENARIO = """
name: over-grpc
workload: {prompt_tokens: 16, output_tokens: 8}
capacity: {concurrency: 4, duration: 1s}
drain: 5s
target: {protocol: vllm-grpc, streams_per_channel: 3, metrics_url: "METRICS"}
stages:
  - {name: calm, duration: 3s, rate: 0.3x, arrivals: constant}
slos:
  - {name: ttft-p50, metric: ttft, percentile: 50, at_most: 500ms}
limits: {schedule_delay_p99: 200ms, loop_lag_p99: 200ms}
"""


def test_a_run_over_grpc_finds_the_capacity_agrees_with_the_server_s_counts_and_names_the_protocol(
    tmp_path: Path,
) -> None:
    with golden_grpc("ttft=20ms,gap=5ms") as golden:
        scenario = tmp_path / "s.yaml"
        scenario.write_text(SCENARIO.replace("METRICS", f"{golden.http_url}/metrics"))
        done = tidegate("run", str(scenario), "--target", golden.url, cwd=tmp_path)
        truth, seen = golden.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    run_dir = only_run(tmp_path / "runs")
    summary = json.loads((run_dir / "summary.json").read_text())
    counts = summary["reconciliation"]
    records = pq.read_table(run_dir / "records-0.parquet")
    assert counts["requests_agree"] is True
    assert counts["output_tokens_agree"] is True
    assert counts["client_output_tokens"] == 8 * records.num_rows
    trace_ids = set(records.column("trace_id").to_pylist())
    assert trace_ids <= set(truth.trace_id.tolist())
    assert seen.most_streams_on_one <= 3
    assert "gRPC, vLLM&#x27;s engine service" in (run_dir / "report.html").read_text()
    assert "model: golden" in (run_dir / "scenario.yaml").read_text()


def test_a_grpc_target_that_is_not_there_aborts_with_a_sentence(tmp_path: Path, free_port: int) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text(SCENARIO.replace("METRICS", "http://127.0.0.1:1/metrics").replace("0.3x", "5/s"))
    done = tidegate("run", str(scenario), "--target", f"grpc://127.0.0.1:{free_port}", cwd=tmp_path)
    assert done.returncode == 5
    assert f"no answer from grpc://127.0.0.1:{free_port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_http_url_for_a_grpc_scenario_is_a_usage_error(tmp_path: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text(SCENARIO.replace("METRICS", "http://127.0.0.1:1/metrics"))
    done = tidegate("run", str(scenario), "--target", "http://127.0.0.1:1", cwd=tmp_path)
    assert done.returncode == 2
    assert "a gRPC URL beside protocol: vllm-grpc" in done.stderr
