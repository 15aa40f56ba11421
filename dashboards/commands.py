"""``tidegate dashboards``: make the committed files, check them, look at them with live data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from dashboards.errors import DashboardError
from harness.errors import TidegateError, UsageError
from stack.endpoints import read_endpoints
from stack.grafana_token import read_token

app = typer.Typer(name="dashboards", help="Dashboards, rules and saved searches.", no_args_is_help=True)


@app.command()
def generate() -> None:
    """Write the dashboards, rules and saved searches that belong to this checkout."""
    from dashboards.generated import generated

    for file, text in generated().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        typer.echo(str(file))


@app.command()
def check() -> None:
    """Say where committed files are not what is generated, and what is wrong with them."""
    from dashboards.generated import drifted
    from dashboards.lint import faults

    found = [f"{file}: not what is generated: tidegate dashboards generate" for file in drifted()]
    found += faults()
    for fault in found:
        typer.echo(fault, err=True)
    if found:
        raise typer.Exit(UsageError.exit_code)
    typer.echo("dashboards, rules and saved searches are as they should be")


@app.command("slo-rules")
def slo_rules(files: Annotated[list[Path], typer.Argument(help="SLO files in OpenSLO's shape.")]) -> None:
    """Print Prometheus' burn-rate rules for SLO files of your own."""
    from dashboards.generated import slo_yaml
    from dashboards.rules.slos import slo_rules as rules_of

    typer.echo(slo_yaml(rules_of(files)), nl=False)


@app.command()
def annotate(
    run_dir: Annotated[Path, typer.Argument(help="The folder of a run.")],
    grafana: Annotated[
        str | None, typer.Option(help="Base URL of Grafana (default: that of the running stack).")
    ] = None,
    token: Annotated[
        str,
        typer.Option(
            envvar="TIDEGATE_GRAFANA_TOKEN",
            help="A service account's token (default: the one that provisioning kept).",
        ),
    ] = "",
) -> None:
    """Mark in Grafana where a run's stages began and how it ended; a second time changes nothing."""
    from dashboards.provision.annotations import annotate as put_marks
    from dashboards.run_marks import marks_of

    token = token or read_token() or ""
    if not token:
        raise UsageError("annotate needs a token of Grafana's: --token, or TIDEGATE_GRAFANA_TOKEN")
    run_id, marks = marks_of(run_dir)
    with _told_in_a_sentence():
        added = put_marks(_url("grafana", grafana), token, run_id, marks)
    typer.echo(f"{run_id}: {added} marks added, {len(marks) - added} were there")


@app.command()
def preview(
    folder: Annotated[Path, typer.Argument(help="Where the pages go, one for each dashboard.")],
    prometheus: Annotated[
        str | None, typer.Option(help="Base URL of Prometheus (default: that of the running stack).")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="How far back the panels look.")] = 15.0,
    run: Annotated[
        str | None, typer.Option(help="The run to show, or a pattern (default: the newest).")
    ] = None,
) -> None:
    """Draw each dashboard with live data into one page that opens anywhere."""
    from dashboards.preview.write import write_previews

    with _told_in_a_sentence():
        for file in write_previews(folder, _url("prometheus", prometheus), minutes * 60, run):
            typer.echo(str(file))


def _url(component: str, given: str | None) -> str:
    """Return the given URL, or where the running stack has the component."""
    if given is not None:
        return given
    url = getattr(read_endpoints(), component, None)
    if url is None:
        raise UsageError(f"no {component} is running here: tidegate stack up, or give --{component} URL")
    return str(url)


@contextmanager
def _told_in_a_sentence() -> Iterator[None]:
    """Give our own errors the form that the command line ends with."""
    try:
        yield
    except DashboardError as error:
        raise TidegateError(str(error)) from None
