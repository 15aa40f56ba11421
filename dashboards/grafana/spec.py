"""A dashboard as a value: rows of panels, panels of series. Nothing here knows Grafana's JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["lines", "stat", "heatmap"]
Role = Literal["line", "limit"]


@dataclass(frozen=True, slots=True)
class Series:
    """One query. ``legend`` may name labels: ``{{outcome}}``. A ``limit`` is drawn as a dashed line.

    ``exemplars``: show the traces behind it. ``color``: a colour of Grafana's, where the series means the
    same on every panel.
    """

    expr: str
    legend: str
    exemplars: bool = False
    role: Role = "line"
    color: str | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """From ``value`` on (None: from the start) a figure has this colour."""

    value: float | None
    color: str


@dataclass(frozen=True, slots=True)
class Panel:
    """``width`` is in columns of 24, ``height`` in rows of 30 pixels, ``unit`` is one of Grafana's.

    ``words`` gives values a text: ``{"1": "within its limits"}``. ``no_value`` is shown where there is none.
    """

    title: str
    description: str
    unit: str
    series: tuple[Series, ...]
    kind: Kind = "lines"
    width: int = 12
    height: int = 8
    stacked: bool = False
    log: bool = False
    minimum: float | None = 0
    maximum: float | None = None
    decimals: int | None = None
    thresholds: tuple[Threshold, ...] = ()
    words: tuple[tuple[str, str, str], ...] = ()
    """(value, text, colour)."""
    no_value: str | None = None
    scraped: str = ""
    """How often its series are scraped (``1s``), "" as the data source says: rates are over four of these."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading, left to right, a new line where 24 columns are full."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top. ``query`` asks Prometheus; without one a person types in place of ``default``."""

    name: str
    label: str
    description: str
    query: str = ""
    regex: str = ""
    default: str = ""
    all_values: bool = True
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """``url`` may name variables. ``tip`` says where it leads."""

    title: str
    url: str
    tip: str


@dataclass(frozen=True, slots=True)
class Board:
    """``uid`` is fixed, so that links and provisioning find it again."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...]
    links: tuple[Link, ...] = field(default=())
    stages: bool = True
    """Mark where the stages of the run begin."""
    since: str = "now-15m"
    refresh: str = "5s"
