"""Against the machine the tests run on."""

import resource
import socket

from harness.preflight.machine import find_target, read_limits
from harness.scenario.model import Target


def test_the_limits_are_those_of_this_machine() -> None:
    limits = read_limits(Target(url="http://127.0.0.1:1"))
    assert limits.open_files == resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert limits.memory_bytes is None or 0 < limits.memory_bytes < 1 << 50
    assert limits.local_ports is None or 0 < limits.local_ports <= 65_535
    assert limits.foreign_sources == ()


def test_a_listener_here_is_found_with_the_process_that_holds_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = find_target(Target(url=f"http://localhost:{listener.getsockname()[1]}"))
    assert here is not None
    assert (here.listeners, here.loopback) == (1, True)
    assert here.processes >= 1


def test_listeners_that_share_a_port_are_counted() -> None:
    with socket.socket() as first, socket.socket() as second:
        for one in (first, second):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.bind(("127.0.0.1", first.getsockname()[1] if one is second else 0))
            one.listen()
        here = find_target(Target(url=f"http://127.0.0.1:{first.getsockname()[1]}"))
    assert here is not None
    assert (here.processes, here.listeners) == (2, 2)


def test_an_address_of_another_machine_is_no_target_here() -> None:
    assert find_target(Target(url="http://192.0.2.1:80")) is None  # TEST-NET-1 is nobody's


def test_source_addresses_that_are_not_ours_are_told() -> None:
    target = Target(url="http://127.0.0.1:1", source_addresses=["127.0.1.0/24", "192.0.2.1"])
    assert read_limits(target).foreign_sources == ("192.0.2.1",)
