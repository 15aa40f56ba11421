"""``tidegate runs`` and ``tidegate ship``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from harness.errors import UsageError
from harness.memory.address import open_store

if TYPE_CHECKING:
    from harness.telemetry.store import Store

Address = Annotated[
    str | None,
    typer.Option(
        "--elasticsearch",
        metavar="URL|off",
        envvar="TIDEGATE_ELASTICSEARCH_URL",
        help="Where runs are told to, and asked from.",
        show_default="the stack that runs here",
    ),
]


def register(app: typer.Typer, running: Callable[[], str | None], out: Console) -> None:
    """Add both commands. ``running`` tells where the stack of this folder has its Elasticsearch, if any."""

    @app.command()
    def runs(
        run_ids: Annotated[list[str] | None, typer.Argument(help="Two runs, to be compared.")] = None,
        query: Annotated[
            str | None,
            typer.Option(help="Elasticsearch's query_string, such as 'tidegate.verdict:FAIL'."),
        ] = None,
        limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")] = 20,
        elasticsearch: Address = None,
    ) -> None:
        """List the runs that Elasticsearch remembers, or compare two of them."""
        show_runs(open_store(elasticsearch or running()), run_ids or [], query, limit, out)

    @app.command()
    def ship(
        run_dir: Annotated[Path, typer.Argument(help="The folder of a run.")], elasticsearch: Address = None
    ) -> None:
        """Ship to Elasticsearch what a run's folder still holds, and judge the run again."""
        ship_run(open_store(elasticsearch or running()), run_dir, out)


def show_runs(store: Store, run_ids: Sequence[str], query: str | None, limit: int, out: Console) -> None:
    """Print the runs that match, or two runs side by side. Raise UsageError for what cannot be asked."""
    from harness.memory.query import find_runs, get_runs
    from harness.memory.table import print_comparison, print_runs

    if run_ids and (len(run_ids) != 2 or query is not None):
        raise UsageError("give two run ids to compare them, or none and a --query to list runs")
    if run_ids:
        first, second = get_runs(store.client, run_ids)
        print_comparison(first, second, out)
    elif found := find_runs(store.client, query, limit):
        print_runs(found, out)
    else:
        out.print("no run is stored" + (" that matches the query" if query else ""))


def ship_run(store: Store, run_dir: Path, out: Console) -> None:
    """Ship what is left of a run and print its verdict. Raise UsageError where nothing is left."""
    from harness.report.terminal import print_verdict
    from harness.shipped import RunTeller

    print_verdict(RunTeller(store).resume(run_dir), out)
