"""Helpers: write scenario files, and read the mistakes that loading them finds."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from harness.errors import Mistake, UsageError
from harness.scenario.load import load_scenario

SMALLEST = """\
name: smallest
stages:
  - name: only
    duration: 10s
    rate: 5/s
"""


def write(folder: Path, text: str, name: str = "scenario.yaml") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return file


def mistakes_of(file: Path) -> dict[str, Mistake]:
    """Load a file that must have mistakes; return them by key."""
    with pytest.raises(UsageError) as caught:
        load_scenario(file)
    assert caught.value.exit_code == 2
    assert caught.value.mistakes
    return {mistake.key: mistake for mistake in caught.value.mistakes}
