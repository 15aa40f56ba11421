"""A scenario that a document shows must be one that the loader accepts."""

import re
from pathlib import Path

import pytest

from harness.scenario.load import load_scenario

ROOT = Path(__file__).parents[3]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")]
SHOWN = [
    (document, block)
    for document in DOCUMENTS
    for block in re.findall(r"```yaml\n(name:.*?)```", document.read_text(), re.DOTALL)
]


def test_the_documents_show_some_scenarios():
    assert {document.name for document, _ in SHOWN} >= {"scenario.md", "test_my_vllm.md", "replay_a_trace.md"}


@pytest.mark.parametrize(("document", "block"), SHOWN, ids=[document.name for document, _ in SHOWN])
def test_a_scenario_in_a_document_is_valid(document, block, tmp_path):
    file = tmp_path / document.with_suffix(".yaml").name
    file.write_text(block)
    load_scenario(file, check_files=False)
