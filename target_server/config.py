"""What a person can set on the target: one frozen value, made once by the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SPOOL_DIR = Path(".tidegate/spool/target")
EngineName = Literal["torch", "scripted"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that shapes one target process; None leaves the value to the engine.

    ``port`` 0 takes a free one. ``slots`` requests are computed together, ``queue`` more may wait; with
    several ``processes`` behind the port each has as many. Process k alone is reached at ``metrics_port`` + k
    (0: at any free port).
    ``grace_seconds`` is how long open streams may go on after SIGTERM. ``log_file`` None logs to standard
    error; lines go to ``elasticsearch`` too where its URL is given, by way of ``spool_dir``. ``threads``,
    ``device`` and ``dtype`` are for the torch engine, ``timetable`` for the scripted one.
    """

    engine: EngineName = "torch"
    model: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    port_file: Path | None = None
    processes: int = 1
    metrics_port: int = 0
    slots: int | None = None
    queue: int | None = None
    max_sequence_length: int | None = None
    threads: int | None = None
    device: str = "auto"
    dtype: str = "auto"
    timetable: str = ""
    grace_seconds: float = 30.0
    log_file: Path | None = None
    elasticsearch: str | None = None
    spool_dir: Path = SPOOL_DIR
    max_body_bytes: int = 4 * 1024 * 1024
