"""Everything that is generated: what file, what text. The committed files must be these."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dashboards.provision.source_file import source_yaml
from dashboards.rules.document import rules_yaml
from dashboards.rules.run_alerts import run_alert_groups
from dashboards.rules.runs import run_groups
from dashboards.rules.servers import server_groups
from dashboards.rules.slos import SloRules, slo_rules
from harness.errors import UsageError

FOLDER = Path(__file__).parent
BOARDS = FOLDER / "grafana" / "json"
RULES = FOLDER / "rules"
SOURCES = FOLDER.parent / "stack" / "config" / "grafana" / "provisioning" / "datasources" / "tidegate.yaml"
SLO_FILES = FOLDER.parent / "scenarios" / "slos"


def generated() -> dict[Path, str]:
    """Return each file's text. Raises UsageError without grafana-foundation-sdk or the SLO files."""
    return dict((*_boards(), *_rules(), *_kibana(), *_sources()))


def drifted() -> list[Path]:
    """Return the committed files that are not what would be generated, and those that nothing generates."""
    wanted = generated()
    strays = [file for file in (*BOARDS.glob("*.json"), *RULES.glob("*.yaml")) if file not in wanted]
    return [file for file, text in wanted.items() if not _holds(file, text)] + strays


def slo_yaml(rules: SloRules) -> str:
    """Return the file of rules for SLO files, which says what it leaves out."""
    head = ["Alerts for production: how fast each SLO's error budget burns.", *rules.left_out]
    return rules_yaml(head, rules.groups)


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


def _boards() -> Iterator[tuple[Path, str]]:
    try:
        from dashboards.grafana.boards import BOARDS as BOARD_TABLE
        from dashboards.grafana.builder import board_json
    except ImportError as error:
        raise UsageError(f"generating dashboards needs {error.name}: pip install 'tidegate[dev]'") from None
    for board in BOARD_TABLE:
        yield BOARDS / f"{board.uid}.json", board_json(board)


def _rules() -> Iterator[tuple[Path, str]]:
    files = sorted(SLO_FILES.glob("*.yaml"))
    if not files:
        raise UsageError("generating rules needs a checkout of tidegate: its scenarios/slos/ is not here")
    yield RULES / "servers.yaml", rules_yaml(["Other servers' series under our names."], server_groups())
    yield RULES / "runs.yaml", rules_yaml(["What is recorded of each run."], run_groups())
    yield RULES / "run_alerts.yaml", rules_yaml(["Alerts while a test goes on."], run_alert_groups())
    yield RULES / "slos.yaml", slo_yaml(slo_rules(files))


def _sources() -> Iterator[tuple[Path, str]]:
    yield SOURCES, source_yaml()


def _kibana() -> Iterator[tuple[Path, str]]:
    from dashboards.kibana.objects import ndjson

    yield FOLDER / "kibana" / "tidegate.ndjson", ndjson()
