import subprocess
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from observability.trace_ids import run_keys, sampled, span_id, trace_id
from observability.trace_words import sampled_words, span_words, trace_words

SEQS = st.lists(st.integers(0, 2**63 - 1), max_size=20).map(lambda seqs: np.array(seqs, np.int64))


@settings(deadline=None)
@given(st.text(max_size=20), SEQS, st.floats(0, 1))
def test_many_ids_are_the_same_as_one_by_one(run_id: str, seqs: np.ndarray, share: float) -> None:
    traces, spans = trace_words(run_id, seqs), span_words(run_id, seqs)
    expected = [trace_id(run_id, seq) for seq in seqs.tolist()]
    assert [f"{high:016x}{low:016x}" for high, low in traces.tolist()] == expected
    assert [f"{span:016x}" for span in spans.tolist()] == [span_id(run_id, seq) for seq in seqs.tolist()]
    assert sampled_words(traces, share).tolist() == [sampled(trace, share) for trace in expected]


def test_the_bounds_of_the_share_are_none_and_all() -> None:
    traces = np.array([[0, 0], [0, 2**63], [0, 2**64 - 1]], np.uint64)
    assert sampled_words(traces, 0.0).tolist() == [False, False, False]
    assert sampled_words(traces, 0.5).tolist() == [True, False, False]
    assert sampled_words(traces, 1.0).tolist() == [True, True, True]
    least = np.array([[0, 1], [0, 2]], np.uint64)
    assert sampled_words(least, 1.5 / 2**64).tolist() == [True, False]


def test_a_million_requests_have_a_million_ids_that_look_random() -> None:
    traces, spans = trace_words("run", np.arange(1_000_000)), span_words("run", np.arange(1_000_000))
    for words in (traces[:, 0], traces[:, 1], spans):
        assert len(np.unique(words)) == 1_000_000
        ones = np.unpackbits(np.ascontiguousarray(words).view(np.uint8)).reshape(-1, 64).mean(axis=0)
        assert abs(ones - 0.5).max() < 0.003  # six standard deviations of a fair coin's million tosses
    assert not (traces == 0).any()
    assert not (spans == 0).any()


def test_runs_differ_in_every_word() -> None:
    seqs = np.arange(100_000)
    for words in (lambda run: trace_words(run, seqs)[:, 0], lambda run: span_words(run, seqs)):
        assert not np.intersect1d(words("a"), words("b")).size
    assert not np.intersect1d(trace_words("a", seqs), span_words("a", seqs)).size


@given(st.text(max_size=30))
def test_no_request_gets_an_id_of_zeros(run_id: str) -> None:
    # A word is 0 only where offset + seq is 0 modulo 2^64.
    keys = run_keys(run_id)
    for offset in (keys.trace_offset, keys.span_offset):
        assert offset >= 1
        assert offset + (2**63 - 1) < 2**64


def test_the_target_reads_trace_headers_without_numpy() -> None:
    code = "import sys, observability.trace_ids; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
