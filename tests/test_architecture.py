"""ARCHITECTURE.md is a map; this keeps it true."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\|\s*(\d*)\s*\| `([^`]+\.py)` \| `([^`]+)` \|", re.MULTILINE)


def rows() -> list[tuple[str, str, str]]:
    return ROW.findall((ROOT / "ARCHITECTURE.md").read_text())


def names_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{item.name}" for item in node.body if hasattr(item, "name")}
    return names


def test_the_way_of_a_request_has_eleven_steps():
    assert [int(step) for step, _, _ in rows() if step] == list(range(1, 12))


def test_every_step_names_a_function_that_exists_in_its_file():
    missing = [(file, name) for _, file, name in rows() if name not in names_in(ROOT / file)]
    assert not missing


def test_every_package_says_its_step_first():
    packages = ["harness/scenario", "harness/arrivals", "harness/workload", "harness/load", "harness/wire"]
    packages += ["harness/measure", "harness/telemetry", "harness/report", "harness/verdict"]
    packages += ["target_server/api", "target_server/admission", "target_server/engine"]
    for package in packages:
        text = (ROOT / package / "__init__.py").read_text()
        first_line = ast.get_docstring(ast.parse(text)).splitlines()[0]
        assert re.match(r"Steps? \d", first_line), (package, first_line)


def test_links_in_the_documents_lead_somewhere():
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("scenarios/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if not link.startswith("http"):
                assert (document.parent / link).exists(), (document.name, link)
