from observability.names import BY_NAME, METRICS

FORBIDDEN_LABELS = {"run_id", "request_id", "trace_id", "user", "seq"}


def test_names_are_unique_and_say_their_unit():
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        if metric.unit == "s":
            assert metric.name.endswith("_seconds")
        if metric.unit == "By":
            assert metric.name.endswith("_bytes")


def test_counters_leave_the_total_suffix_to_the_exposition():
    assert not [metric.name for metric in METRICS if metric.name.endswith("_total")]


def test_no_label_is_an_id():
    assert not [metric.name for metric in METRICS if FORBIDDEN_LABELS & set(metric.labels)]


def test_the_run_is_a_label_of_one_series_alone():
    assert [metric.name for metric in METRICS if "run" in metric.labels] == ["tidegate_run_info"]


def test_queries_find_a_counter_with_its_suffix_and_a_histogram_by_its_three_series():
    assert BY_NAME["tidegate_sent"].series == ("tidegate_sent_total",)
    assert BY_NAME["tidegate_in_flight"].series == ("tidegate_in_flight",)
    assert BY_NAME["tidegate_schedule_delay_seconds"].series == tuple(
        f"tidegate_schedule_delay_seconds_{part}" for part in ("bucket", "sum", "count")
    )
