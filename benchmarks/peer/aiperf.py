"""aiperf: one worker and one record processor, no side collectors, the server's own token counts.

Its default on a small machine is one worker too; more processes than cores slow it down.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.peer.environment import environment
from benchmarks.peer.tokenizer import tokenizer_folder
from benchmarks.peer.tool import NAN, Launch, Load, Reading

VERSION = "0.13.0"


class AiPerf:
    name = "aiperf"
    ladder: tuple[int, ...] = (32, 128, 512)
    modest_counts = True
    short = True

    def get(self) -> str:
        self._bin = environment("aiperf", f"aiperf=={VERSION}")
        self._tokenizer = tokenizer_folder()
        return VERSION

    def launch(self, load: Load, folder: Path) -> Launch:
        command = [
            str(self._bin / "aiperf"),
            "profile",
            "-m",
            "m",
            "--url",
            load.url,
            "--endpoint-type",
            "chat",
        ]
        command += ["--streaming"] if load.streamed else []
        command += ["--tokenizer", str(self._tokenizer), "--use-server-token-count"]
        command += ["--isl", "8", "--osl", str(load.tokens), "--num-dataset-entries", "16"]
        command += ["--concurrency", str(load.at_a_time), "--benchmark-duration", f"{load.seconds:g}"]
        command += ["--warmup-duration", "1", "--benchmark-grace-period", "10"]
        command += ["--workers-max", "1", "--record-processors", "1", "--ui", "none"]
        command += ["--no-gpu-telemetry", "--no-server-metrics", "--export-level", "summary"]
        return Launch([*command, "--artifact-dir", str(folder / "artifacts")])

    def read(self, load: Load, folder: Path, output: str) -> Reading:  # noqa: ARG002
        report: dict[str, Any] = json.loads((folder / "artifacts/profile_export_aiperf.json").read_text())

        def figure(name: str, of: str) -> float:
            return float((report.get(name) or {}).get(of, NAN))

        failed = figure("error_request_count", "avg")
        return Reading(
            figure("request_throughput", "avg"),
            failed=int(failed) if failed == failed else 0,
            ttft_p50_ms=figure("time_to_first_token", "p50"),
            ttft_p99_ms=figure("time_to_first_token", "p99"),
            itl_p50_ms=figure("inter_token_latency", "p50"),
            tokens_per_second=figure("output_token_throughput", "avg"),
        )
