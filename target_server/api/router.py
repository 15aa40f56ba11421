"""From method and path to what answers them. Two dictionaries, no framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from target_server.api.errors import ApiError
from target_server.api.generate import Generator
from target_server.api.http import Request, Response
from target_server.api.pages import Pages, no_such_page, wrong_method
from target_server.api.shapes import CHAT, COMPLETION
from target_server.api.siblings import SAMPLES_PATH

_MODELS = "/v1/models"
_Page = Callable[[Response], Awaitable[None]]


class Router:
    """POST on the two generation routes, GET on the pages, an OpenAI-shaped error on everything else."""

    def __init__(self, generator: Generator, pages: Pages) -> None:
        self._generator = generator
        self._pages = pages
        self._shapes = {shape.route: shape for shape in (CHAT, COMPLETION)}

    def __call__(self, request: Request, response: Response) -> Coroutine[Any, Any, None]:
        """Return what answers the request (not awaited here: an open stream would keep this frame, too)."""
        shape = self._shapes.get(request.path)
        if shape is not None and request.method == "POST":
            return self._generator(shape, request, response)
        return self._answer_page(request, response)

    async def _answer_page(self, request: Request, response: Response) -> None:
        method, path = request.method, request.path
        try:
            page = self._page(request)
            if page is None:
                raise wrong_method(method, path) if path in self._shapes else no_such_page(path)
            if method not in ("GET", "HEAD"):
                raise wrong_method(method, path)
            await page(response)
        except ApiError as error:
            await response.error(error)

    def _page(self, request: Request) -> _Page | None:
        pages, path = self._pages, request.path
        fixed: dict[str, _Page] = {_MODELS: pages.models, "/health": pages.health}
        if path == "/ready":
            return lambda response: pages.ready(request, response)
        if path == "/metrics":
            return lambda response: pages.prometheus(request, response)
        if path == SAMPLES_PATH:
            return pages.samples
        if path.startswith(_MODELS + "/"):
            return lambda response: pages.model(path.removeprefix(_MODELS + "/"), response)
        return fixed.get(path)
