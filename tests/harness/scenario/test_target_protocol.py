"""HTTP or gRPC: what follows from the URL, what must agree, and what is said when it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from harness.errors import UsageError
from harness.scenario.load import aim, dump, json_schema, load_scenario
from harness.scenario.model import Scenario, Target

STAGES = [{"name": "only", "duration": "1s", "rate": "5/s"}]


def loaded(folder: Path, **target: Any) -> Scenario:
    file = folder / "s.yaml"
    file.write_text(yaml.safe_dump({"name": "s", "target": target, "stages": STAGES}))
    return load_scenario(file)


@pytest.mark.parametrize("given", [{"url": "grpc://h:50051"}, {"protocol": "vllm-grpc"}])
def test_the_protocol_follows_from_the_url_and_the_api_from_the_protocol(tmp_path: Path, given: Any) -> None:
    target = loaded(tmp_path, **given).target
    assert (target.protocol, target.api) == ("vllm-grpc", "completions")


def test_what_was_written_by_us_is_read_as_the_same_target(tmp_path: Path) -> None:
    scenario = loaded(
        tmp_path, url="grpcs://h:1/", streams_per_channel=7, metrics_url="http://h:2/metrics?a=b"
    )
    (tmp_path / "again.yaml").write_text(dump(scenario))
    assert load_scenario(tmp_path / "again.yaml").target == scenario.target
    assert scenario.target.url == "grpcs://h:1"


@pytest.mark.parametrize(
    ("given", "key", "allowed"),
    [
        ({"url": "http://h:1", "protocol": "vllm-grpc"}, "url", "a gRPC URL beside protocol: vllm-grpc"),
        ({"url": "grpc://h:1", "protocol": "http"}, "protocol", "vllm-grpc, or no protocol"),
        ({"url": "grpc://h:1", "api": "chat"}, "api", "without a chat template"),
        ({"streams_per_channel": 9}, "streams_per_channel", "only beside protocol: vllm-grpc"),
        ({"url": "grpc://h"}, "url", "host and port"),
        ({"url": "grpc://h:1/v1/x"}, "url", "host and port"),
        (
            {"url": "grpc://h:1", "streams_per_channel": 0},
            "streams_per_channel",
            "greater than or equal to 1",
        ),
        ({"protocol": "grpc"}, "protocol", "vllm-grpc"),
        ({"metrics_url": "grpc://h:1"}, "metrics_url", "an http or https URL"),
        ({"url": "grpc://h:1", "connection": "close"}, "connection", "keep_alive"),
    ],
)
def test_what_does_not_agree_is_told_with_its_key_and_what_is_allowed(
    tmp_path: Path, given: Any, key: str, allowed: str
) -> None:
    with pytest.raises(UsageError) as error:
        loaded(tmp_path, **given)
    assert f"target.{key}: given" in str(error.value)
    assert allowed in str(error.value)


def test_a_target_made_in_python_is_held_to_the_same() -> None:
    with pytest.raises(ValueError, match="without a chat template"):
        Target(url="grpc://h:1", api="chat")


def test_a_grpc_url_on_the_command_line_turns_an_http_scenario_to_grpc(tmp_path: Path) -> None:
    target = aim(loaded(tmp_path, api="chat", read_timeout="3s"), "grpc://h:1", "m").target
    assert (target.protocol, target.api, target.model) == ("vllm-grpc", "completions", "m")
    assert target.read_timeout == 3


def test_an_http_url_on_the_command_line_does_not_fit_a_grpc_scenario(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, protocol="vllm-grpc")
    with pytest.raises(UsageError, match="a gRPC URL beside protocol: vllm-grpc"):
        aim(scenario, "http://h:1", None)
    with pytest.raises(UsageError, match="the target is not usable: an http or https URL"):
        aim(scenario, "nonsense", None)


def test_the_json_schema_knows_the_protocol() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    good = {"url": "grpc://h:1", "protocol": "vllm-grpc", "streams_per_channel": 50}
    assert validator.is_valid({"name": "s", "target": good, "stages": STAGES})
    for bad in ({"protocol": "grpc"}, {"url": "ftp://h"}, {"streams_per_channel": 0}):
        assert not validator.is_valid({"name": "s", "target": bad, "stages": STAGES})
