from target_server.telemetry.exchange import Exchange

MS = 1_000_000


def exchange(**instants: int) -> Exchange:
    made = Exchange("id", "chat", "/v1/chat/completions", None, None, received_ns=1000 * MS)
    for name, value in instants.items():
        setattr(made, name, value)
    return made


def test_timings_are_differences_of_instants() -> None:
    made = exchange(
        queued_ns=1010 * MS,
        started_ns=1030 * MS,
        prefilled_ns=1080 * MS,
        first_token_ns=1090 * MS,
        last_token_ns=1190 * MS,
        ended_ns=1200 * MS,
        output_tokens=11,
    )
    assert made.queue_seconds == 0.02
    assert made.prefill_seconds == 0.05
    assert made.time_to_first_token_seconds == 0.09
    assert made.time_per_output_token_seconds == 0.01  # 100 ms over ten gaps
    assert made.duration_seconds == 0.2


def test_time_per_token_of_a_single_token_is_undefined() -> None:
    made = exchange(first_token_ns=1090 * MS, last_token_ns=1090 * MS, output_tokens=1)
    assert made.time_per_output_token_seconds is None


def test_what_was_never_reached_has_no_time() -> None:
    made = exchange(queued_ns=1010 * MS)
    assert (made.queue_seconds, made.prefill_seconds, made.time_to_first_token_seconds) == (None, None, None)
