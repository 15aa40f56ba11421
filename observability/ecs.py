"""Logs as Elastic Common Schema JSON lines, with the trace and run that they belong to."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ECS_VERSION = "9.0.0"


class EcsFormatter(logging.Formatter):
    """Render a record as one ECS line.

    Pass facts as ``extra={"ecs": {"trace.id": …, "labels.run_id": …}}``: dotted names are what ECS calls
    them, and Elasticsearch reads them as the objects they stand for.
    """

    def __init__(self, service_name: str) -> None:
        super().__init__()
        self._service_name = service_name

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without a line end."""
        line: dict[str, Any] = {
            "@timestamp": ecs_timestamp(record.created),
            "log.level": record.levelname.lower(),
            "message": record.getMessage(),
            "ecs.version": ECS_VERSION,
            "service.name": self._service_name,
            "log.logger": record.name,
            "process.pid": record.process,
        }
        line |= getattr(record, "ecs", {})
        if record.exc_info and record.exc_info[0] is not None:
            line["error.type"] = record.exc_info[0].__name__
            line["error.message"] = str(record.exc_info[1])
            line["error.stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def ecs_timestamp(wall_seconds: float) -> str:
    """Return a wall-clock time (seconds since 1970) as ECS writes it: ISO 8601, UTC, milliseconds."""
    return datetime.fromtimestamp(wall_seconds, UTC).isoformat(timespec="milliseconds")


def configure_ecs_logging(logger_name: str, service_name: str, file: Path | None) -> logging.Logger:
    """Send the logger's lines to ``file`` (appended), or to standard error when it is None.

    The logger does not propagate, so that a library's root handler cannot print a line twice.
    """
    handler = logging.StreamHandler() if file is None else logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(EcsFormatter(service_name))
    logger = logging.getLogger(logger_name)
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger
