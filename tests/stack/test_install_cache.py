import subprocess
import sys
import time
from pathlib import Path

import pytest

from stack.errors import NotObtainableError
from stack.install.cache import content_key, kept
from stack.install.golang import GoProgram
from stack.install.maven import Artifact, download
from stack.install.tools import run_tool, tool


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path))
    return tmp_path / "stack"


def write_a_binary(folder: Path) -> None:
    (folder / "binary").write_text("built")


def fail_half_way(folder: Path) -> None:
    (folder / "half").write_text("")
    raise NotObtainableError("the registry went away")


def test_a_folder_is_made_at_the_first_call_only(cache: Path):
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        write_a_binary(folder)

    first, second = kept("thing-1", make), kept("thing-1", make)

    assert first == second == cache / "thing-1"
    assert (first / "binary").read_text() == "built"
    assert len(made) == 1


def test_what_failed_half_way_is_not_taken_for_finished_and_is_made_again(cache: Path):
    with pytest.raises(NotObtainableError, match="the registry went away"):
        kept("thing-1", fail_half_way)
    assert not (cache / "thing-1").exists()

    assert list(kept("thing-1", write_a_binary).iterdir()) == [cache / "thing-1" / "binary"]


def test_what_a_killed_process_left_behind_is_thrown_away(cache: Path):
    left = cache / ".thing-1.part" / "half"
    left.parent.mkdir(parents=True)
    left.write_text("")

    assert [file.name for file in kept("thing-1", write_a_binary).iterdir()] == ["binary"]


def test_two_processes_that_need_the_same_folder_make_it_once(cache: Path):
    program = """
import sys, time
from pathlib import Path
from stack.install.cache import kept

def make(folder):
    with open(sys.argv[1], "a") as made:
        made.write("x")
    time.sleep(0.5)
    (folder / "binary").write_text("built")

print((kept("thing-1", make) / "binary").read_text())
"""
    times = cache.parent / "made"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(times)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]

    assert [process.communicate(timeout=30)[0] for process in processes] == ["built\n", "built\n"]
    assert times.read_text() == "x"


def test_another_input_is_another_key_also_when_the_bytes_are_cut_elsewhere():
    assert content_key(b"ab", b"c") != content_key(b"a", b"bc")
    assert content_key(b"ab", b"c") == content_key(b"ab", b"c")
    assert len(content_key(b"")) == 12


def test_the_key_of_a_build_changes_with_version_flags_and_sources():
    one = GoProgram("example.org/tool@v1.0.0")

    assert one.inputs() != GoProgram("example.org/tool@v1.0.1").inputs()
    assert one.inputs() != GoProgram("example.org/tool@v1.0.0", tags=("netgo",)).inputs()
    ours = b"".join(GoProgram(".", "collector").inputs())
    assert b"func main()" in ours
    assert b"go.opentelemetry.io/collector/otelcol v0.159.0" in ours


def test_a_missing_tool_is_told_with_its_remedy():
    with pytest.raises(NotObtainableError, match=r"^no-such-tool is not on PATH; install it$"):
        tool("no-such-tool", "install it")


def test_a_failing_tool_is_told_with_the_end_of_what_it_printed():
    with pytest.raises(NotObtainableError, match=r"sh -c echo .* ended with code 3: said before"):
        run_tool(["sh", "-c", "echo said before; exit 3"], 10)


def test_a_tool_that_hangs_is_ended():
    began = time.monotonic()
    with pytest.raises(NotObtainableError, match="did not end within 0 s"):
        run_tool(["sleep", "30"], 0.2)
    assert time.monotonic() - began < 10


def test_a_download_with_another_sum_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    client = tmp_path / "bin" / "mvn"
    client.parent.mkdir()
    client.write_text('#!/bin/sh\nfor last in "$@"; do :; done\necho other > "${last#*=}/thing-1.zip"\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{client.parent}:/usr/bin:/bin")

    # printed by `echo other | sha256sum`
    found = "7e4fa2eb8c7ac089739d5defc4489fad68a100d92082ca35c6b40a4524821f87"
    with pytest.raises(NotObtainableError, match=rf"^thing-1\.zip has the SHA-256 {found}, not 00"):
        download(Artifact("org.example", "thing", "1", "zip", "00" * 32), tmp_path)
