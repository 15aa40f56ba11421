"""The ASGI application: from method and path to what answers them. Two dictionaries, no framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from target_server.api.asgi import Headers, Receive, Response, Scope, Send, headers_of
from target_server.api.errors import ApiError
from target_server.api.generate import Generator
from target_server.api.pages import Pages, no_such_page, wrong_method
from target_server.api.shapes import CHAT, COMPLETION

_MODELS = "/v1/models"
_Page = Callable[[Response], Awaitable[None]]


class Router:
    """POST on the two generation routes, GET on the pages, an OpenAI-shaped error on everything else."""

    def __init__(self, generator: Generator, pages: Pages) -> None:
        self._generator = generator
        self._pages = pages
        self._shapes = {shape.route: shape for shape in (CHAT, COMPLETION)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method, path, headers = scope["method"], scope["path"], headers_of(scope)
        shape = self._shapes.get(path)
        if shape is not None and method == "POST":
            await self._generator(shape, headers, receive, send)
            return
        response = Response(send)
        try:
            page = self._page(path, headers)
            if page is None:
                raise wrong_method(method, path) if shape else no_such_page(path)
            if method not in ("GET", "HEAD"):
                raise wrong_method(method, path)
            await page(response)
        except ApiError as error:
            await response.error(error)

    def _page(self, path: str, headers: Headers) -> _Page | None:
        pages = self._pages
        fixed: dict[str, _Page] = {_MODELS: pages.models, "/health": pages.health, "/ready": pages.ready}
        if path == "/metrics":
            return lambda response: pages.prometheus(headers, response)
        if path.startswith(_MODELS + "/"):
            return lambda response: pages.model(path.removeprefix(_MODELS + "/"), response)
        return fixed.get(path)
