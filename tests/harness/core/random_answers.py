"""Answers such as servers send, and such as they should not: the same for the reference and for the core.

As a program (``python -m tests.harness.core.random_answers LIBRARY CASES SEED``) it compares the two: this is
how the core runs under sanitizers, which want a process of their own.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from harness.wire.sse import SseError
from tests.harness.core.replay import CoreExchange, replay
from tests.harness.wire.streams import read

_WORDS = (
    "a",
    " the",
    "tide",
    "漢字",
    "🌊",
    "é",
    "\\",
    '"',
    "\n",
    "\r\n",
    "\x00",
    "\x7f",
    "\u2028",
    "{",
    "data: ",
    "[DONE]",
)
_STRANGE_JSON = (
    *(
        b"",
        b"{",
        b"null",
        b"[]",
        b"[1, 2]",
        b'"x"',
        b"{}x",
        b'{"choices":',
        b"\xef\xbb\xbf{}",
        b"[DONE] ",
        b" [DONE]",
    ),
    *(b'{"choices":null}', b'{"choices":{}}', b'{"choices":[null]}', b'{"choices":[{"delta":[]}]}'),
    *(b'{"choices":[{"text":1}]}', b'{"choices":[{"text":"\xff"}]}', b'{"choices":[{"text":"\\ud800"}]}'),
    *(
        b'{"choices":[{"text":"\xed\xa0\x80"}]}',
        b'{"x":"\xff"}',
        b'{"\xff":1}',
        b'{"x":"\x01"}',
        b'{"x":1e999}',
    ),
    *(
        b'{"choices":[{"text":"a"}],"choices":[]}',
        b'{"\\u0063hoices":[{"text":"a"}]}',
        b'{"x":01}',
        b'{"x":-}',
    ),
    *(
        b'{"choices":[{"delta":{"content":"a"},"delta":null,"text":"b"}]}',
        b'{"choices":[{"finish_reason":""}]}',
    ),
    *(b'{"choices":[{"text":"a","finish_reason":"x"},{"text":"b","finish_reason":"y"}]}', b'{"x":[1,]}'),
    *(
        b'{"choices":[{"message":{"content":"a"},"delta":{"content":""}}]}',
        b'{"choices":[{"finish_reason":7}]}',
    ),
    *(
        b'{"choices":[{"delta":{"reasoning":"a","content":"b"}}]}',
        b'{"usage":[]}',
        b'{"usage":{"prompt_tokens":1.0}}',
    ),
    *(
        b'{"usage":{"prompt_tokens":true}}',
        b'{"usage":{"prompt_tokens":1e2}}',
        b'{"usage":{}}',
        b'{"usage":null}',
    ),
    *(b'{"usage":{"prompt_tokens":99999999999999999999}}', b'{"usage":{"prompt_tokens_details":null}}'),
    *(
        b'{"usage":{"prompt_tokens":3,"prompt_tokens":null}}',
        b'{"usage":{"prompt_tokens_details":{"cached_tokens":2}}}',
    ),
    *(b'{"usage":{"prompt_tokens_details":{"cached_tokens":2},"prompt_tokens_details":{}}}',),
    *(b'{"usage":{"prompt_tokens":2},"usage":{}}', b'{"x":"\xff\\"",\n"y":1}', b'{"x":"\xff","y":"\\\x01"}'),
)
_STRANGE_ERRORS = (
    *(
        None,
        False,
        True,
        0,
        1,
        -7,
        0.0,
        1.5,
        1e16,
        2.5e-7,
        123456.75,
        1e22,
        "",
        "bad",
        [],
        {},
        [1, "a'b", None, {"x": "\n"}],
    ),
    *(
        {"type": "t", "code": 1},
        {"type": "", "code": 500},
        {"type": None, "code": 0, "message": "out of memory"},
    ),
    *({"type": {"deep": [True, "é\x80"]}}, {"code": 2.0}, {"message": ""}, "x" * 100, {"type": "漢" * 100}),
)
_STATUS_LINES = (
    b"429 Too Many Requests",
    b"503 Busy",
    b"500 Oops",
    b"404 Not Found",
    b"204 None",
    b"304 Same",
    b"999 X",
)


@dataclass(frozen=True)
class RandomAnswer:
    """The reads of an answer, and whether a stream was asked for."""

    pieces: list[bytes]
    stream: bool


def random_answer(rng: Random) -> RandomAnswer:
    """Return the next answer."""
    stream = rng.random() < 0.9
    bodies = _random_events(rng) if stream or rng.random() < 0.2 else [_random_whole(rng)]
    if rng.random() < 0.1:
        bodies = [_mutate(rng, body) if rng.random() < 0.3 else body for body in bodies]
    pieces = _frame(rng, bodies)
    if rng.random() < 0.1:
        pieces = [_mutate(rng, piece) if rng.random() < 0.3 else piece for piece in pieces]
    return RandomAnswer(_cut(rng, pieces), stream)


def _random_text(rng: Random) -> str:
    return "".join(rng.choice(_WORDS) for _ in range(rng.choice((0, 1, 1, 1, 2, 9))))


def _random_events(rng: Random) -> list[bytes]:
    """Return a stream's events. Servers keep to one form, which is what the learned template rests on."""
    write = _random_writer(rng)
    key = rng.choice(("content", "content", "content", "reasoning_content", "reasoning", "text"))
    line_end = rng.choice((b"\n", b"\n", b"\n", b"\r\n", b"\r"))
    plain = rng.random() < 0.5
    events = [_content_event(rng, key, write, plain) for _ in range(rng.choice((0, 1, 2, 5, 12)))]
    for _ in range(0 if plain and rng.random() < 0.5 else rng.choice((0, 1, 3))):
        events.insert(rng.randint(0, len(events)), _other_event(rng, write))
    if rng.random() < 0.8:
        events.append(_fields(write({"choices": [{"delta": {}, "finish_reason": "stop"}]})))
    if rng.random() < 0.5:
        usage = {"prompt_tokens": 8, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 4}}
        events.append(_fields(write({"choices": [], "usage": usage})))
    if rng.random() < 0.8:
        events.append(b"data: [DONE]" + (b"\n\n" if rng.random() < 0.9 else b""))
    if rng.random() < 0.1:
        events += events[-4:-1]  # after [DONE] nothing counts
    if rng.random() < 0.05:
        events.insert(0, b"\xef\xbb\xbf")
    return [event.replace(b"\n", line_end) for event in events]


