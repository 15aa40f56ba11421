"""Where connections go out from, and whether they are used again. Both engines keep the same promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from harness.errors import UsageError
from harness.load.endpoint import resolve_endpoint
from harness.measure.record import Outcome
from harness.scenario.model import Target
from tests.harness.load.engines import Bench, plan_at
from tests.harness.load.servers import Server, good

MakeBench = Callable[..., Bench]


def test_connections_go_out_from_the_source_addresses_in_turn(bench: MakeBench) -> None:
    sources = "127.0.7.1-127.0.7.3"
    with Server(good) as server:
        url = f"http://127.0.0.1:{server.port}"
        records = bench(url, plan_at(*[0.01] * 9), source_addresses=sources, connection="close").run()
        seen = Counter(asked.writer.get_extra_info("peername")[0] for asked in server.asked)
    assert [record.outcome for record in records] == [Outcome.OK] * 9
    assert seen == {"127.0.7.1": 3, "127.0.7.2": 3, "127.0.7.3": 3}


def test_close_gives_each_request_a_connection_of_its_own(bench: MakeBench) -> None:
    with Server(good) as server:
        records = bench(server.url, plan_at(0.0, 0.1, 0.2), connection="close").run()
        heads = [asked.head for asked in server.asked]
    assert {record.outcome for record in records} == {Outcome.OK}
    assert server.connections == 3
    assert all("\r\nConnection: close\r\n" in head for head in heads)


def test_keep_alive_uses_one_connection_again(bench: MakeBench) -> None:
    with Server(good) as server:
        bench(server.url, plan_at(0.0, 0.1, 0.2)).run()
        assert "connection:" not in server.asked[0].head.lower()
    assert server.connections == 1


def test_a_source_address_that_is_not_ours_drops_the_arrival(bench: MakeBench) -> None:
    with Server(good) as server:
        url = f"http://127.0.0.1:{server.port}"
        [record] = bench(url, plan_at(0.0), source_addresses="192.0.2.1").run()
    assert (record.outcome, record.sent_ns) == (Outcome.DROPPED, None)


def test_only_addresses_that_a_source_can_reach_are_tried() -> None:
    endpoint = resolve_endpoint(Target(url="http://localhost:80", source_addresses="127.0.7.1"))
    assert {address[0] for _, address in endpoint.addresses} == {"127.0.0.1"}


@pytest.mark.parametrize("sources", ["::1", ["127.0.0.1", "::1"]])
def test_sources_of_another_kind_than_the_target_are_refused(sources: object) -> None:
    with pytest.raises(UsageError, match="IPv4"):
        resolve_endpoint(Target(url="http://127.0.0.1:80", source_addresses=sources))
