"""Every mistake is answered with file, line, key, what was given and what is allowed: all of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import Mistake, UsageError
from harness.scenario.load import load_scenario
from tests.harness.scenario.scenario_files import SMALLEST, mistakes_of, write

HEAD = "name: a\nstages:\n"


def test_all_mistakes_of_a_file_are_reported_together_with_their_lines(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """\
        name: A sale
        sede: 3
        stages:
          - name: one
            duration: 30
            rate: 5/s
          - name: one
            duration: 30s
            ramp: {from: 1/s, too: 4/s}
        slos:
          - {name: x, metric: tfft, percentile: 99, at_most: 1s, stages: [two]}
        slo_files: [none.yaml]
        """,
    )
    lines = {key: mistake.line for key, mistake in mistakes_of(file).items()}
    assert lines == {
        "name": 1,
        "sede": 2,
        "stages[0].duration": 5,
        "stages[1].name": 7,
        "stages[1].ramp.too": 9,
        "stages[1].ramp.to": 9,
        "slos[0].metric": 11,
        "slos[0].stages[0]": 11,
        "slo_files[0]": 12,
    }


def test_a_mistake_reads_as_one_line(tmp_path: Path) -> None:
    file = write(tmp_path, HEAD + "  - {name: b, duration: 3, rate: 1/s}\n")
    found = mistakes_of(file)["stages[0].duration"]
    assert str(found) == (
        f"{file}:3: stages[0].duration: given 3; allowed: a duration with its unit "
        "(us, ms, s, m or h), such as 30s or 250ms; above zero"
    )


@pytest.mark.parametrize(
    ("stage", "key", "allowed"),
    [
        ("{name: b, duration: 0s, rate: 1/s}", "duration", "above zero"),
        ("{name: b, duration: -3s, rate: 1/s}", "duration", "above zero"),
        ("{name: b, duration: 3 parsecs, rate: 1/s}", "duration", "us, ms, s, m or h"),
        ("{name: b, rate: 1/s}", "duration", "required"),
        ("{name: b, duration: 3s, rate: -1/s}", "rate", "400/s"),
        ("{name: b, duration: 3s, rate: 5}", "rate", "2.5x"),
        ("{name: b, duration: 3s, rte: 5/s}", "rte", "rate (the nearest)"),
        ("{name: b, duration: 3s}", "", "exactly one of rate, ramp, decay, trace"),
        ("{name: b, duration: 3s, rate: 1/s, ramp: {from: 1/s, to: 2/s}}", "", "exactly one of"),
        (
            "{name: b, duration: 3s, decay: {from: 1/s, to: 2/s, half_life: 0s}}",
            "decay.half_life",
            "above zero",
        ),
        ("{name: b, duration: 3s, rate: 1/s, arrivals: poison}", "arrivals", "poisson (the nearest)"),
        (
            "{name: b, duration: 3s, rate: 1/s, arrivals: {gamma: {burstines: 2}}}",
            "arrivals.gamma.burstines",
            "burstiness (the nearest)",
        ),
        (
            "{name: b, duration: 3s, rate: 1/s, arrivals: {gamma: {burstiness: 0}}}",
            "arrivals.gamma.burstiness",
            "greater than 0",
        ),
        ("{name: B, duration: 3s, rate: 1/s}", "name", "lower-case"),
        ("{name: on, duration: 3s, rate: 1/s}", "name", "string"),
        ("17", "", "a"),
    ],
)
def test_a_wrong_stage_is_answered_with_what_is_allowed(
    tmp_path: Path, stage: str, key: str, allowed: str
) -> None:
    found = mistakes_of(write(tmp_path, f"{HEAD}  - {stage}\n"))
    mistake = found[f"stages[0].{key}".rstrip(".")]
    assert mistake.line == 3
    assert allowed in mistake.allowed


@pytest.mark.parametrize(
    ("slo", "allowed"),
    [
        ("{name: a, metric: ttft, at_most: 1s}", "percentile: 99"),
        ("{name: a, metric: error_share, percentile: 99, at_most: 1%}", "no percentile"),
        ("{name: a, metric: ttft, percentile: 99}", "exactly one threshold"),
        ("{name: a, metric: ttft, percentile: 99, at_most: 1s, at_least: 1s}", "exactly one threshold"),
        ("{name: a, metric: ttft, percentile: 99, at_least: 1s}", "at_most for ttft"),
        ("{name: a, metric: goodput, at_most: 5/s}", "at_least for goodput"),
        ("{name: a, metric: ttft, percentile: 99, at_most: 1.5}", "a duration with its unit"),
        ("{name: a, metric: ttft, percentile: 99, at_most: 0s}", "above zero"),
        ("{name: a, metric: error_share, at_most: 5}", "a share"),
        ("{name: a, metric: error_share, at_most: 1s}", "a share"),
        ("{name: a, metric: goodput, at_least: 5}", "a rate"),
    ],
)
def test_an_objective_that_cannot_be_measured_is_refused(tmp_path: Path, slo: str, allowed: str) -> None:
    found = mistakes_of(write(tmp_path, f"{SMALLEST}slos:\n  - {slo}\n"))["slos[0]"]
    assert allowed in found.allowed
    assert found.given.startswith("{name: a, metric: ")


@pytest.mark.parametrize("percentile", ["0", "100", "-1", "p99"])
def test_a_percentile_is_between_0_and_100(tmp_path: Path, percentile: str) -> None:
    slo = f"slos: [{{name: a, metric: ttft, percentile: {percentile}, at_most: 1s}}]\n"
    assert "slos[0].percentile" in mistakes_of(write(tmp_path, SMALLEST + slo))


@pytest.mark.parametrize(
    ("extra", "key", "allowed"),
    [
        ("slos: [{name: a, metric: drain_time, at_most: 1s}]", "slos[0].metric", "spike"),
        ("spike: {stage: only, baseline: none}", "spike.baseline", "a stage of this scenario (only)"),
        ("spike: {stage: only, baseline: only}", "spike.baseline", "a stage before the spike's"),
        ("workload: {output_tokens: trace}", "workload.output_tokens", "every stage replays a trace"),
        ("workload: {prompt_tokens: tracer}", "workload.prompt_tokens", "trace"),
        ("workload: {prompt_tokens: 0}", "workload.prompt_tokens", "greater than or equal to 1"),
        (
            "workload: {prompt_tokens: 8, shared_prefix: {count: 2, tokens: 8}}",
            "workload.shared_prefix.tokens",
            "fewer than prompt_tokens (8)",
        ),
        (
            "workload: {prompt_tokens: {median: 8, sigma: 1, min: 9}}",
            "workload.prompt_tokens",
            "min ≤ median",
        ),
        ("workload: {tokenizer: none.json}", "workload.tokenizer", "a file that exists"),
        ("target: {url: ftp://example.test}", "target.url", "http or https"),
        ("target: {url: 'http://h:99999'}", "target.url", "http or https"),
        ("target: {ca_file: none.pem}", "target.ca_file", "a file that exists"),
        ("limits: {dropped_share: 2}", "limits.dropped_share", "a share"),
        ("max_in_flight: 2.5", "max_in_flight", "integer"),
        ("max_in_flight: '5'", "max_in_flight", "integer"),
        ("seed: -1", "seed", "greater than or equal to 0"),
        ("target: 3", "target", "dictionary"),
    ],
)
def test_a_wrong_part_of_the_scenario_is_found(tmp_path: Path, extra: str, key: str, allowed: str) -> None:
    found = mistakes_of(write(tmp_path, f"{SMALLEST}{extra}\n"))[key]
    assert found.line == 6
    assert allowed in found.allowed


def test_a_key_given_twice_is_a_mistake_and_not_the_last_one_wins(tmp_path: Path) -> None:
    found = mistakes_of(write(tmp_path, SMALLEST + "seed: 1\nseed: 2\n"))["seed"]
    assert (found.given, found.allowed) == ("the key again in line 7", "each key once")


def test_a_scenario_that_sends_nothing_is_refused(tmp_path: Path) -> None:
    text = (
        HEAD
        + "  - {name: b, duration: 3s, rate: 0/s}\n  - {name: c, duration: 3s, ramp: {from: 0x, to: 0x}}\n"
    )
    assert mistakes_of(write(tmp_path, text))["stages"].allowed == "at least one stage with a rate above zero"


def test_a_pause_between_two_loads_is_allowed(tmp_path: Path) -> None:
    text = HEAD + "  - {name: b, duration: 3s, rate: 0/s}\n  - {name: c, duration: 3s, rate: 1/s}\n"
    assert load_scenario(write(tmp_path, text)).stages[0].duration == 3.0


def test_there_may_be_255_stages_and_not_one_more(tmp_path: Path) -> None:
    stages = [f"  - {{name: s{n}, duration: 1s, rate: 1/s}}" for n in range(256)]
    assert len(load_scenario(write(tmp_path, HEAD + "\n".join(stages[:255]))).stages) == 255
    assert "stages" in mistakes_of(write(tmp_path, HEAD + "\n".join(stages)))
    assert "stages" in mistakes_of(write(tmp_path, "name: a\nstages: []\n"))


@pytest.mark.parametrize(
    "target", ["{api_key_env: sk-Secret1234}", "{url: 'http://user:Secret1234@h/'}", "{api_key: Secret1234}"]
)
def test_what_may_be_a_secret_is_never_printed(tmp_path: Path, target: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_scenario(write(tmp_path, f"{SMALLEST}target: {target}\n"))
    assert "Secret1234" not in str(caught.value)


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["5/s", "3s", "1%"]),
)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "stages", "rate", "slos", "target", "workload", "spike", "metric", "url"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tree=st.dictionaries(st.sampled_from(["name", "stages", "slos", "target", "workload", "spike"]), _TREES)
)
def test_no_tree_of_values_whatever_ends_in_a_traceback(tmp_path: Path, tree: dict[str, object]) -> None:
    import yaml

    file = write(tmp_path, yaml.safe_dump(tree, allow_unicode=False))
    with pytest.raises(UsageError) as caught:  # a name with one good stage is too much luck for this strategy
        load_scenario(file)
    assert all(isinstance(mistake, Mistake) for mistake in caught.value.mistakes)