def _random_writer(rng: Random) -> Callable[[Any], bytes]:
    ascii_only, spaced = rng.random() < 0.5, rng.random() < 0.5
    separators = None if spaced else (",", ":")
    return lambda value: json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()


def _content_event(rng: Random, key: str, write: Callable[[Any], bytes], plain: bool) -> bytes:
    text = rng.choice(("a", " tide", "漢")) if plain else _random_text(rng)
    choice: dict[str, Any] = {"index": 0, key: text} if key == "text" else {"index": 0, "delta": {key: text}}
    choices = [choice, {"index": 1, "delta": {"content": _random_text(rng)}}][
        : 1 if rng.random() < 0.95 else 2
    ]
    return _fields(write({"id": "c1", "choices": choices, "usage": None}))


def _other_event(rng: Random, write: Callable[[Any], bytes]) -> bytes:
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(
            (
                b": ping\n\n",
                b"\n",
                b"id: 1\nretry: 5\n\n",
                b"event: x\n\n",
                b"data\n\n",
                b"data:\n\n",
                b"\n\n",
            )
        )
    if kind == 1:
        return rng.choice((b"event: error\n", b"event:\n", b"event: x\nid: 3\n")) + _fields(
            write({"choices": [{"text": "a"}]})
        )
    if kind == 2:
        return _fields(rng.choice(_STRANGE_JSON))
    if kind == 3:
        return _fields(write({"error": rng.choice(_STRANGE_ERRORS)}))
    if kind == 4:
        return b'data: {"choices":\ndata:[{"text":\ndata: "a"}]}\n\n'
    return b"data:" + write({"choices": [{"text": _random_text(rng)}]}) + b"\n\n"


