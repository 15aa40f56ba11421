from hypothesis import given
from hypothesis import strategies as st

from observability.trace_ids import parse_traceparent, run_keys, sampled, span_id, trace_id, traceparent

HEX32 = "4bf92f3577b34da6a3ce929d0e0e4736"
HEX16 = "00f067aa0ba902b7"


def test_the_header_has_the_form_of_the_w3c_specification():
    assert traceparent(HEX32, HEX16, sampled=True) == f"00-{HEX32}-{HEX16}-01"
    assert traceparent(HEX32, HEX16, sampled=False) == f"00-{HEX32}-{HEX16}-00"


@given(st.text(max_size=20), st.integers(0, 2**40), st.booleans())
def test_what_the_harness_writes_the_target_reads(run_id, seq, flag):
    trace, span = trace_id(run_id, seq), span_id(run_id, seq)
    assert parse_traceparent(traceparent(trace, span, sampled=flag)) == (trace, span, flag)


def test_requests_of_one_run_have_different_ids_and_runs_do_not_share_them():
    ids = {trace_id(run, seq) for run in ("a", "b") for seq in range(1000)}
    assert len(ids) == 2000


def test_an_id_is_the_mix_of_splitmix64_which_others_can_compute() -> None:
    # The counter 1 × gamma mixes to the first output of the published splitmix64 with seed 0.
    keys = run_keys("run")
    assert span_id("run", 2**64 + 1 - keys.span_offset) == "e220a8397b1dcdaf"


def test_headers_that_the_specification_says_to_ignore_are_ignored():
    for bad in (
        "",
        "garbage",
        f"ff-{HEX32}-{HEX16}-01",
        f"00-{'0' * 32}-{HEX16}-01",
        f"00-{HEX32}-{'0' * 16}-01",
        f"00-{HEX32.upper()}-{HEX16}-01",
        f"00-{HEX32}-{HEX16}-01-more",
    ):
        assert parse_traceparent(bad) is None


def test_a_later_version_may_carry_more_fields():
    assert parse_traceparent(f"01-{HEX32}-{HEX16}-01-more") == (HEX32, HEX16, True)


def test_the_sampled_share_is_the_share_asked_for():
    taken = sum(sampled(trace_id("run", seq), 0.05) for seq in range(20_000))
    assert 0.045 <= taken / 20_000 <= 0.055
    assert not any(sampled(trace_id("run", seq), 0.0) for seq in range(1000))
    assert all(sampled(trace_id("run", seq), 1.0) for seq in range(1000))
