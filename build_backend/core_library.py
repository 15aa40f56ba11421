"""Compile ``harness/core/_core.so``: every C source of the checkout in one library, no Python headers."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

_OURS = Path("harness", "core", "src")
_THEIRS = [Path("harness", "core", "third_party", name) for name in ("llhttp", "yyjson")]
_FLAGS = ["-std=gnu11", "-O3", "-fPIC", "-fvisibility=hidden", "-pthread", "-DNDEBUG"]
_FLAGS += ["-Dyyjson_api="]  # else it makes its functions visible to all libraries of the process
_OUR_FLAGS = ["-Wall", "-Wextra", "-Werror=implicit"]
_THEIR_FLAGS = [
    "-w",  # their warnings are theirs to mend
    *(f"-DYYJSON_DISABLE_{part}=1" for part in ("WRITER", "UTILS", "INCR_READER")),  # half the compile time
]


def system_compiler() -> list[str] | None:
    """Return the command of this machine's C compiler, or None where there is none."""
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    return [found] if found else None


def packaged_compiler() -> list[str] | None:
    """Return the command of the compiler in the wheel ``ziglang``, or None where that is not installed."""
    if importlib.util.find_spec("ziglang") is None:
        return None
    command = [sys.executable, "-m", "ziglang", "cc"]
    if platform.libc_ver()[0] == "glibc":  # without a target zig builds for this very processor and library
        command += ["-target", f"{platform.machine()}-linux-gnu.2.28"]
    return command


def sources(root: Path) -> list[Path]:
    """Return every C source and header of the checkout ``root``."""
    folders = [root / folder for folder in (_OURS, *_THEIRS)]
    return sorted(p for folder in folders for p in folder.iterdir() if p.suffix in (".c", ".h"))


def compile_core(root: Path, library: Path) -> None:
    """Compile the checkout ``root`` to ``library``. Raises RuntimeError without a compiler."""
    compiler = system_compiler() or packaged_compiler()
    if compiler is None:
        raise RuntimeError("no C compiler: set CC, or install cc, gcc, clang or the wheel 'ziglang'")
    units = [path for path in sources(root) if path.suffix == ".c"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(partial(_compile, root, compiler), units))
    library.parent.mkdir(parents=True, exist_ok=True)
    made = library.with_name(f"{library.name}.{os.getpid()}")  # a running process may have the old one mapped
    subprocess.run([*compiler, "-shared", "-pthread", *objects, "-lm", "-o", str(made)], check=True)
    made.replace(library)


def _compile(root: Path, compiler: list[str], unit: Path) -> str:
    """Return the object file of one source; compile only when something that it rests on has changed."""
    includes = [f"-I{root / folder}" for folder in (_OURS, *_THEIRS)]
    flags = _OUR_FLAGS if unit.parent == root / _OURS else _THEIR_FLAGS
    command = [*compiler, *_FLAGS, *flags, *includes, "-c", str(unit)]
    made = root / "build" / "core" / f"{unit.stem}-{_digest(root, command, unit)}.o"
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        unfinished = made.with_suffix(f".{os.getpid()}")
        subprocess.run([*command, "-o", str(unfinished)], check=True)
        unfinished.replace(made)
    return str(made)


def _digest(root: Path, command: list[str], unit: Path) -> str:
    headers = [path for path in sources(root) if path.suffix == ".h"]
    digest = hashlib.sha256(repr(command).encode())
    for path in (unit, *headers):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
