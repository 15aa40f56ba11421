"""Hand-worked limits, needs and remedies. Unless a test says otherwise, there is room for everything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.load.open_engine import CONNECTIONS_PER_THREAD as THREAD_HOLDS
from harness.preflight.judge import (
    CONNECTIONS_PER_THREAD,
    Check,
    judge,
    processes_for,
    refusals,
    workers_for,
)
from harness.preflight.limits import Limits, TargetHere
from harness.preflight.need import Need
from harness.preflight.preflight import explained

ROOMY = Limits(
    open_files=20_000,
    cores=8,
    open_files_system=4_000_000,
    local_ports=28_232,
    listen_backlog=4096,
    memory_bytes=64 << 30,
    tcp_memory_bytes=4 << 30,
)
HUNDRED_THOUSAND = Need(
    streams=100_000,
    basis="max_in_flight",
    connections=100_000,
    requests=100_000,
    per_second=25_000,
    in_a_burst=2_500,
    closing=0,
    sources=14,
    threaded=False,
)
SMALL = replace(HUNDRED_THOUSAND, streams=100, connections=100, requests=100, per_second=10, in_a_burst=1)
HERE = TargetHere(processes=6, listeners=6, loopback=True)


def check(
    subject: str, need: Need, limits: Limits = ROOMY, workers: int = 6, target: TargetHere | None = HERE
) -> Check:
    (found,) = [one for one in judge(need, limits, workers, target) if one.subject == subject]
    return found


def test_a_small_scenario_is_refused_by_nothing() -> None:
    checks = judge(SMALL, ROOMY, 1, None)
    assert {one.weight for one in checks} == {"fine"}
    assert {one.remedy for one in checks} == {""}


def test_a_hundred_thousand_streams_fit_into_six_workers_but_not_into_five() -> None:
    assert check("open files, workers", HUNDRED_THOUSAND, workers=6).weight == "fine"  # 16,667 + 200
    short = check("open files, workers", HUNDRED_THOUSAND, workers=5)  # 20,000 + 200
    assert (short.weight, short.needed, short.here) == ("refuse", "20,200 in each of 5", "20,000")
    assert short.remedy == "--workers 6"


def test_threads_with_tables_of_their_own_lift_the_descriptor_limit_of_a_worker() -> None:
    threaded = replace(HUNDRED_THOUSAND, threaded=True)
    found = check("open files, workers", threaded, workers=1)
    assert (found.weight, found.needed) == ("fine", "16,867 in each of 6 threads of 1")
    assert check("open files, workers", threaded, replace(ROOMY, open_files=10_000), 1).weight == "refuse"


def test_the_threads_of_the_core_hold_what_the_preflight_thinks() -> None:
    assert CONNECTIONS_PER_THREAD == THREAD_HOLDS


@pytest.mark.parametrize(
    ("per_second", "threaded", "cores", "workers"),
    [
        (10, False, 2, 6),  # 100,000 / 19,800 descriptors
        (10, True, 2, 1),
        (25_000, True, 8, 3),  # 10,000 sends a second each
        (25_000, True, 2, 2),  # but no more than the cores
    ],
)
def test_workers_follow_from_descriptors_rate_and_cores(
    per_second: int, threaded: bool, cores: int, workers: int
) -> None:
    need = replace(HUNDRED_THOUSAND, per_second=per_second, threaded=threaded)
    assert workers_for(need, replace(ROOMY, cores=cores)) == workers


def test_a_target_with_too_few_processes_is_told_how_many() -> None:
    short = check("open files, target", HUNDRED_THOUSAND, target=replace(HERE, processes=5))
    assert short.weight == "refuse"
    assert short.remedy.startswith("tidegate-target serve --processes 6,")


def test_chance_does_not_spread_connections_evenly() -> None:
    # 19,800 usable: 118,700 in 6 would be 19,783 each on average, and one of them more than it holds.
    assert processes_for(118_700, ROOMY) == 7
    assert processes_for(100_000, ROOMY) == 6
    assert processes_for(100, ROOMY) == 1


def test_a_target_elsewhere_has_its_own_limits() -> None:
    subjects = {one.subject for one in judge(HUNDRED_THOUSAND, ROOMY, 6, None)}
    assert subjects.isdisjoint({"open files, target", "listen backlog"})


def test_one_source_address_has_too_few_ports_and_the_remedy_is_a_network_that_suffices() -> None:
    short = check("local ports", replace(HUNDRED_THOUSAND, sources=0))
    assert (short.weight, short.needed) == ("refuse", "100,000 of each of 1 source address")
    assert short.remedy == "target.source_addresses: 127.0.1.0/29"  # 6 hosts; 100,000 / (28,232 × 0.8) = 4.4


def test_a_million_streams_need_a_network_of_62_addresses() -> None:
    million = replace(HUNDRED_THOUSAND, connections=1_000_000, sources=0)
    assert check("local ports", million).remedy == "target.source_addresses: 127.0.1.0/26"


def test_ports_that_are_nearly_used_up_are_a_warning() -> None:
    assert check("local ports", replace(HUNDRED_THOUSAND, sources=4)).weight == "warn"  # 25,000 of 28,232


def test_over_a_network_the_remedy_is_a_wider_range_or_more_addresses() -> None:
    short = check("local ports", replace(HUNDRED_THOUSAND, sources=0), target=None)
    assert short.remedy.startswith('sysctl -w net.ipv4.ip_local_port_range="1024 65535"')
    assert "5 addresses" in short.remedy


def test_ports_of_closed_connections_count_as_taken() -> None:
    churning = replace(SMALL, closing=1_200_000, sources=0)
    assert check("local ports", churning).needed == "1,200,000 of each of 1 source address"


def test_a_burst_that_the_listen_queue_cannot_hold_is_refused_with_the_sysctl() -> None:
    burst = replace(HUNDRED_THOUSAND, in_a_burst=40_000)
    short = check("listen backlog", burst)  # 6,667 at each of 6
    assert (short.weight, short.remedy) == (
        "refuse",
        "sysctl -w net.core.somaxconn=8192 and restart the target",
    )
    assert check("listen backlog", burst, target=replace(HERE, listeners=10)).weight == "fine"


def test_memory_counts_workers_streams_both_ends_in_the_kernel_and_the_target() -> None:
    short = check("memory", HUNDRED_THOUSAND, replace(ROOMY, memory_bytes=1 << 30))
    # 6 × 120 MiB + 100,000 × (200 + 1,024 + 2 × 5,120 + 2,048) B = 1.96 GiB
    assert (short.weight, short.needed) == ("refuse", "2.0 GiB (13.0 KiB a stream)")
    # (1 GiB − 6 × 120 MiB − 100,000 × 200 B) / 13,312 B
    assert short.remedy == "max_in_flight: 22443, or more machines: tidegate run --master"


def test_a_target_elsewhere_takes_no_memory_here() -> None:
    assert check("memory", HUNDRED_THOUSAND, target=None).needed == "1.3 GiB (6.0 KiB a stream)"


def test_too_few_files_in_the_whole_system_are_refused_with_the_sysctl() -> None:
    short = check("open files, all", HUNDRED_THOUSAND, replace(ROOMY, open_files_system=150_000))
    assert (short.weight, short.needed) == ("refuse", "200,000")  # both ends
    assert short.remedy == "sysctl -w fs.file-max=262144"


def test_buffers_beyond_tcp_mem_are_a_warning_with_the_sysctl() -> None:
    tight = check("TCP buffers", HUNDRED_THOUSAND, replace(ROOMY, tcp_memory_bytes=100 << 20))
    assert tight.weight == "warn"  # 195 MiB
    assert tight.remedy == 'sysctl -w net.ipv4.tcp_mem="65536 98304 131072"'


def test_tracked_connections_beyond_the_table_are_refused_with_the_sysctl() -> None:
    short = check("connection tracking", HUNDRED_THOUSAND, replace(ROOMY, conntrack_free=65_000))
    assert (short.weight, short.remedy) == ("refuse", "sysctl -w net.netfilter.nf_conntrack_max=262144")


def test_source_addresses_of_another_machine_are_refused() -> None:
    short = check("source addresses", HUNDRED_THOUSAND, replace(ROOMY, foreign_sources=("10.9.9.9",)))
    assert (short.weight, short.here) == ("refuse", "10.9.9.9 are not")
    assert "ip address add 10.9.9.9" in short.remedy


def test_the_refusal_names_every_short_limit_with_its_remedy() -> None:
    limits = replace(ROOMY, memory_bytes=1 << 30)
    text = explained(HUNDRED_THOUSAND, refusals(judge(HUNDRED_THOUSAND, limits, 5, HERE)))
    assert text.startswith("this machine cannot carry 100,000 open requests (estimated: max_in_flight)\n")
    assert "remedy: --workers 6" in text
    assert "remedy: max_in_flight: " in text


def test_what_cannot_be_read_is_not_judged() -> None:
    checks = judge(HUNDRED_THOUSAND, Limits(open_files=20_000, cores=2), 6, HERE)
    assert {one.subject for one in checks} == {"open files, workers", "open files, target"}
