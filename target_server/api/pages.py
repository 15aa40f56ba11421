"""The pages that are not generation: models, liveness, readiness, metrics."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec

from target_server.api.asgi import Headers, Response
from target_server.api.errors import ApiError
from target_server.api.generate import no_such_model
from target_server.api.lifecycle import Lifecycle
from target_server.engine.protocol import Engine
from target_server.telemetry.metrics import TargetMetrics


@dataclass(frozen=True, slots=True)
class Pages:
    """Answers GET requests."""

    engine: Engine
    lifecycle: Lifecycle
    metrics: TargetMetrics
    created: int = field(default_factory=lambda: int(time.time()))

    async def models(self, response: Response) -> None:
        """List the one model."""
        await _json(response, 200, {"object": "list", "data": [self._model()]})

    async def model(self, name: str, response: Response) -> None:
        """Describe the one model, or say that there is no other."""
        if name != self.engine.model_id:
            raise no_such_model(name, self.engine.model_id)
        await _json(response, 200, self._model())

    async def health(self, response: Response) -> None:
        """Tell that the process lives and its loop turns; says nothing about the engine."""
        await _json(response, 200, {"status": "alive"})

    async def ready(self, response: Response) -> None:
        """Tell a load balancer whether to send work here."""
        state = self.lifecycle.state
        await _json(response, 200 if state == "ready" else 503, {"status": state})

    async def prometheus(self, headers: Headers, response: Response) -> None:
        """Serve the metrics, from a thread: counting thousands of sockets must not hold up tokens."""
        accept = headers.get(b"accept", b"").decode("latin-1")
        body, content_type = await asyncio.to_thread(self.metrics.page, accept)
        await response.whole(200, body, content_type.encode())

    def _model(self) -> dict[str, Any]:
        return {
            "id": self.engine.model_id,
            "object": "model",
            "created": self.created,
            "owned_by": "tidegate",
            "max_model_len": self.engine.max_sequence_length,
        }


def no_such_page(path: str) -> ApiError:
    """Return the 404 of an unknown path."""
    return ApiError(404, f"There is nothing at {path}.", code="not_found")


def wrong_method(method: str, path: str) -> ApiError:
    """Return the 405 of a path that exists, but not for this method."""
    return ApiError(405, f"{method} is not allowed on {path}.", code="method_not_allowed")


async def _json(response: Response, status: int, document: dict[str, Any]) -> None:
    await response.whole(status, msgspec.json.encode(document))
