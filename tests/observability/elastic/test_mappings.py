"""Templates: field types that every Elasticsearch has, and retention only where the server can do it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from observability.elastic.client import connect
from observability.elastic.mappings import mapping_of
from observability.elastic.provision import RETENTION_DAYS, _template, provision
from observability.elastic.streams import Stream
from tests.observability.elastic.stand_in import StandIn

CORE = {"keyword", "text", "date", "long", "double", "boolean", "object", "nested", "flattened"}


def types_of(properties: dict[str, Any]) -> Iterator[str]:
    for field in properties.values():
        yield field["type"]
        yield from types_of(field.get("properties", {}))


@pytest.mark.parametrize("stream", Stream)
def test_a_stream_has_core_types_a_timestamp_and_what_joins_it_with_the_others(stream: Stream) -> None:
    properties = mapping_of(stream)["properties"]
    assert set(types_of(properties)) <= CORE
    assert properties["@timestamp"] == {"type": "date"}
    assert properties["trace.id"] == properties["labels.run_id"] == {"type": "keyword"}


@pytest.mark.parametrize("stream", Stream)
def test_numbers_say_their_unit(stream: Stream) -> None:
    units = ("_ms", "_seconds", "_share", "_per_second", "temperature")
    doubles = [name for name, field in mapping_of(stream)["properties"].items() if field["type"] == "double"]
    assert not [name for name in doubles if not name.endswith(units)]


@pytest.mark.parametrize("stream", Stream)
def test_retention_is_asked_for_where_the_server_can_do_it(stream: Stream) -> None:
    days = RETENTION_DAYS[stream]
    assert _template(stream, can_expire=True)["template"]["lifecycle"] == {"data_retention": f"{days}d"}
    assert "lifecycle" not in _template(stream, can_expire=False)["template"]


def test_what_was_left_out_is_told(stand_in: StandIn) -> None:
    with connect(stand_in.url) as client:
        (left_out,) = provision(client).left_out
    assert left_out.startswith("retention (requests 30 days, generator 30 days")
    assert left_out.endswith("this server has no data stream lifecycle, so nothing is ever deleted")


def test_a_stream_is_found_by_what_it_holds() -> None:
    assert [Stream.of(stream.dataset) for stream in Stream] == list(Stream)
    with pytest.raises(ValueError, match=r"logs-tidegate\.nothing-default"):
        Stream.of("nothing")
