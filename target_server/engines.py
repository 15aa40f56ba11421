"""Build the engine that was asked for; torch is imported only when it is the torch engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from target_server.config import Settings
from target_server.engine.observer import Observer
from target_server.engine.protocol import Engine
from target_server.engine.scripted import ScriptedEngine
from target_server.engine.timetable import ScriptedTimetable

_SCRIPTED_MODEL = "scripted"


def build_engine(settings: Settings, observer: Observer) -> Engine:
    """Return an engine that is not started yet. Raises `ValueError` for a timetable that cannot be read."""
    if settings.engine == "scripted":
        return _scripted(settings, observer)
    return _torch(settings, observer)


def _scripted(settings: Settings, observer: Observer) -> Engine:
    """Options override what the timetable says about the same thing."""
    timetable = replace(ScriptedTimetable.parse(settings.timetable), **_sizes(settings))
    return ScriptedEngine(timetable, model_id=settings.model or _SCRIPTED_MODEL, observer=observer)


def _torch(settings: Settings, observer: Observer) -> Engine:
    if settings.timetable:
        raise ValueError("--timetable is for the scripted engine; a real model keeps its own time")
    from target_server.engine.torch_engine import TorchConfig, TorchEngine

    config = TorchConfig(device=settings.device, dtype=settings.dtype, threads=settings.threads)
    model: dict[str, Any] = {} if settings.model is None else {"model": settings.model}
    return TorchEngine(replace(config, **model, **_sizes(settings)), observer=observer)


def _sizes(settings: Settings) -> dict[str, Any]:
    """Return the sizes that were given; the others stay the engine's own."""
    sizes = {
        "slots": settings.slots,
        "queue_limit": settings.queue,
        "max_sequence_length": settings.max_sequence_length,
    }
    return {name: value for name, value in sizes.items() if value is not None}
