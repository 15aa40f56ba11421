import json

from observability.ecs import configure_ecs_logging


def test_a_line_is_ecs_json_with_trace_and_run(tmp_path):
    file = tmp_path / "log.jsonl"
    logger = configure_ecs_logging("t.ecs", "tidegate-target", file)
    logger.info("request done", extra={"ecs": {"trace.id": "ab", "labels.run_id": "r1"}})
    line = json.loads(file.read_text())
    assert line["message"] == "request done"
    assert (line["trace.id"], line["labels.run_id"], line["service.name"]) == ("ab", "r1", "tidegate-target")
    assert line["@timestamp"].endswith("+00:00")
    assert line["log.level"] == "info"


def test_an_exception_is_told_with_its_type_and_stack(tmp_path):
    file = tmp_path / "log.jsonl"
    logger = configure_ecs_logging("t.ecs2", "x", file)
    try:
        raise ValueError("seven")
    except ValueError:
        logger.exception("failed")
    line = json.loads(file.read_text())
    assert (line["error.type"], line["error.message"]) == ("ValueError", "seven")
    assert "ValueError: seven" in line["error.stack_trace"]


def test_configuring_twice_does_not_write_a_line_twice(tmp_path):
    file = tmp_path / "log.jsonl"
    for _ in range(2):
        logger = configure_ecs_logging("t.ecs3", "x", file)
    logger.info("once")
    assert len(file.read_text().splitlines()) == 1
