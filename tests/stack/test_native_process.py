import os
import sys
import time
from pathlib import Path

import pytest

from stack.errors import NotObtainableError, StackError
from stack.native.launch import Launch, start, wait_until_healthy
from stack.native.ports import free_ports, is_free
from stack.native.process import Process, kill, spawn, start_ticks, stop

PYTHON = sys.executable
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""
WITH_A_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"


def wait_for(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def sessions_members(session: int) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if start_ticks(pid) is not None and os.getsid(pid) == session]


def test_a_process_leads_a_session_of_its_own_and_its_output_is_in_the_log(tmp_path: Path):
    log = tmp_path / "logs" / "one.log"
    process = spawn(
        [PYTHON, "-c", "import os; print(os.environ['WORD'], os.getsid(0))"], {"WORD": "hello"}, log
    )
    wait_for(lambda: not process.is_alive())

    assert log.read_text() == f"hello {process.pid}\n"


def test_a_process_that_ends_when_asked_is_not_killed(tmp_path: Path):
    process = spawn(["sleep", "60"], {}, tmp_path / "log")

    assert stop(process, grace_seconds=10) is True
    assert not process.is_alive()


def test_a_process_that_does_not_end_when_asked_is_killed_after_the_grace(tmp_path: Path):
    process = spawn([PYTHON, "-c", DEAF], {}, tmp_path / "log")
    wait_for(lambda: (tmp_path / "log").read_text() == "deaf\n")

    assert stop(process, grace_seconds=0.3) is False
    assert not process.is_alive()


def test_a_kill_ends_what_the_process_started_too(tmp_path: Path):
    process = spawn([PYTHON, "-c", WITH_A_CHILD], {}, tmp_path / "log")
    wait_for(lambda: len(sessions_members(process.pid)) == 2)

    kill(process)

    assert sessions_members(process.pid) == []


def test_a_recycled_pid_is_never_signalled(tmp_path: Path):
    """The same pid with another start time is another process, one that took the pid over."""
    process = spawn(["sleep", "60"], {}, tmp_path / "log")
    recorded = Process(process.pid, process.start_ticks - 1)

    assert not recorded.is_alive()
    assert stop(recorded, grace_seconds=0.1) is True
    kill(recorded)
    assert process.is_alive()
    assert recorded.resident_bytes() == 0 < process.resident_bytes()
    kill(process)


def test_a_zombie_does_not_count_as_alive(tmp_path: Path):
    pid = os.posix_spawn("/bin/true", ["true"], {})
    wait_for(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")

    assert start_ticks(pid) is None
    os.waitpid(pid, 0)


def test_a_missing_program_is_told(tmp_path: Path):
    with pytest.raises(NotObtainableError, match=r"^no-such-program is missing$"):
        spawn(["no-such-program"], {}, tmp_path / "log")


def test_a_component_that_ends_while_starting_is_told_with_the_end_of_its_log(tmp_path: Path):
    launch = a_launch(tmp_path, [PYTHON, "-c", "print('no such flag'); raise SystemExit(2)"])

    with pytest.raises(
        StackError, match=r"(?s)^thing ended while starting; .*thing\.log\) says:\nno such flag$"
    ):
        wait_until_healthy(launch, start(launch))


def test_a_component_that_is_not_healthy_in_time_is_stopped(tmp_path: Path):
    launch = a_launch(tmp_path, ["sleep", "60"], start_seconds=0.3)
    process = start(launch)

    with pytest.raises(StackError, match=r"^thing was not healthy within 0 s"):
        wait_until_healthy(launch, process)
    assert not process.is_alive()


def test_free_ports_are_free_different_and_outside_the_range_of_outgoing_connections():
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = free_ports(f"port-{number}" for number in range(50)).values()

    assert len(set(ports)) == 50
    assert all(is_free(port) for port in ports)
    assert all(10_000 <= port < first_ephemeral for port in ports)


def a_launch(folder: Path, command: list[str], start_seconds: float = 10) -> Launch:
    port = free_ports(["thing"])["thing"]
    return Launch(
        "thing", tuple(command), f"tcp://127.0.0.1:{port}", folder / "thing.log", start_seconds=start_seconds
    )
