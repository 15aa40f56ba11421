"""When a run's telemetry is complete, and what is said of it when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.telemetry.completeness import Shipping, StreamCounts, read_shipping, store_shipping
from harness.telemetry.telemetry_file import read_telemetry, update_telemetry


@pytest.mark.parametrize(
    ("counts", "complete"),
    [
        (StreamCounts(sent=10, acknowledged=10, stored=10), True),
        (StreamCounts(sent=10, acknowledged=4, duplicates=6, stored=10), True),
        (StreamCounts(sent=10, acknowledged=10, stored=9), False),
        (StreamCounts(sent=10, acknowledged=10, stored=11), False),  # a second copy is no completeness
        (StreamCounts(sent=10, acknowledged=10), False),  # the store could not be asked
        (StreamCounts(sent=10, stored=12, unseen=2), True),
        (StreamCounts(sent=10, stored=13, unseen=2), False),
        (StreamCounts(sent=0, stored=0), True),
    ],
)
def test_complete_means_that_the_store_holds_what_was_sent_once_each(
    counts: StreamCounts, complete: bool
) -> None:
    assert counts.is_complete is complete


def test_what_is_missing_is_told_with_its_reason() -> None:
    short = StreamCounts(sent=10, acknowledged=4, dead_lettered=1, dropped=2, waiting=3, stored=4)
    shipping = Shipping({"requests": short, "runs": StreamCounts(1, 1, stored=1)}, damaged_bytes=17)
    assert list(shipping.problems()) == [
        "requests: Elasticsearch holds 4 of 10 documents, 3 still wait in the spool, "
        "2 did not fit into the spool, 1 were refused by Elasticsearch",
        "17 bytes of the spool were damaged",
    ]
    assert not shipping.is_complete


def test_it_is_read_back_from_the_runs_folder_beside_the_other_parts(tmp_path: Path) -> None:
    assert read_shipping(tmp_path) is None
    update_telemetry(tmp_path, records=240)
    shipping = Shipping({"requests": StreamCounts(3, 2, 1, stored=3)}, "gone", ("retention: none",))
    store_shipping(tmp_path, shipping)
    assert read_shipping(tmp_path) == shipping
    assert read_telemetry(tmp_path)["records"] == 240
    assert read_telemetry(tmp_path)["elasticsearch"]["streams"]["requests"]["complete"] is True
