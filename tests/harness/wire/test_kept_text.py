from __future__ import annotations

from tests.harness.wire.streams import chunked, decode, stream_body


def test_text_is_kept_when_asked_for_across_utf8_borders() -> None:
    data = chunked(stream_body(["漢", "字 ", "🌊"]), 7)
    exchange = decode([data[i : i + 1] for i in range(len(data))])
    assert "".join(exchange.pieces or ()) == "漢字 🌊"
