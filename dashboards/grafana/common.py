"""What the dashboards share: variables, links, colours, the three percentiles."""

from __future__ import annotations

from collections.abc import Callable

from dashboards.grafana.spec import Link, Series, Variable
from dashboards.kibana.links import DISCOVER_RUN_IN_GRAFANA

BLUE, ORANGE, RED, GREEN, PURPLE, GREY = "blue", "orange", "red", "green", "purple", "#8e8e8e"

_INFO = "tidegate_run_info"
SCENARIO = Variable("scenario", "Scenario", "What was tested.", f"label_values({_INFO}, scenario)")
MODEL = Variable(
    "model",
    "Model",
    "What the requests asked for.",
    f'label_values({_INFO}{{scenario=~"$scenario"}}, model)',
)
VERSION = Variable(
    "version",
    "Version",
    "tidegate's version.",
    f'label_values({_INFO}{{scenario=~"$scenario", model=~"$model"}}, version)',
)
_CHOSEN = 'scenario=~"$scenario", model=~"$model", version=~"$version"'
RUN = Variable("run", "Run", "One run, or all in the time range.", f"label_values({_INFO}{{{_CHOSEN}}}, run)")
TARGET = Variable(
    "target",
    "Target",
    "Whose own metrics are shown. One of them: servers of different kinds have histograms of "
    "different bounds, which cannot be added up.",
    "label_values(tidegate_target_running, instance)",
    all_values=False,
)
_JAEGER = Variable("jaeger", "Jaeger", "Where Jaeger's page is.", default="http://127.0.0.1:16686")
_KIBANA = Variable("kibana", "Kibana", "Where Kibana is.", default="http://127.0.0.1:5601")
REPORTS = Variable(
    "reports", "Reports", "Where the runs' folders are served.", default="http://127.0.0.1:8089/runs"
)
PLACES = (_JAEGER, _KIBANA, REPORTS)
CLIENT_VARIABLES = (SCENARIO, MODEL, VERSION, RUN, *PLACES)
RUN_VARIABLES = (SCENARIO, MODEL, VERSION, RUN, TARGET, *PLACES)

LINKS = (
    Link(
        "Traces in Jaeger",
        "${jaeger}/search?service=tidegate-target&lookback=custom&start=${__from}000&end=${__to}000"
        "&tags=%7B%22tidegate.run_id%22%3A%22${run}%22%7D",
        "The run's sampled, failed and slowest requests",
    ),
    Link("Logs in Kibana", DISCOVER_RUN_IN_GRAFANA, "Every line that the run's two sides wrote"),
    Link("Report", "${reports}/${run}/report.html", "The run's verdict, with exact percentiles"),
)


def percentiles(of: Callable[[float], str], exemplars: bool = False) -> tuple[Series, ...]:
    """Return P50, P95 and P99, always in the same colours; the traces belong to the slowest."""
    return (
        Series(of(0.99), "P99", exemplars=exemplars, color=RED),
        Series(of(0.95), "P95", color=ORANGE),
        Series(of(0.5), "P50", color=BLUE),
    )
