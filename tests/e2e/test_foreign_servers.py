"""Servers that we did not write: llama.cpp's own HTTP server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.servers import answers, only_run, stopped_at_the_end, tidegate, wait_until

SMOKE = Path(__file__).parents[2] / "scenarios" / "smoke.yaml"
SERVER = """
import signal, sys
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port = sys.argv[1], int(sys.argv[2])
params.hostnames, params.endpoint_metrics = ["127.0.0.1"], True
params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 4096, 4, 1
server = xllamacpp.Server(params)
signal.pause()
"""


@pytest.fixture
def llama_cpp(free_port, smollm2_gguf, tmp_path):
    with (tmp_path / "llama.log").open("wb") as log:
        command = [sys.executable, "-c", SERVER, str(smollm2_gguf), str(free_port)]
        with stopped_at_the_end(subprocess.Popen(command, stdout=log, stderr=log)) as process:
            wait_until(lambda: answers(f"http://127.0.0.1:{free_port}/health"), process)
            yield f"http://127.0.0.1:{free_port}"


@pytest.mark.model
def test_the_smoke_scenario_runs_against_llama_cpp_and_the_counts_agree(llama_cpp, tmp_path):
    done = tidegate("run", str(SMOKE), "--target", llama_cpp, cwd=tmp_path)
    run_dir = only_run(tmp_path / "runs")
    summary = json.loads((run_dir / "summary.json").read_text())
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert summary["whole"]["ok"] == summary["whole"]["offered"] > 0
    assert summary["reconciliation"]["kind"] == "llamacpp"
    assert summary["reconciliation"]["output_tokens_agree"] is True
