"""One dashboard as one self-contained page, in its own grid."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from plotly.offline import get_plotlyjs

# The browser itself refuses every request that the page, or a library inside it, might make.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
_MADE = "Drawn by tidegate dashboards preview with live data from Prometheus; not Grafana itself."


@dataclass(frozen=True, slots=True)
class Body:
    """What fills a panel: plotly's figure, or a text of HTML where there is none."""

    figure: Mapping[str, Any] | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """``chosen`` are the variables' values, ``bodies`` the panels' by their id."""

    board: Mapping[str, Any]
    chosen: Mapping[str, str]
    bodies: Mapping[int, Body] = field(default_factory=dict)

    def html(self) -> str:
        """Return the document."""
        title = html.escape(self.board["title"])
        panels = "".join(map(self._panel, self.board["panels"]))
        figures = {f"panel-{key}": body.figure for key, body in self.bodies.items() if body.figure}
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><title>{title}</title>'
            f"<style>{_asset('preview.css')}</style></head><body>{self._header(title)}<main>{panels}</main>"
            f'<script type="application/json" id="figures">{_json(figures)}</script>'
            f"<script>{_code(get_plotlyjs())}</script><script>{_code(_asset('preview.js'))}</script></body></html>\n"
        )

    def _header(self, title: str) -> str:
        chips = "".join(
            f"<span><i>{html.escape(name)}</i>{html.escape(value)}</span>"
            for name, value in self.chosen.items()
        )
        description = html.escape(self.board["description"])
        return f"<header><h1>{title}</h1>{chips}<p>{description} {_MADE}</p></header>"

    def _panel(self, panel: Mapping[str, Any]) -> str:
        place = panel["gridPos"]
        style = f"grid-column:{place['x'] + 1}/span {place['w']};grid-row:{place['y'] + 1}/span {place['h']}"
        title = html.escape(panel["title"])
        if panel["type"] == "row":
            return f'<h2 style="{style}">{title}</h2>'
        body = self.bodies.get(panel["id"], Body())
        inside = (
            f'<div class="plot" id="panel-{panel["id"]}"></div>'
            if body.figure
            else f'<div class="body">{body.text}</div>'
        )
        tip = html.escape(panel["description"], quote=True)
        return f'<section style="{style}" title="{tip}"><h3>{title}</h3>{inside}</section>'


@cache
def _asset(name: str) -> str:
    return resources.files("dashboards.preview").joinpath("assets", name).read_text(encoding="utf-8")


def _code(text: str) -> str:
    """Keep a script from ending its own element early."""
    return text.replace("</script", "<\\/script")


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
