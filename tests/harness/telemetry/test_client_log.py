import json

import pyarrow as pa

from harness.measure.record import SCHEMA, Outcome
from harness.measure.records import from_tables
from harness.scenario.model import Rate, Scenario, Stage
from harness.telemetry.client_log import LoggedRun, write_client_log
from observability.trace_ids import trace_id

SECOND = 1_000_000_000
SCENARIO = Scenario(
    name="s", trace_sample_share=0.0, stages=(Stage(name="calm", duration=1.0, rate=Rate(1.0, "per_second")),)
)
RUN = LoggedRun("run-1", SCENARIO, 1_800_000_000 * SECOND, "PASS")


def records(*outcomes: Outcome):
    rows = [
        {
            "seq": seq, "worker": 0, "stage": 0, "trace_id": trace_id("run-1", seq), "sampled": False,
            "intended_ns": seq * SECOND, "outcome": outcome.value, "end_ns": seq * SECOND + SECOND // 2 + seq,
            "sent_ns": seq * SECOND, "first_token_ns": seq * SECOND + 5, "last_token_ns": seq * SECOND + 9,
            "http_status": 200, "input_tokens": 1, "output_tokens": 2, "max_tokens": 2,
            "token_source": "usage", "chunks": 2, "max_gap_ns": 4, "bytes_received": 10, "reconnects": 0,
        }
        for seq, outcome in enumerate(outcomes)
    ]  # fmt: skip
    return from_tables([pa.Table.from_pylist(rows, schema=SCHEMA)])


def lines(tmp_path, recorded):
    file = tmp_path / "client.log.jsonl"
    count = write_client_log(file, RUN, recorded)
    read = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(read) == count
    return read


def test_every_failure_has_a_line_with_its_trace_and_the_time_at_which_it_ended(tmp_path):
    read = lines(tmp_path, records(*[Outcome.OK] * 3, Outcome.TIMEOUT))
    (failed,) = [line for line in read if line.get("event.outcome") == "failure"]
    assert failed["trace.id"] == trace_id("run-1", 3)
    assert failed["labels.run_id"] == "run-1"
    assert failed["tidegate.outcome"] == "timeout"
    assert failed["@timestamp"] == "2027-01-15T08:00:03.500+00:00"  # 1.8e9 s, plus 3.5 s
    assert failed["log.level"] == "warning"


def test_the_slowest_percent_has_lines_and_the_rest_has_not(tmp_path):
    read = lines(tmp_path, records(*[Outcome.OK] * 200))
    logged = {line["tidegate.seq"] for line in read if "tidegate.seq" in line}
    assert logged == {198, 199}


def test_the_last_line_is_the_verdict_and_writing_again_does_not_append(tmp_path):
    recorded = records(Outcome.OK)
    lines(tmp_path, recorded)
    read = lines(tmp_path, recorded)
    assert read[-1]["event.outcome"] == "PASS"
    assert len([line for line in read if line["message"] == "run judged"]) == 1
