"""The plan: sorted, complete, repeatable, and the same whatever the workers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.arrivals import Plan, build_plan, read_trace
from harness.errors import UsageError
from harness.scenario.model import Decay, Ramp, Rate, Scenario, Stage, TraceReplay
from tests.harness.arrivals.loads import gamma, plan_of
from tests.harness.scenario.scenario_files import write
from tests.harness.scenario.trace_samples import GENERIC, real_trace

_RATES = st.one_of(st.just(0.0), st.floats(min_value=1e-6, max_value=200)).map(Rate)
_SECONDS = st.floats(min_value=0.01, max_value=20)
_SHAPES = st.one_of(
    st.fixed_dictionaries({"rate": _RATES}),
    st.fixed_dictionaries({"ramp": st.builds(Ramp, from_=_RATES, to=_RATES)}),
    st.fixed_dictionaries({"decay": st.builds(Decay, from_=_RATES, to=_RATES, half_life=_SECONDS)}),
)
_ARRIVALS = st.one_of(
    st.sampled_from(["poisson", "constant"]), st.floats(min_value=0.01, max_value=100).map(gamma)
)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    shapes = draw(st.lists(_SHAPES, min_size=1, max_size=4))
    stages = [Stage(name="carrier", duration=1.0, rate=Rate(5.0))]
    stages += [
        Stage(name=f"s{index}", duration=draw(_SECONDS), arrivals=draw(_ARRIVALS), **shape)
        for index, shape in enumerate(shapes)
    ]
    return Scenario(name="any", seed=draw(st.integers(0, 2**63 - 1)), stages=tuple(stages))


@settings(max_examples=80, deadline=None)
@given(scenarios())
def test_any_plan_is_sorted_numbered_and_within_its_stages(scenario: Scenario) -> None:
    plan = build_plan(scenario)
    starts = np.array(scenario.stage_starts_seconds())
    lengths = np.array([stage.duration for stage in scenario.stages])
    assert (plan.offsets_seconds.dtype, plan.stage.dtype, plan.seq.dtype) == (np.float64, np.uint8, np.int64)
    assert np.all(np.diff(plan.offsets_seconds) >= 0)
    assert np.array_equal(plan.seq, np.arange(len(plan)))
    assert np.all(plan.offsets_seconds >= starts[plan.stage])
    assert np.all(plan.offsets_seconds <= (starts + lengths)[plan.stage])


@settings(max_examples=40, deadline=None)
@given(scenarios(), st.integers(1, 9))
def test_the_workers_slices_are_the_plan_and_nothing_is_in_two(scenario: Scenario, workers: int) -> None:
    plan = build_plan(scenario)
    slices = [plan.slice_for(worker, workers) for worker in range(workers)]
    order = np.argsort(np.concatenate([part.seq for part in slices]))
    for column in ("seq", "offsets_seconds", "stage"):
        rejoined = np.concatenate([getattr(part, column) for part in slices])[order]
        assert np.array_equal(rejoined, getattr(plan, column))


@settings(max_examples=20, deadline=None)
@given(scenarios())
def test_the_same_seed_gives_the_same_plan_and_another_seed_another(scenario: Scenario) -> None:
    plan = build_plan(scenario)
    assert np.array_equal(build_plan(scenario).offsets_seconds, plan.offsets_seconds)
    other = build_plan(scenario.model_copy(update={"seed": scenario.seed ^ 1}))
    assert not np.array_equal(other.offsets_seconds, plan.offsets_seconds) or len(plan) == 0


def test_a_plan_is_the_same_in_every_version_of_this_program() -> None:
    """Stored runs are compared by seed; a change of these numbers must be a decision."""
    known = [0.78750588555, 0.879927134766, 1.968473200867]
    plan = plan_of(Stage(name="a", duration=2.0, rate=Rate(3.0)), seed=42)
    assert plan.offsets_seconds.tolist() == pytest.approx(known, rel=1e-9)


def test_a_change_in_one_stage_leaves_the_other_stages_arrivals_alone() -> None:
    calm, spike = (
        Stage(name="calm", duration=10.0, rate=Rate(20.0)),
        Stage(name="b", duration=5.0, rate=Rate(9.0)),
    )
    before = plan_of(calm, spike)
    after = plan_of(calm.model_copy(update={"rate": Rate(40.0)}), spike)
    assert np.array_equal(before.offsets_seconds[before.stage == 1], after.offsets_seconds[after.stage == 1])


def test_stages_do_not_share_their_random_numbers() -> None:
    stage = Stage(name="a", duration=10.0, rate=Rate(20.0))
    plan = plan_of(stage, stage.model_copy(update={"name": "b"}))
    first, second = (plan.offsets_seconds[plan.stage == index] for index in (0, 1))
    assert not np.array_equal(first[:50], second[:50] - 10.0)


def test_a_stage_with_rate_zero_is_a_pause() -> None:
    plan = plan_of(
        Stage(name="pause", duration=5.0, rate=Rate(0.0)),
        Stage(name="go", duration=1.0, rate=Rate(4.0), arrivals="constant"),
    )
    assert plan.offsets_seconds.tolist() == [5.125, 5.375, 5.625, 5.875]


def test_a_decay_to_zero_ends_in_silence() -> None:
    stage = Stage(name="a", duration=100.0, decay=Decay(from_=Rate(900.0), to=Rate(0.0), half_life=0.05))
    plan = plan_of(stage)
    assert len(plan) == pytest.approx(900 * 0.05 / np.log(2), abs=30)
    assert plan.offsets_seconds[-1] < 5.0


def test_rates_in_multiples_must_be_resolved_first() -> None:
    with pytest.raises(ValueError, match="capacity"):
        plan_of(Stage(name="a", duration=1.0, rate=Rate(2.0, "x")))


def test_a_mistyped_rate_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(UsageError, match="lower the rates"):
        plan_of(Stage(name="a", duration=3600.0, rate=Rate(4e6)))


def replay(file: Path, **options: float) -> Plan:
    duration = options.pop("duration", 10.0)
    return plan_of(Stage(name="replay", duration=duration, trace=TraceReplay(file=file, **options)))


def test_a_replay_has_the_traces_times_and_tokens(tmp_path: Path) -> None:
    plan = replay(write(tmp_path, GENERIC))
    assert plan.offsets_seconds.tolist() == [0.0, 1.25, 2.5]
    assert plan.input_tokens is not None
    assert plan.output_tokens is not None
    assert (plan.input_tokens.tolist(), plan.output_tokens.tolist()) == ([20, 30, 10], [2, 3, 1])
    assert plan.slice_for(1, 2).input_tokens.tolist() == [30]  # type: ignore[union-attr]


def test_the_window_is_in_the_traces_time_and_the_stage_in_ours(tmp_path: Path) -> None:
    """At 5x a stage of 0.3 s replays 1.5 s: from second 1 on the request at 1.25 s, not that at 2.5 s."""
    plan = replay(write(tmp_path, GENERIC), speed=5.0, start=1.0, duration=0.3)
    assert plan.offsets_seconds == pytest.approx([0.05])


def test_a_replay_after_another_stage_leaves_the_lengths_to_the_workload(tmp_path: Path) -> None:
    plan = plan_of(
        Stage(name="warm", duration=2.0, rate=Rate(1.0), arrivals="constant"),
        Stage(name="replay", duration=5.0, trace=TraceReplay(file=write(tmp_path, GENERIC))),
    )
    assert plan.offsets_seconds.tolist() == [0.5, 1.5, 2.0, 3.25, 4.5]
    assert plan.stage.tolist() == [0, 0, 1, 1, 1]
    assert plan.input_tokens is None


def test_the_real_conversation_trace_replays_at_ten_times_its_rate() -> None:
    file = real_trace("azure-llm-2023-conv.csv")
    plan = replay(file, speed=10.0, duration=60.0)
    trace = read_trace(file)
    assert len(plan) == np.count_nonzero(trace.offsets_seconds < 600.0)
    assert plan.offsets_seconds == pytest.approx(trace.offsets_seconds[: len(plan)] / 10)
