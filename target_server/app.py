"""The target's composition root: build the parts, serve until told to stop, in this order."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvloop

from target_server.api.generate import Generator
from target_server.api.lifecycle import Lifecycle
from target_server.api.pages import Pages
from target_server.api.router import Router
from target_server.api.server import DrainingServer, announce, bind
from target_server.api.siblings import Siblings
from target_server.cli import build_cli
from target_server.config import Settings
from target_server.engine.observer import NullObserver
from target_server.engine.protocol import Engine
from target_server.engines import build_engine
from target_server.processes import Place, make_places, run_processes
from target_server.telemetry.loop_lag import watch_loop_lag
from target_server.telemetry.metrics import TargetMetrics
from target_server.telemetry.prompts import hasher_from_environment
from target_server.telemetry.request_log import configure_logging
from target_server.telemetry.telemetry import Telemetry
from target_server.telemetry.tracing import tracing_from_environment

if TYPE_CHECKING:
    from target_server.telemetry.log_shipping import LogShipping

logger = logging.getLogger("tidegate_target")


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of one target process."""

    engine: Engine
    telemetry: Telemetry
    server: DrainingServer


def compose(settings: Settings, siblings: Siblings | None = None) -> Target:
    """Build a target; nothing runs yet. Raises `ValueError` for a timetable or model that cannot be.

    ``siblings``: the group that this process is one of.
    """
    metrics = TargetMetrics()
    tracing = tracing_from_environment(os.environ, metrics.spans_dropped.inc)
    shipping = _log_shipping(settings)
    telemetry = Telemetry(metrics, hasher_from_environment(os.environ), tracing, shipping)
    engine = build_engine(settings, telemetry.observer)
    metrics.watch(engine)
    lifecycle = Lifecycle(engine)
    generator = Generator(engine, telemetry, lifecycle, settings.max_body_bytes)
    router = Router(generator, Pages(engine, lifecycle, metrics, siblings))
    return Target(engine, telemetry, DrainingServer(router, lifecycle, settings.grace_seconds))


def _log_shipping(settings: Settings) -> LogShipping | None:
    """Ship the log where a store is named. Raises `ValueError` without the extra that it needs."""
    if settings.elasticsearch is None:
        return None
    try:
        from target_server.telemetry.log_shipping import LogShipping
    except ModuleNotFoundError as error:
        raise ValueError(
            f"--elasticsearch takes the extra: pip install 'tidegate[stack]' ({error})"
        ) from None
    return LogShipping(settings.spool_dir, settings.elasticsearch)


async def run(target: Target, *listeners: socket.socket) -> int:
    """Serve until drained; return the exit code. ``/ready`` says 503 until the engine has started."""
    starting = asyncio.create_task(_start(target))
    lagging = asyncio.create_task(watch_loop_lag(target.telemetry.metrics.loop_lag.observe))
    await target.server.serve(sockets=list(listeners))
    starting.cancel()
    lagging.cancel()
    await target.engine.stop()
    target.telemetry.close()
    started = starting.cancelled() or not starting.done() or starting.result()
    return 0 if started else 1


def _spare_the_collector() -> None:
    """Collect cycles rarely: 17,000 open streams are a million objects that are no garbage.

    By its own rule the collector would look at all of them again whenever a quarter more has come, and hold
    up every token meanwhile. It is the process' own: call it where a process begins.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def _start(target: Target) -> bool:
    """Start the engine; a process whose engine cannot start has nothing to serve and leaves."""
    try:
        await target.engine.start()
    except Exception as error:
        logger.exception("the engine could not start")
        print(f"tidegate-target: the engine could not start: {error}", file=sys.stderr)
        target.server.should_exit = True
        return False
    logger.info("the engine is ready")
    return True


def serve(settings: Settings) -> int:
    """Run the target; return its exit code. Raises what `compose` raises; `OSError` for a port."""
    return _serve_alone(settings) if settings.processes == 1 else _serve_group(settings)


def _serve_alone(settings: Settings) -> int:
    with bind(settings.host, settings.port) as listener:
        configure_logging(settings.log_file)
        target = compose(settings)
        _spare_the_collector()
        announce(target.engine.name, target.engine.model_id, listener, settings.port_file)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run(target, listener))


def _serve_group(settings: Settings) -> int:
    """Run several processes behind one port. Each builds its parts after the fork, which threads die in."""
    if settings.engine != "scripted":
        raise ValueError(
            f"--processes {settings.processes}: the {settings.engine} engine runs in one process (a second "
            "would load the model again and share its processor); more are for the scripted engine"
        )
    engine = build_engine(settings, NullObserver())
    places = make_places(settings.host, settings.port, settings.metrics_port, settings.processes)
    announce(engine.name, engine.model_id, places[0].shared, settings.port_file)
    own_ports = tuple(place.own.getsockname()[1] for place in places)

    def serve_place(place: Place) -> int:
        configure_logging(settings.log_file)
        target = compose(settings, Siblings(settings.host, own_ports[place.index], own_ports))
        _spare_the_collector()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run(target, place.shared, place.own))

    return run_processes(places, serve_place)


def main() -> None:
    """Run the console script ``tidegate-target``."""
    build_cli(serve)()
