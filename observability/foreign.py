"""What other servers call the counts that we compare: data, so that a new server is a row and no code."""

from __future__ import annotations

from dataclasses import dataclass

from observability.alike import ALIKE


@dataclass(frozen=True, slots=True)
class Sample:
    """A counter's sample name and the labels that it must carry to be counted."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server counts.

    ``finished``: samples whose sum is the number of generation requests answered in full; ``output_tokens``:
    those whose sum is the number of generated tokens. An empty tuple: this server does not count it.
    """

    kind: str
    finished: tuple[Sample, ...]
    output_tokens: tuple[Sample, ...]


_VLLM_FINISHED = tuple(
    Sample("vllm:request_success_total", (("finished_reason", reason),)) for reason in ("stop", "length")
)

DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "tidegate",
        (Sample("tidegate_target_requests_total", (("status", "200"), ("outcome", "ok"))),),
        (Sample("tidegate_target_output_tokens_total"),),
    ),
    Dialect("vllm", _VLLM_FINISHED, (Sample("vllm:generation_tokens_total"),)),
    Dialect(
        "sglang",
        (Sample("sglang:num_requests_total"),),
        (Sample("sglang:generation_tokens_total"),),
    ),
    # Its page says tgi_request_success; the parser gives every counter its suffix.
    Dialect("tgi", (Sample("tgi_request_success_total"),), (Sample("tgi_request_generated_tokens_sum"),)),
    # llama.cpp counts no requests.
    Dialect("llamacpp", (), (Sample("llamacpp:tokens_predicted_total"),)),
)

RUNNING = (
    "tidegate_target_running",
    *(row.theirs for row in ALIKE if row.ours == "tidegate_target_running"),
)
"""Gauges of the requests that a server works on now; the first that its page has counts."""

RESIDENT_BYTES = ("tidegate_process_resident_bytes", "process_resident_memory_bytes")
"""Gauges of a server's resident memory: ours, and that of the usual Prometheus clients."""
