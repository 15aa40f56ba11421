"""The pages that are not generation: models, liveness, readiness, metrics."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec

from target_server.api.errors import ApiError, unavailable
from target_server.api.generate import no_such_model
from target_server.api.http import Request, Response
from target_server.api.lifecycle import Lifecycle
from target_server.api.siblings import SAMPLES_PATH, Siblings, SiblingSilent
from target_server.engine.protocol import Engine
from target_server.telemetry.group import dump_samples, merged_page
from target_server.telemetry.metrics import TargetMetrics


@dataclass(frozen=True, slots=True)
class Pages:
    """Answers GET requests. ``siblings`` None: this process serves its port alone."""

    engine: Engine
    lifecycle: Lifecycle
    metrics: TargetMetrics
    siblings: Siblings | None = None
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

    async def ready(self, request: Request, response: Response) -> None:
        """Tell a load balancer whether to send work here; at the shared port, whether all are ready."""
        state = self.lifecycle.state
        group = self._group(request)
        if group is not None and state == "ready":
            pages = await _ask(group, "/ready")
            state = next((_state(body) for status, body in pages if status != 200), state)
        await _json(response, 200 if state == "ready" else 503, {"status": state})

    async def prometheus(self, request: Request, response: Response) -> None:
        """Serve the metrics; at the shared port, those of the group together.

        From a thread: counting thousands of sockets must not hold up tokens.
        """
        accept = request.headers.get(b"accept", b"").decode("latin-1")
        group = self._group(request)
        if group is None:
            body, content_type = await asyncio.to_thread(self.metrics.page, accept)
        else:
            dumps = [dump for _, dump in await _ask(group, SAMPLES_PATH)]
            body, content_type = await asyncio.to_thread(merged_page, dumps, accept)
        await response.whole(200, body, content_type.encode())

    async def samples(self, response: Response) -> None:
        """Serve this process' metrics in the form that its siblings merge."""
        await response.whole(200, await asyncio.to_thread(dump_samples, self.metrics.registry))

    def _group(self, request: Request) -> Siblings | None:
        """Return whom a page must speak for: nobody else at the port that is this process' own."""
        alone = self.siblings is None or request.port == self.siblings.own_port
        return None if alone else self.siblings

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


async def _ask(group: Siblings, path: str) -> list[tuple[int, bytes]]:
    """Ask all, or answer 503: a sum over some of the processes would look like one over all."""
    try:
        return await group.ask(path)
    except SiblingSilent as silent:
        raise unavailable(f"{silent}.", "incomplete_group", close=False) from silent


def _state(body: bytes) -> str:
    return str(msgspec.json.decode(body)["status"])


async def _json(response: Response, status: int, document: dict[str, Any]) -> None:
    await response.whole(status, msgspec.json.encode(document))
