"""The target's composition root: build the parts, serve until told to stop, in this order."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from dataclasses import dataclass

import uvloop

from target_server.api.generate import Generator
from target_server.api.lifecycle import Lifecycle
from target_server.api.pages import Pages
from target_server.api.router import Router
from target_server.api.server import DrainingServer, announce, bind
from target_server.cli import build_cli
from target_server.config import Settings
from target_server.engine.protocol import Engine
from target_server.engines import build_engine
from target_server.telemetry.metrics import TargetMetrics
from target_server.telemetry.prompts import hasher_from_environment
from target_server.telemetry.request_log import configure_logging
from target_server.telemetry.telemetry import Telemetry
from target_server.telemetry.tracing import tracing_from_environment

logger = logging.getLogger("tidegate_target")


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of one target process."""

    engine: Engine
    telemetry: Telemetry
    server: DrainingServer


def compose(settings: Settings) -> Target:
    """Build a target; nothing runs yet. Raises `ValueError` for a timetable or model that cannot be."""
    metrics = TargetMetrics()
    tracing = tracing_from_environment(os.environ, metrics.spans_dropped.inc)
    telemetry = Telemetry(metrics, hasher_from_environment(os.environ), tracing)
    engine = build_engine(settings, telemetry.observer)
    metrics.watch(engine.stats)
    lifecycle = Lifecycle(engine)
    generator = Generator(engine, telemetry, lifecycle, settings.max_body_bytes)
    router = Router(generator, Pages(engine, lifecycle, metrics))
    return Target(engine, telemetry, DrainingServer(router, lifecycle, settings.grace_seconds))


async def run(target: Target, listener: socket.socket) -> int:
    """Serve until drained; return the exit code. ``/ready`` says 503 until the engine has started."""
    starting = asyncio.create_task(_start(target))
    await target.server.serve(sockets=[listener])
    starting.cancel()
    await target.engine.stop()
    target.telemetry.close()
    started = starting.cancelled() or not starting.done() or starting.result()
    return 0 if started else 1


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
    """Run one target process; return its exit code. Raises what `compose` raises; `OSError` for a port."""
    with bind(settings.host, settings.port) as listener:
        configure_logging(settings.log_file)
        target = compose(settings)
        announce(target.engine.name, target.engine.model_id, listener, settings.port_file)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run(target, listener))


def main() -> None:
    """Run the console script ``tidegate-target``."""
    build_cli(serve)()
