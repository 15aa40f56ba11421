from __future__ import annotations

import numpy as np
import pytest

from harness.calibrate.golden.grpc_server import golden_grpc
from harness.measure.record import Outcome
from tests.harness.load.test_grpc_client import Prompt, Tool


@pytest.mark.parametrize(("streams", "per_channel", "channels"), [(1000, 100, 10), (30, 7, 5), (5, 1, 5)])
def test_no_channel_carries_more_streams_than_it_may_and_there_are_no_more_channels_than_that_needs(
    streams: int, per_channel: int, channels: int
) -> None:
    with golden_grpc("ttft=1500ms,gap=10ms,tokens=2") as golden:
        due_seconds = np.linspace(0, 0.5, streams)
        records = Tool(golden.url, Prompt("x"), *due_seconds, streams_per_channel=per_channel).run()
        truth, seen = golden.stop()
    assert {record.outcome for record in records} == {Outcome.OK}
    assert (seen.connections, seen.most_streams_on_one, seen.most_streams) == (channels, per_channel, streams)
    assert len(truth) == len(records) == streams
    assert truth.total_tokens == sum(record.output_tokens for record in records) == 2 * streams


def test_channels_are_used_in_turn() -> None:
    with golden_grpc("ttft=200ms,gap=1ms,tokens=1") as golden:
        crowd, after = [0.0] * 20, list(0.6 + 0.01 * np.arange(10))
        Tool(golden.url, Prompt("x"), *crowd, *after, streams_per_channel=10).run()
        _, seen = golden.stop()
    assert (seen.connections, seen.most_streams_on_one) == (2, 10)
