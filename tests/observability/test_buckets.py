from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from observability.buckets import latency_buckets


def test_bounds_run_from_5_ms_to_120_s_in_steps_of_at_most_a_quarter():
    bounds = latency_buckets()
    assert bounds[0] == 0.005
    assert bounds[-1] == 120.0
    assert len(bounds) == 47
    assert all(high / low <= 1.26 for low, high in pairwise(bounds))


@given(st.lists(st.floats(0.001, 200), max_size=5))
def test_every_objective_is_a_bound_and_bounds_ascend(objectives):
    bounds = latency_buckets(objectives)
    assert set(objectives) <= set(bounds)
    assert list(bounds) == sorted(set(bounds))
