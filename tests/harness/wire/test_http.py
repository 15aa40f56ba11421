from __future__ import annotations

import pytest

from harness.wire.http import RequestHead


def test_a_request_is_its_head_its_own_headers_and_its_body() -> None:
    head = RequestHead("POST", "/v1/x", "h:80", [("Accept", "text/event-stream")])
    assert head.render(b"traceparent: t\r\n", b"{}") == (
        b"POST /v1/x HTTP/1.1\r\nHost: h:80\r\nAccept: text/event-stream\r\n"
        b"traceparent: t\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_a_header_that_would_break_the_framing_is_refused_without_showing_its_value() -> None:
    with pytest.raises(ValueError, match="Authorization") as refused:
        RequestHead("POST", "/", "h", [("Authorization", "Bearer secret\r\nx: y")])
    assert "secret" not in str(refused.value)
