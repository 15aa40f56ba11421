"""guidellm: one worker process, ready prompts, no full samples kept, the server's own token counts.

By default it starts up to ten worker processes and makes 4,096 prompts ahead while it measures; on one core
both take the time that the streams need.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.peer.environment import environment
from benchmarks.peer.tokenizer import tokenizer_folder
from benchmarks.peer.tool import PATH, Launch, Load, Reading

VERSION = "0.8.1"
PROMPTS = 8192  # more than it sends in any load here


class GuideLlm:
    name = "guidellm"
    ladder: tuple[int, ...] = (32, 128, 512)
    modest_counts = True
    short = True

    def get(self) -> str:
        self._bin = environment("guidellm", f"guidellm=={VERSION}")
        self._tokenizer = tokenizer_folder()
        return VERSION

    def launch(self, load: Load, folder: Path) -> Launch:
        backend = {"kind": "openai_http", "target": load.url, "model": "m", "request_format": PATH}
        profile = {"kind": "concurrent", "streams": [load.at_a_time], "warmup": {"value": 1.0}}
        prompts = folder / "prompts.jsonl"
        row = {"prompt": "word " * 8, "output_tokens_count": load.tokens}
        prompts.write_text(f"{json.dumps(row)}\n" * PROMPTS)
        options = {
            "backend": {**backend, "stream": load.streamed},
            "profile": profile,
            "constraint": {"kind": "max_duration", "seconds": load.seconds + 1.0},
            "tokenizer": {"kind": "huggingface_auto", "model": str(self._tokenizer)},
            "data": {"kind": "json_file", "path": str(prompts)},
            "data-loader": {"kind": "pytorch", "prefetch_factor": 256},
            "metrics": {"kind": "generative", "sample_size": 0},
            "output": {"kind": "json", "path": str(folder / "report.json")},
        }
        words = [word for name, value in options.items() for word in (f"--{name}", json.dumps(value))]
        command = [str(self._bin / "guidellm"), "run", *words, "--disable-console"]
        return Launch(command, {"GUIDELLM__MAX_WORKER_PROCESSES": "1", "HF_HUB_OFFLINE": "1"})

    def read(self, load: Load, folder: Path, output: str) -> Reading:  # noqa: ARG002
        (benchmark,) = json.loads((folder / "report.json").read_text())["benchmarks"]
        metrics = benchmark["metrics"]
        ttft = (metrics["time_to_first_token_ms"] or {}).get("successful", {}).get("percentiles") or {}
        itl = (metrics["inter_token_latency_ms"] or {}).get("successful", {}).get("percentiles") or {}
        warnings = ", ".join(warning["code"] for warning in benchmark["warnings"] or ())
        return Reading(
            metrics["requests_per_second"]["successful"]["mean"],
            failed=metrics["request_totals"]["errored"],
            ttft_p50_ms=ttft.get("p50", float("nan")),
            ttft_p99_ms=ttft.get("p99", float("nan")),
            itl_p50_ms=itl.get("p50", float("nan")),
            # With the tokens of streams that the end of the measurement cut off: it did take them in.
            tokens_per_second=metrics["output_tokens_per_second"]["total"]["mean"],
            note=f"it warns: {warnings}" if warnings else "",
        )
