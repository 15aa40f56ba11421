import socket

from prometheus_client import CollectorRegistry, generate_latest

from observability.process import ProcessCollector, register_process_collectors


def test_the_page_tells_cpu_memory_and_sockets_of_this_process():
    registry = CollectorRegistry()
    registry.register(ProcessCollector())
    before = registry.get_sample_value("tidegate_process_open_sockets")
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        assert registry.get_sample_value("tidegate_process_open_sockets") == before + 1
    assert registry.get_sample_value("tidegate_process_resident_bytes") > 10e6
    assert registry.get_sample_value("tidegate_process_cpu_seconds_total") > 0


def test_without_a_gpu_the_page_has_no_gpu_samples_rather_than_zeros():
    registry = CollectorRegistry()
    register_process_collectors(registry)
    page = generate_latest(registry).decode()
    assert "tidegate_gpu" not in page or "{gpu=" in page
