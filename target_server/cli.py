"""The command line of the target: options become `Settings`, mistakes become one line and exit code 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from target_server.config import SPOOL_DIR, EngineName, Settings


def build_cli(serve: Callable[[Settings], int]) -> typer.Typer:
    """Return the commands; ``serve`` runs a target and returns the process' exit code."""
    cli = typer.Typer(
        name="tidegate-target",
        help="A small inference server, built to be load-tested and watched.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    cli.command("fetch-model")(fetch_command)

    @cli.command("serve")
    def serve_command(
        engine: Annotated[
            EngineName, typer.Option(help="torch: a real model; scripted: a timetable.")
        ] = "torch",
        model: Annotated[
            str | None, typer.Option(help="smollm2-135m (the default), a local folder, or a hub id.")
        ] = None,
        host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one and prints it.")] = 8000,
        port_file: Annotated[Path | None, typer.Option(help="Write the port here once it is bound.")] = None,
        processes: Annotated[
            int, typer.Option(min=1, help="Processes behind the port (scripted engine).")
        ] = 1,
        metrics_port: Annotated[
            int, typer.Option(min=0, max=65535, help="Process k alone is reached at this port + k; 0: any.")
        ] = 0,
        slots: Annotated[
            int | None, typer.Option(min=1, help="Requests computed together, in each process.")
        ] = None,
        queue: Annotated[
            int | None, typer.Option(min=0, help="Requests that may wait; more get 429.")
        ] = None,
        max_sequence_length: Annotated[
            int | None, typer.Option(min=2, help="Most tokens of prompt and answer together.")
        ] = None,
        threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of the torch engine.")] = None,
        device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
        dtype: Annotated[str, typer.Option(help="auto, bfloat16 or float32.")] = "auto",
        timetable: Annotated[
            str, typer.Option(help="For the scripted engine: ttft=50ms,gap=10ms,tokens=64,...")
        ] = "",
        grace: Annotated[
            float, typer.Option(min=0, help="Seconds that open streams may go on after SIGTERM.")
        ] = 30.0,
        log_file: Annotated[Path | None, typer.Option(help="ECS JSON lines; else standard error.")] = None,
        elasticsearch: Annotated[
            str | None, typer.Option(envvar="TIDEGATE_ELASTICSEARCH_URL", help="Log lines go there too.")
        ] = None,
        spool_dir: Annotated[
            Path, typer.Option(help="Where log lines wait for Elasticsearch; one folder a process.")
        ] = SPOOL_DIR,
    ) -> None:
        """Serve the OpenAI API until SIGTERM."""
        settings = Settings(
            engine=engine,
            model=model,
            host=host,
            port=port,
            port_file=port_file,
            processes=processes,
            metrics_port=metrics_port,
            slots=slots,
            queue=queue,
            max_sequence_length=max_sequence_length,
            threads=threads,
            device=device,
            dtype=dtype,
            timetable=timetable,
            grace_seconds=grace,
            log_file=log_file,
            elasticsearch=elasticsearch or None,
            spool_dir=spool_dir,
        )
        raise typer.Exit(_without_traceback(serve, settings))

    return cli


def fetch_command(
    model: Annotated[str, typer.Argument(help="smollm2-135m, a local folder, or a hub id.")] = "smollm2-135m",
) -> None:
    """Fetch a model into the cache and print the folder that holds it."""
    from target_server.engine.fetch import FetchError, fetch_model

    try:
        typer.echo(fetch_model(model))
    except FetchError as failure:
        typer.echo(f"tidegate-target: {failure}", err=True)
        raise typer.Exit(1) from failure


def _without_traceback(serve: Callable[[Settings], int], settings: Settings) -> int:
    """Run, and turn a mistake of the person (timetable, model name, port) into one line."""
    try:
        return serve(settings)
    except (ValueError, OSError) as mistake:
        typer.echo(f"tidegate-target: {mistake}", err=True)
        return 2
