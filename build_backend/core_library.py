"""Compile the C libraries that lie beside the Python modules: each one file for ctypes, no Python headers."""

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
from dataclasses import dataclass
from functools import partial
from pathlib import Path

_CORE = Path("harness", "core", "src")
_THEIRS = [Path("harness", "core", "third_party", name) for name in ("llhttp", "yyjson")]
_FLAGS = ["-std=gnu11", "-O3", "-fPIC", "-fvisibility=hidden", "-pthread", "-DNDEBUG"]
_FLAGS += ["-Dyyjson_api="]  # else it makes its functions visible to all libraries of the process
_OUR_FLAGS = ["-Wall", "-Wextra", "-Werror=implicit"]
_THEIR_FLAGS = [
    "-w",  # their warnings are theirs to mend
    *(f"-DYYJSON_DISABLE_{part}=1" for part in ("WRITER", "UTILS", "INCR_READER")),  # half the compile time
]


@dataclass(frozen=True, slots=True)
class Library:
    """The sources of one library: all of ``folder``, what it ``shares`` of the core, and the two parsers."""

    folder: Path
    shares: tuple[str, ...] = ()


LIBRARIES = {
    "harness.core._core": Library(_CORE),
    "harness.calibrate.golden._golden": Library(
        Path("harness", "calibrate", "golden", "src"), ("buffer.c", "json.c", "receive.c", "utf8.c")
    ),
}
"""Every library by the name that it would have as a Python module."""


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


def units(root: Path, library: Library) -> list[Path]:
    """Return every C source of one library of the checkout ``root``."""
    own = [path for folder in (library.folder, *_THEIRS) for path in (root / folder).glob("*.c")]
    return sorted([*own, *(root / _CORE / name for name in library.shares)])


def headers(root: Path, library: Library) -> list[Path]:
    """Return every header that the library's sources may include."""
    return _headers(root, _includes(library.folder))


def compile_library(root: Path, library: Library, made: Path) -> None:
    """Compile a library of the checkout ``root`` to ``made``. Raises RuntimeError without a compiler."""
    compiler = system_compiler() or packaged_compiler()
    if compiler is None:
        raise RuntimeError("no C compiler: set CC, or install cc, gcc, clang or the wheel 'ziglang'")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(partial(_compile, root, compiler), units(root, library)))
    made.parent.mkdir(parents=True, exist_ok=True)
    unfinished = made.with_name(f"{made.name}.{os.getpid()}")  # a running process may have the old one mapped
    subprocess.run([*compiler, "-shared", "-pthread", *objects, "-lm", "-o", str(unfinished)], check=True)
    unfinished.replace(made)


def _includes(folder: Path) -> list[Path]:
    """Return where the sources of a folder look for headers, their own folder first."""
    return [folder] if folder in _THEIRS else list(dict.fromkeys((folder, _CORE, *_THEIRS)))


def _headers(root: Path, folders: list[Path]) -> list[Path]:
    return sorted(path for folder in folders for path in (root / folder).glob("*.h"))


def _compile(root: Path, compiler: list[str], unit: Path) -> str:
    """Return the object file of one source; compile only when something that it rests on has changed."""
    folder = unit.parent.relative_to(root)
    flags = _THEIR_FLAGS if folder in _THEIRS else _OUR_FLAGS
    includes = [f"-I{root / included}" for included in _includes(folder)]
    command = [*compiler, *_FLAGS, *flags, *includes, "-c", str(unit)]
    digest = _digest(command, [unit, *_headers(root, _includes(folder))])
    made = root / "build" / "core" / f"{unit.stem}-{digest}.o"
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        unfinished = made.with_suffix(f".{os.getpid()}")
        subprocess.run([*command, "-o", str(unfinished)], check=True)
        unfinished.replace(made)
    return str(made)


def _digest(command: list[str], files: list[Path]) -> str:
    digest = hashlib.sha256(repr(command).encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
