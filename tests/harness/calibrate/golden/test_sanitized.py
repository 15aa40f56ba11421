"""The golden target under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.calibrate.golden.child import end, wait_for_ports
from harness.calibrate.golden.truth import read_truth
from tests.harness.calibrate.golden.client import connected
from tests.harness.calibrate.golden.traffic import (
    ask_ahead,
    ask_byte_by_byte,
    leave_by_resets,
    read_slowly,
    send_too_far_ahead,
)
from tests.harness.core.test_sanitized import _FLAGS, _LEAN, preloaded

_ROOT = Path(__file__).parents[4]
_SOURCES = _ROOT / "harness" / "calibrate" / "golden" / "src"
_CORE = _ROOT / "harness" / "core"
_SHARED = ("buffer.c", "json.c", "receive.c", "utf8.c")

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc and its sanitizers")


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sanitized")
    theirs = sorted((_CORE / "third_party").glob("*/*.c"))
    includes = (_SOURCES, _CORE / "src", *{unit.parent for unit in theirs})
    command = ["gcc", *_FLAGS, *(f"-I{path}" for path in includes)]
    subprocess.run([*command, *_LEAN, "-fsanitize=address", "-c", *theirs], cwd=folder, check=True)
    ours = [*_SOURCES.glob("*.c"), *(_CORE / "src" / name for name in _SHARED)]
    objects = [folder / f"{unit.stem}.o" for unit in theirs]
    linked = [*command, "-fsanitize=address,undefined", *ours, *objects, "-shared", "-o", "golden.so"]
    subprocess.run(linked, cwd=folder, check=True)
    return folder / "golden.so"


def test_no_client_makes_the_target_touch_what_is_not_its_own(sanitized: Path, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    env = {**os.environ, "LD_PRELOAD": preloaded(), "PYTHONMALLOC": "malloc"}
    env["ASAN_OPTIONS"] = f"detect_leaks=0:log_path={errors}"
    program = [sys.executable, "-m", "tests.harness.calibrate.golden.sanitized_target", str(sanitized)]
    options = [
        "--timetable",
        "ttft=1ms,gap=1ms",
        "--port-file",
        str(tmp_path / "port"),
        "--log",
        str(tmp_path),
    ]
    process = subprocess.Popen([*program, *options], env=env, cwd=_ROOT)
    try:
        [port] = wait_for_ports(process, tmp_path / "port")
        _load(f"http://127.0.0.1:{port}")
    finally:
        end(process)
    assert process.returncode == 0
    assert list(tmp_path.glob("errors*")) == []
    assert len(read_truth(tmp_path)) == 2 + 300 + 20 + 1 + 1 + 3 + 1100


def _load(url: str) -> None:
    assert ask_byte_by_byte(url) == [2, 3]
    assert ask_ahead(url, 300) == list(range(1, 301))
    leave_by_resets(url, 20)
    assert read_slowly(url, 20_000).tokens == 20_000
    assert send_too_far_ahead(url, 18 << 20) in {"reset", "eof"}
    for line in ("truncate=2", "reset=2,stall=2:5ms", "status=503"):
        with connected(url) as client:
            client.ask(max_tokens=5, golden=line)
    with connected(url) as client:
        for max_tokens in range(1, 1101):
            client.ask(stream=False, max_tokens=max_tokens, golden="ttft=0s,gap=lognormal(1ns,0.1)")
        client.socket.sendall(b"GET / HTTP/1.1\r\nx: " + b"x" * 70_000)
        assert client.socket.recv(1000).startswith(b"HTTP/1.1 431 ")