def _fields(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def _random_whole(rng: Random) -> bytes:
    write = _random_writer(rng)
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(_STRANGE_JSON)
    if kind == 1:
        error = rng.choice(_STRANGE_ERRORS)
        return write(
            rng.choice(({"error": error}, {"type": error, "message": "m"}, error, {"detail": error}))
        )
    message = {"role": "assistant", "content": _random_text(rng)}
    usage = {"prompt_tokens": 3, "completion_tokens": 7}
    return write({"choices": [{"message": message, "finish_reason": "length"}], "usage": usage})


def _mutate(rng: Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    kind = rng.randrange(5)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    if kind == 2:
        return data[:at] + rng.choice((b"\n", b"\r", b"\r\n", b'"', b"\xff", b"0", b":")) + data[at:]
    if kind == 3:
        return data[:at] + data[at + rng.randint(1, 9) :]
    return data[:at] + data[rng.randint(0, len(data)) :]


def _frame(rng: Random, bodies: list[bytes]) -> list[bytes]:
    """Return the answer in pieces: its head, its body's pieces, its end."""
    head = b"HTTP/1.1 " + (b"200 OK" if rng.random() < 0.85 else rng.choice(_STATUS_LINES)) + b"\r\n"
    head += rng.choice(
        (b"", b"", b"Connection: close\r\n", b"X:\r\nConnection: keep-alive\r\n", b"connection: upgrade\r\n")
    )
    if rng.random() < 0.05:
        head = (
            rng.choice(
                (
                    b"HTTP/1.1 100 Continue\r\n\r\n",
                    b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n",
                    b"HTTP/1.1 101 S\r\n\r\n",
                )
            )
            + head
        )
    kind = rng.randrange(8)
    if kind == 0:
        return [head + b"Content-Length: %d\r\n\r\n" % sum(map(len, bodies)), *bodies, *_surplus(rng)]
    if kind == 1:
        return [head + rng.choice((b"", b"Transfer-Encoding: gzip\r\n")) + b"\r\n", *bodies]
    if kind <= 3:
        bodies = _cut(rng, bodies)
    chunks = [_chunk(rng, body) for body in bodies if body]
    return [
        head + b"transfer-encoding: chunked\r\n\r\n",
        *chunks,
        b"0\r\n" + rng.choice((b"", b"a: b\r\n")) + b"\r\n",
        *_surplus(rng),
    ]


def _chunk(rng: Random, data: bytes) -> bytes:
    size = b"%x" % len(data)
    if rng.random() < 0.1:
        size = rng.choice((size.upper(), b"0" + size, size + b";a=b", size + b" ", b"0000000" + size))
    return size + b"\r\n" + data + b"\r\n"


def _surplus(rng: Random) -> list[bytes]:
    return [rng.choice((b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"x"))] if rng.random() < 0.05 else []


def _cut(rng: Random, pieces: list[bytes]) -> list[bytes]:
    data = b"".join(pieces)
    kind = rng.randrange(6)
    if kind == 0:
        return [data]
    if kind == 1 and len(data) < 3000:
        return [data[i : i + 1] for i in range(len(data))]
    if kind == 2:
        places = sorted({rng.randint(0, len(data)) for _ in range(rng.randint(1, 12))} | {0, len(data)})
        return [data[a:b] for a, b in itertools.pairwise(places)]
    if kind == 3:
        return [b"".join(pieces[i : i + 2]) for i in range(0, len(pieces), 2)]
    return pieces


def differences(answer: RandomAnswer, library: ctypes.CDLL | None = None) -> dict[str, Any]:
    """Return the fields in which the reference and the core differ, each with both values."""
    try:
        reference = _fields_of(read(answer.pieces, answer.stream))
    except (SseError, RecursionError):  # hostile answers that the reference does not survive
        return {}
    core = _fields_of(replay(answer.pieces, answer.stream, library=library))
    return {name: (reference[name], core[name]) for name in reference if reference[name] != core[name]}


def _fields_of(exchange: Any) -> dict[str, Any]:
    names = (
        "outcome",
        "status",
        "first_byte_ns",
        "first_token_ns",
        "last_token_ns",
        "bytes_received",
        "chunks",
    )
    names += ("max_gap_ns", "gaps_ns", "reusable")
    found = {name: getattr(exchange, name) for name in names}
    found["error_type"] = _comparable_word(exchange.error_type)
    found["finish_reason"] = _comparable_word(exchange.finish_reason)
    usage = exchange if isinstance(exchange, CoreExchange) else exchange.usage
    details = getattr(usage, "prompt_tokens_details", None) or usage
    for name, where in (("prompt_tokens", usage), ("completion_tokens", usage), ("cached_tokens", details)):
        count = getattr(where, name, None)
        found[name] = count if count is None else min(count, 2**31 - 1)
    return found


def _comparable_word(word: str | None) -> str | None:
    """Leave out what may differ: a parser library's own words, what is beyond 80 characters, NUL."""
    for parser in ("http: ", "json: "):
        if word is not None and word.startswith(parser):
            return parser
    return word and word[:80].replace("\0", "\ufffd")


def main() -> None:
    """Compare, and stop at the first difference."""
    library, cases, seed = ctypes.CDLL(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    for case in range(cases):
        answer = random_answer(Random(f"{seed}/{case}"))
        found = differences(answer, library)
        if found:
            sys.exit(f"case {case}: {found}\n{answer}")


if __name__ == "__main__":
    main()
