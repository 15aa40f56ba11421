import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario.load import dump, load_scenario
from harness.scenario.model import Target
from harness.scenario.source_addresses import MOST_ADDRESSES, expand, read
from tests.harness.scenario.scenario_files import write

BASE = """
name: many
target: {{url: "{url}", source_addresses: {sources}}}
stages: [{{name: a, duration: 1s, rate: 1/s}}]
"""


def test_a_network_gives_the_addresses_that_hosts_may_have() -> None:
    assert expand(["127.0.1.0/29"]) == tuple(f"127.0.1.{n}" for n in range(1, 7))


def test_a_range_gives_both_ends_and_a_single_address_itself() -> None:
    assert expand(["127.0.1.254-127.0.2.1"]) == ("127.0.1.254", "127.0.1.255", "127.0.2.0", "127.0.2.1")
    assert expand(["127.0.0.9"]) == ("127.0.0.9",)


def test_an_address_that_is_named_twice_counts_once() -> None:
    assert expand(["127.0.0.1-127.0.0.3", "127.0.0.2", "::1"]) == (
        "127.0.0.1",
        "127.0.0.2",
        "127.0.0.3",
        "::1",
    )


@pytest.mark.parametrize(
    "wrong",
    ["", "home", "127.0.0.300", "127.0.0.2-127.0.0.1", "127.0.0.1-::1", "10.0.0.0/8", [], [7], 7, None],
)
def test_what_is_no_set_of_addresses_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.1\.0/24"):
        read(wrong)


@given(st.integers(0, MOST_ADDRESSES + 2))
def test_as_many_addresses_as_allowed_and_no_more(count: int) -> None:
    last = f"127.{1 + (count >> 16)}.{count >> 8 & 255}.{count & 255}"
    if count < MOST_ADDRESSES:
        assert read(f"127.1.0.0-{last}") == (f"127.1.0.0-{last}",)
    else:
        with pytest.raises(ValueError, match="65536 addresses"):
            read(f"127.1.0.0-{last}")


def test_a_scenario_keeps_them_as_they_were_written(tmp_path) -> None:
    written = BASE.format(url="http://127.0.0.1:1", sources="127.0.1.0/24")
    scenario = load_scenario(write(tmp_path, written, "many.yaml"))
    assert scenario.target.source_addresses == ("127.0.1.0/24",)
    assert load_scenario(write(tmp_path, dump(scenario), "again.yaml")) == scenario


@pytest.mark.parametrize("key", [{"source_addresses": "127.0.1.0/24"}, {"connection": "close"}])
def test_neither_key_stands_beside_grpc_whose_requests_share_connections(key: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="gRPC"):
        Target(url="grpc://127.0.0.1:5", **key)
