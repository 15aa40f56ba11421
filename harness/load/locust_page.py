"""Our tab in Locust's web page, and the same as a page of its own at ``/tidegate/``.

Locust lets others add tabs, but only with a table in them, and shows none before the first start. So the tab
is Locust's, what it holds is our page in a frame, which a small script in Locust's page puts there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from flask import Blueprint, Response, jsonify, request, send_from_directory

from harness.load.live_run import LiveRun, ObjectiveState, Point, Root
from harness.load.locust_options import scenario_files
from harness.scenario.model import Scenario, Stage
from harness.scenario.objective import objectives

TAB = {"title": "tidegate", "key": "tidegate"}
_ASSETS = resources.files("harness.load").joinpath("assets")
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


class Led(Protocol):
    """What the page asks of whoever leads the runs."""

    environment: Any
    conductor: Any
    live: LiveRun

    @property
    def busy(self) -> bool:
        """Whether a run is under way, its report included."""


def add_page(environment: Any, leader: Led, root: Root) -> None:
    """Add tab, page and their data to Locust's web server, where this process has one."""
    web_ui = environment.web_ui
    if web_ui is None:
        return
    base = (environment.parsed_options.web_base_path or "") if environment.parsed_options else ""
    web_ui.template_args["extended_tabs"] = [TAB]
    web_ui.app.register_blueprint(_pages(web_ui, leader, root), url_prefix=f"{base}/tidegate")
    web_ui.app.after_request(lambda response: _with_script(response, base))


def _pages(web_ui: Any, leader: Led, root: Root) -> Blueprint:
    guarded = web_ui.auth_required_if_enabled

    def stored(file: str) -> Response:
        return send_from_directory(_runs_dir(leader).resolve(), file)

    pages = Blueprint("tidegate", __name__)
    pages.add_url_rule("/", "page", guarded(lambda: _asset("page.html")))
    pages.add_url_rule("/assets/<name>", "asset", _asset)
    pages.add_url_rule("/state", "state", guarded(lambda: jsonify(_state(leader, root))))
    pages.add_url_rule("/runs/<path:file>", "stored", guarded(stored))
    return pages


def _asset(name: str) -> Response:
    file = _ASSETS.joinpath(Path(name).name)
    if not file.is_file():
        return Response("no such file", 404)
    return Response(file.read_text(encoding="utf-8"), mimetype=_TYPES[Path(name).suffix])


def _with_script(response: Response, base: str) -> Response:
    """Add our script to Locust's own page, and to nothing else."""
    if request.path == f"{base}/" and response.mimetype == "text/html":
        script = f'<script src="{base}/tidegate/assets/tab.js" data-page="{base}/tidegate/"></script></body>'
        response.set_data(response.get_data(as_text=True).replace("</body>", script))
    return response


def _runs_dir(leader: Led) -> Path:
    return Path(leader.environment.parsed_options.runs_dir)


def _state(leader: Led, root: Root) -> dict[str, Any]:
    """Return everything that the page shows, as JSON has it: nan is null, ∞ is "∞"."""
    live, environment = leader.live, leader.environment
    options = environment.parsed_options
    state = {
        "busy": leader.busy,
        "phase": live.phase or leader.conductor.phase,
        "notes": live.notes,
        "error": live.error,
        "workers": getattr(environment.runner, "worker_count", 1),
        "form": {
            "scenarios": [file for file in scenario_files() if file],
            "scenario": getattr(options, "scenario", None),
            "host": environment.host or "",
            "model": getattr(options, "model", ""),
        },
        "run_id": live.run_id,
        "scenario": None if live.scenario is None else _scenario(live.scenario),
        "progress": live.progress,
        "backlog": live.progress.backlog if live.progress is not None else None,
        "history": _columns(live.history),
        "objectives": _objectives(live, root),
        "conclusion": _conclusion(live),
    }
    return {key: _plain(value) for key, value in state.items()}


def _scenario(scenario: Scenario) -> dict[str, Any]:
    starts = scenario.stage_starts_seconds()
    return {
        "name": scenario.name,
        "loop": scenario.loop,
        "target": scenario.target.url,
        "model": scenario.target.model,
        "seconds": scenario.duration_seconds,
        "drain_seconds": scenario.drain,
        "stages": [
            {"name": s.name, "start": start, "seconds": s.duration, "rate": _rate(s)}
            for s, start in zip(scenario.stages, starts, strict=True)
        ],
    }


def _rate(stage: Stage) -> str:
    """Say how much load a stage is: ``20/s``, ``5/s → 60/s``, ``trace``."""
    if stage.trace is not None:
        return "trace"
    return " → ".join(f"{rate.value:.3g}/s" for rate in stage.rates())


def _objectives(live: LiveRun, root: Root) -> Sequence[ObjectiveState]:
    if live.conclusion is not None:
        return live.conclusion.objectives
    if live.scenario is None or live.progress is None:
        return ()
    pairs = zip(objectives(live.scenario), live.progress.live_values, strict=True)
    return [root.so_far(objective, value) for objective, value in pairs]


def _conclusion(live: LiveRun) -> dict[str, Any] | None:
    conclusion = live.conclusion
    if conclusion is None:
        return None
    told = asdict(conclusion)
    del told["objectives"]
    report = f"runs/{conclusion.run_dir.name}/report.html"
    return told | {"run_dir": str(conclusion.run_dir), "report": report}


def _columns(points: Sequence[Point] | Any) -> dict[str, list[float]]:
    return {column.name: [getattr(point, column.name) for point in points] for column in fields(Point)}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "∞"
    return value
