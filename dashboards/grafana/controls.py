"""What surrounds the panels: variables, links, the marks of stages."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.grafana.promql import run_limit
from dashboards.grafana.spec import Board, Link, Variable
from dashboards.grafana.uids import PROMETHEUS_UID, TAG

_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_GRAFANA = DataSourceRef(type_val="grafana", uid="-- Grafana --")
STAGE_STARTS = f"{run_limit('tidegate_stage_start_time_seconds', by='stage')} * 1000"
"""Milliseconds since 1970: Grafana reads the value as the mark's time."""


def add_variables(built: dashboards.Dashboard, board: Board) -> None:
    """Let a person choose the data source, and what the board's variables name."""
    built.with_variable(
        dashboards.DatasourceVariable("datasource")
        .label("Data source")
        .description("The Prometheus that scraped the run.")
        .type("prometheus")
        .current(VariableOption(selected=True, text="Prometheus", value=PROMETHEUS_UID))
    )
    for variable in board.variables:
        built.with_variable(_queried(variable) if variable.query else _typed(variable))


def add_links(built: dashboards.Dashboard, board: Board) -> None:
    """Lead to traces, logs and report, and to the other dashboards."""
    for link in board.links:
        built.link(_link(link))
    built.link(
        dashboards.DashboardLink("tidegate")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
        .tooltip("The other dashboards, with this choice")
    )


def add_stages(built: dashboards.Dashboard) -> None:
    """Mark where stages begin: by the generator's own metrics, or by what the provisioner told Grafana."""
    built.annotation(
        dashboards.AnnotationQuery()
        .name("Stages")
        .datasource(_SOURCE)
        .enable(True)
        .icon_color("purple")
        .expr(STAGE_STARTS)
        .step("5s")
        .title_format("{{stage}}")
        .text_format("stage {{stage}} begins")
        .use_value_for_time(True)
    )
    built.annotation(
        dashboards.AnnotationQuery()
        .name("Runs, as told to Grafana")
        .datasource(_GRAFANA)
        .enable(False)
        .icon_color("blue")
        .target(_tagged())
    )


def _tagged() -> Any:
    """Return the target of Grafana's own marks, which the SDK's types take for a query."""
    return dashboards.AnnotationTarget().limit(100).match_any(False).tags([TAG]).type("tags")


def _queried(variable: Variable) -> dashboards.QueryVariable:
    built = (
        dashboards.QueryVariable(variable.name)
        .label(variable.label)
        .description(variable.description)
        .datasource(_SOURCE)
        .query({"query": variable.query, "refId": variable.name})
        .regex(variable.regex)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_DESC)
    )
    if variable.all_values:
        # .* also keeps series that lack the label.
        built.include_all(True).all_value(".*").current(VariableOption(text="All", value="$__all"))
    if variable.hidden:
        built.hide(VariableHide.HIDE_VARIABLE)
    return built


def _typed(variable: Variable) -> dashboards.TextBoxVariable:
    return (
        dashboards.TextBoxVariable(variable.name)
        .label(variable.label)
        .description(variable.description)
        .default_value(variable.default)
        .current(VariableOption(text=variable.default, value=variable.default))
        .hide(VariableHide.HIDE_VARIABLE)
    )


def _link(link: Link) -> dashboards.DashboardLink:
    return (
        dashboards.DashboardLink(link.title)
        .type(DashboardLinkType.LINK)
        .url(link.url)
        .tooltip(link.tip)
        .icon("external link")
        .target_blank(True)
        .keep_time(False)
    )
