"""Errors as OpenAI's API shapes them, each with its HTTP status."""

from __future__ import annotations

from typing import Literal

import msgspec

from target_server.telemetry.exchange import Outcome

ErrorType = Literal["invalid_request_error", "rate_limit_error", "server_error"]


class ApiError(Exception):
    """An answer with a status other than 200, or the error event that ends a stream.

    ``param`` names the field of the body that is wrong. ``close`` ends the connection after the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: ErrorType = "invalid_request_error",
        outcome: Outcome = "invalid",
        param: str | None = None,
        code: str | None = None,
        retry_after_seconds: int | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.outcome: Outcome = outcome
        self.param = param
        self.code = code
        self.retry_after_seconds = retry_after_seconds
        self.close = close

    def body(self) -> bytes:
        """Return the JSON document."""
        error = {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}
        return msgspec.json.encode({"error": error})

    def reason(self) -> str:
        """Say what is wrong, for the log, without repeating anything that the client wrote."""
        if self.outcome != "invalid":
            return str(self)
        named = None if self.code == "unknown_parameter" else self.param
        return f"{self.code} ({named})" if named else str(self.code)

    def event(self) -> bytes:
        """Return the document as one server-sent event."""
        return b"data: " + self.body() + b"\n\n"

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that only this error has."""
        headers = []
        if self.retry_after_seconds is not None:
            headers.append((b"retry-after", b"%d" % self.retry_after_seconds))
        if self.close:
            headers.append((b"connection", b"close"))
        return headers


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """Return a 400: the request itself is wrong, and sending it again will not help."""
    return ApiError(400, message, param=param, code=code)


def queue_full(retry_after_seconds: int) -> ApiError:
    """Return a 429."""
    return ApiError(
        429,
        f"The queue is full. Retry after {retry_after_seconds} s.",
        kind="rate_limit_error",
        outcome="rejected",
        code="queue_full",
        retry_after_seconds=retry_after_seconds,
    )


def unavailable(message: str, code: str, *, close: bool) -> ApiError:
    """Return a 503: this process takes no work now."""
    return ApiError(
        503,
        message,
        kind="server_error",
        outcome="unavailable",
        code=code,
        retry_after_seconds=1,
        close=close,
    )


def engine_failed(message: str) -> ApiError:
    """Return a 500."""
    return ApiError(500, message, kind="server_error", outcome="failed", code="engine_failed")
