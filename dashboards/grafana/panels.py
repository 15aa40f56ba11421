"""A panel of a board as one of Grafana's visualisations."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any, TypeAlias

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
    ScaleDistribution,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.grafana.spec import Kind, Panel, Series

Built: TypeAlias = timeseries.Panel | stat.Panel | heatmap.Panel


def build_panel(panel: Panel, source: DataSourceRef) -> Built:
    """Return the visualisation, with its queries named A, B, C …"""
    built = _BUILDERS[panel.kind](panel)
    built.title(panel.title).description(panel.description).datasource(source)
    if panel.no_value is not None:
        built.no_value(panel.no_value)
    if panel.scraped:
        built.interval(panel.scraped)
    for letter, series in zip(string.ascii_uppercase, panel.series, strict=False):
        built.with_target(_query(series, letter, panel.kind == "heatmap", source))
    return built


def _query(series: Series, letter: str, buckets: bool, source: DataSourceRef) -> prometheus.Dataquery:
    query = (
        prometheus.Dataquery()
        .datasource(source)
        .ref_id(letter)
        .expr(series.expr)
        .legend_format(series.legend)
        .range()
        .exemplar(series.exemplars)
    )
    return query.format(PromQueryFormat.HEATMAP) if buckets else query


def _lines(panel: Panel) -> timeseries.Panel:
    built = (
        timeseries.Panel()
        .unit(panel.unit)
        .line_width(2)
        .fill_opacity(35 if panel.stacked else 8)
        .show_points(VisibilityMode.NEVER)
        .span_nulls(False)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    _bound(built, panel)
    if panel.stacked:
        built.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if panel.log:
        built.scale_distribution(common.ScaleDistributionConfig().type(ScaleDistribution.LOG).log(10))
    for series in panel.series:
        if style := _style(series):
            built.override_by_query(_letter(panel, series), style)
    return built


def _bound(built: timeseries.Panel, panel: Panel) -> None:
    if panel.minimum is not None:
        built.min(panel.minimum)
    if panel.maximum is not None:
        built.max(panel.maximum)
    if panel.decimals is not None:
        built.decimals(panel.decimals)


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def _letter(panel: Panel, series: Series) -> str:
    return string.ascii_uppercase[panel.series.index(series)]


def _style(series: Series) -> list[DynamicConfigValue]:
    style: list[tuple[str, Any]] = []
    if series.color is not None:
        style.append(("color", {"mode": "fixed", "fixedColor": series.color}))
    if series.role == "limit":
        style += [
            ("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}),
            ("custom.lineWidth", 1),
            ("custom.fillOpacity", 0),
            ("custom.stacking", {"mode": "none", "group": "limit"}),
        ]
    return [DynamicConfigValue(id_val=key, value=value) for key, value in style]


def _stat(panel: Panel) -> stat.Panel:
    built = (
        stat.Panel()
        .unit(panel.unit)
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(panel))
        .mappings(_mappings(panel))
    )
    if panel.decimals is not None:
        built.decimals(panel.decimals)
    return built


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value=each.value, color=each.color) for each in panel.thresholds]
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps(steps or [Threshold(value=None, color="blue")])
    )


def _mappings(panel: Panel) -> list[Any]:
    options = {
        value: ValueMappingResult(text=text, color=color, index=index)
        for index, (value, text, color) in enumerate(panel.words)
    }
    return [ValueMap(options=options)] if options else []


def _heatmap(panel: Panel) -> heatmap.Panel:
    return (
        heatmap.Panel()
        .calculate(False)
        .cell_gap(1)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(HeatmapColorMode.SCHEME)
            .scheme("Spectral")
            .exponent(0.5)
            .steps(64)
            .reverse(True)
        )
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .y_axis(heatmap.YAxisConfig().unit(panel.unit))
        .unit(panel.unit)
    )


_BUILDERS: dict[Kind, Callable[[Panel], Built]] = {"lines": _lines, "stat": _stat, "heatmap": _heatmap}
