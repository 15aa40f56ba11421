"""A board as Grafana's JSON, typed by grafana-foundation-sdk."""

from __future__ import annotations

import json
from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, GridPos

from dashboards.grafana.controls import add_links, add_stages, add_variables
from dashboards.grafana.panels import build_panel
from dashboards.grafana.spec import Board, Panel, Row
from dashboards.grafana.uids import TAG

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_COLUMNS = 24
_ROW_HEIGHT = 1


def board_json(board: Board) -> str:
    """Return the document that is committed: sorted keys, so that a change shows where it is."""
    document = json.loads(JSONEncoder().encode(_dashboard(board).build()))
    for shown in (*document["links"], *document["annotations"].get("list", ())):
        # The SDK puts every one of them into a menu, where nobody would see a stage begin.
        shown.pop("placement", None)
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _dashboard(board: Board) -> dashboards.Dashboard:
    built = (
        dashboards.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .time(board.since, "now")
        .refresh(board.refresh)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .timezone("browser")
    )
    add_variables(built, board)
    add_links(built, board)
    if board.stages:
        add_stages(built)
    for number, (row, places) in enumerate(_placed(board.rows)):
        built.with_row(_row(row, 100 * (number + 1), places[0][1].y - _ROW_HEIGHT))
        for index, (panel, place) in enumerate(places):
            built.with_panel(build_panel(panel, SOURCE).id(100 * (number + 1) + index + 1).grid_pos(place))
    return built


def _row(row: Row, identifier: int, y: int) -> dashboards.Row:
    return dashboards.Row(row.title).id(identifier).grid_pos(GridPos(h=_ROW_HEIGHT, w=_COLUMNS, x=0, y=y))


def _placed(rows: tuple[Row, ...]) -> Iterator[tuple[Row, list[tuple[Panel, GridPos]]]]:
    """Lay panels out left to right; a line is as high as its highest panel."""
    y = 0
    for row in rows:
        y += _ROW_HEIGHT
        x, line_height, places = 0, 0, []
        for panel in row.panels:
            if x + panel.width > _COLUMNS:
                x, y, line_height = 0, y + line_height, 0
            places.append((panel, GridPos(h=panel.height, w=panel.width, x=x, y=y)))
            x, line_height = x + panel.width, max(line_height, panel.height)
        y += line_height
        yield row, places
