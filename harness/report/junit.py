"""JUnit XML for CI systems: one test case per objective.

An objective that fails is a ``failure``; a run that is INVALID or ABORTED makes every one an ``error``; an
objective that cannot be decided is ``skipped``. The attributes are those that Jenkins, GitLab and GitHub
actions read; ``timestamp`` carries no zone, as the format's schema demands, and is UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from harness.report import headline, words
from harness.report.run_folder import Report
from harness.verdict.model import ObjectiveResult

# Characters that XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = dict.fromkeys((*range(0, 9), 11, 12, *range(14, 32), 65534, 65535), "�")
_TAGS = {"FAIL": "failure", "INCONCLUSIVE": "skipped", "INVALID": "error", "ABORTED": "error"}


def write_junit(path: Path, reports: Sequence[Report], name: str = "tidegate") -> Path:
    """Write one run's, or a whole suite's, test cases and return the path."""
    suites = [_suite(report) for report in reports]
    root = ET.Element("testsuites", {"name": name, **_totals(suites)})
    root.extend(suites)
    ET.indent(root)
    path.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")
    return path


def _suite(report: Report) -> ET.Element:
    results = report.verdict.results
    cases = [_case(result, report) for result in results] or [_whole_run_case(report)]
    count = {
        tag: sum(case.find(tag) is not None for case in cases) for tag in ("failure", "error", "skipped")
    }
    suite = ET.Element(
        "testsuite",
        {
            "name": report.scenario.name,
            "tests": str(len(cases)),
            "failures": str(count["failure"]),
            "errors": str(count["error"]),
            "skipped": str(count["skipped"]),
            "time": f"{report.duration_seconds:.3f}",
            "hostname": "localhost",
        },
    )
    if report.started is not None:
        suite.set("timestamp", report.started.strftime("%Y-%m-%dT%H:%M:%S"))
    # The schema's order: properties, test cases, system-out.
    properties = ET.SubElement(suite, "properties")
    for key, value in (("run_id", report.run_id), ("verdict", report.verdict.kind.value)):
        ET.SubElement(properties, "property", {"name": key, "value": _clean(value)})
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = _clean(headline.sentence(report))
    return suite


def _case(result: ObjectiveResult, report: Report) -> ET.Element:
    case = _named_case(result.objective.name, report)
    kind = result.status.value if report.is_valid else report.verdict.kind.value
    if kind == "PASS":
        return case
    message = _message(result) if report.is_valid else headline.sentence(report)
    return _mark(case, kind, message, _detail(result, report))


def _whole_run_case(report: Report) -> ET.Element:
    """Stand for a run without objectives: a file without any test case would read as a success."""
    kind = report.verdict.kind.value
    case, message = _named_case("run", report), headline.sentence(report)
    return case if kind == "PASS" else _mark(case, kind, message, message)


def _named_case(name: str, report: Report) -> ET.Element:
    # The run took its time once, not once per objective: readers add the cases' times up.
    classname = f"tidegate.{report.scenario.name}"
    return ET.Element("testcase", {"name": name, "classname": classname, "time": "0.000"})


def _mark(case: ET.Element, kind: str, message: str, detail: str) -> ET.Element:
    tag = _TAGS[kind]
    attributes = {"message": _clean(message)}
    if tag != "skipped":
        attributes["type"] = kind
    ET.SubElement(case, tag, attributes).text = _clean(detail)
    return case


def _message(result: ObjectiveResult) -> str:
    objective = result.objective
    name = words.metric_name(objective.metric, objective.percentile)
    measured = words.metric_value(objective.metric, result.measured)
    required = words.limit(objective.op, objective.metric, objective.threshold)
    return f"{name} ({headline.window(result)}): measured {measured}, required {required}"


def _detail(result: ObjectiveResult, report: Report) -> str:
    metric = result.objective.metric
    lines = [*map(headline.reason_sentence, report.verdict.reasons)] if not report.is_valid else []
    if report.is_valid:
        interval = words.between(metric, result.low, result.high)
        lines += [f"95 % interval: {interval}", f"samples: {result.n}"]
        lines += [result.note] if result.note else []
    lines.append(f"objective: {result.objective.source or result.objective.name}")
    lines.append(f"run: {report.run_id}")
    return "\n".join(lines)


def _totals(suites: Sequence[ET.Element]) -> dict[str, str]:
    counts = {
        key: str(sum(int(suite.get(key, "0")) for suite in suites))
        for key in ("tests", "failures", "errors", "skipped")
    }
    return {**counts, "time": f"{sum(float(suite.get('time', '0')) for suite in suites):.3f}"}


def _clean(text: str) -> str:
    return text.translate(_FORBIDDEN)
