"""How a run's generator comes to be watched by the stack that runs beside it."""

import json
import socket
from pathlib import Path

from stack import watch
from stack.native.ports import is_free


def stack_folder(tmp_path: Path, prometheus: str | None) -> Path:
    folder = tmp_path / ".tidegate"
    folder.mkdir()
    (folder / "stack.json").write_text(json.dumps({"endpoints": {"prometheus": prometheus}}))
    return folder


def test_without_a_stack_nobody_watches(tmp_path: Path):
    assert watch.watch_for(tmp_path / ".tidegate") is None


def test_a_stack_without_prometheus_watches_nobody(tmp_path: Path):
    assert watch.watch_for(stack_folder(tmp_path, None)) is None


def test_the_workers_pages_are_announced_while_the_load_is_on(tmp_path: Path):
    folder = stack_folder(tmp_path, "http://127.0.0.1:9090")
    watched = watch.watch_for(folder)
    assert watched is not None
    file = folder / "scrape" / "generator-sale-1.json"
    with watched("sale-1", ["127.0.0.1:9464", "127.0.0.1:9465"]):
        (group,) = json.loads(file.read_text())
        assert group["targets"] == ["127.0.0.1:9464", "127.0.0.1:9465"]
    assert not file.exists()


def test_the_ports_of_all_workers_are_free():
    first = watch.free_metrics_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first + 5))
        other = watch.free_metrics_port()
        assert other != first
        assert all(map(is_free, range(other, other + 64)))
