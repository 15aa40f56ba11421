"""The rules, checked and tested by Prometheus' own tool."""

import subprocess
from pathlib import Path

import pytest

from dashboards.expressions import rule_files
from stack.components import prometheus
from stack.errors import NotObtainableError
from tests.stack.conftest import skip

CASES = Path(__file__).parent.parent / "dashboards" / "rules_test.yaml"


@pytest.fixture(scope="module")
def promtool() -> Path:
    try:
        return prometheus.install() / "promtool"
    except NotObtainableError as error:
        skip(str(error))


def run(*command: str | Path) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_file_of_rules_is_valid(promtool: Path):
    told = run(promtool, "check", "rules", *rule_files())
    assert told.count("SUCCESS") == len(rule_files()) == 4


def test_the_rules_do_what_the_cases_say(promtool: Path):
    assert "SUCCESS" in run(promtool, "test", "rules", CASES)


def test_a_rule_that_does_something_else_is_noticed(promtool: Path, tmp_path: Path):
    folder = tmp_path / "dashboards" / "rules"
    folder.mkdir(parents=True)
    for file in rule_files():
        text = file.read_text().replace("> bool", "< bool")
        (folder / file.name).write_text(text)
    cases = tmp_path / "tests" / "dashboards" / "rules_test.yaml"
    cases.parent.mkdir(parents=True)
    cases.write_text(CASES.read_text())
    done = subprocess.run([promtool, "test", "rules", cases], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "tidegate:valid:bool" in done.stdout + done.stderr
