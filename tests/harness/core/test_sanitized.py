"""The core under the address and undefined-behaviour sanitizers: every read lies in a block of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_CORE = _ROOT / "harness" / "core"
_FLAGS = (
    "-std=gnu11",
    "-O0",
    "-g",
    "-w",
    "-fPIC",
    "-pthread",
    "-fno-omit-frame-pointer",
    "-fno-sanitize-recover",
)
_LEAN = ("-DYYJSON_DISABLE_WRITER=1", "-DYYJSON_DISABLE_UTILS=1", "-DYYJSON_DISABLE_INCR_READER=1")
_RUNTIMES = ("libasan.so", "libubsan.so")

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc and its sanitizers")


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sanitized")
    theirs = sorted((_CORE / "third_party").glob("*/*.c"))
    command = ["gcc", *_FLAGS, *(f"-I{path}" for path in (_CORE / "src", *{unit.parent for unit in theirs}))]
    subprocess.run([*command, *_LEAN, "-fsanitize=address", "-c", *theirs], cwd=folder, check=True)
    objects = [folder / f"{unit.stem}.o" for unit in theirs]
    ours = [*command, "-fsanitize=address,undefined", *(_CORE / "src").glob("*.c"), *objects, "-lm"]
    subprocess.run([*ours, "-shared", "-o", folder / "core.so"], check=True)
    return folder / "core.so"


def preloaded() -> str:
    """Python itself is not instrumented, so the runtimes must be there before it."""
    found = [
        subprocess.check_output(["gcc", f"-print-file-name={name}"], text=True).strip() for name in _RUNTIMES
    ]
    if not all(Path(path).is_absolute() for path in found):
        pytest.skip("gcc has no sanitizer runtimes")
    return " ".join(found)


def test_no_answer_makes_the_core_touch_what_is_not_its_own(sanitized: Path) -> None:
    env = {
        **os.environ,
        "LD_PRELOAD": preloaded(),
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONMALLOC": "malloc",
    }
    program = [sys.executable, "-m", "tests.harness.core.random_answers", str(sanitized), "3000", "sanitized"]
    run = subprocess.run(program, env=env, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
