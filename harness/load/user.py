"""A Locust user for people who write their own locustfile: ``self.chat("Hello")``."""

from __future__ import annotations

import itertools
import uuid
from typing import Any, ClassVar

from locust import User

from harness.load.call_factory import CallFactory
from harness.load.closed_loop import ClosedLoop
from harness.load.endpoint import resolve_endpoint
from harness.measure.record import Outcome, RequestRecord
from harness.scenario.model import Target
from harness.telemetry.target import with_model
from harness.workload import Ask


class InferenceFailedError(Exception):
    """An answer that was none; Locust counts it as a failure."""


class InferenceUser(User):  # type: ignore[misc]
    """A closed-loop user: asks, waits for the whole answer, asks again.

    ``host`` is the target's base URL and ``model`` the model's name (default: the first that the target
    lists); ``target_options`` are further fields of the scenario's ``target``, such as ``api_key_env``. Every
    answer becomes the same RequestRecord as in an open-loop run, due when it was sent, and goes to
    ``on_record``.
    """

    abstract = True
    model: ClassVar[str] = ""
    target_options: ClassVar[dict[str, Any]] = {}
    trace_sample_share: ClassVar[float] = 0.05
    run_id: ClassVar[str] = f"locust-{uuid.uuid4().hex[:8]}"

    _loops: ClassVar[dict[tuple[str, type], ClosedLoop]] = {}  # connections are shared by a class's users
    _targets: ClassVar[dict[tuple[str, type], Target]] = {}  # asked once, not by each of a thousand users
    _sequence: ClassVar[Any] = itertools.count()

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._target = self._shared_target()

    def chat(
        self, prompt: str | list[dict[str, Any]], *, max_tokens: int = 64, name: str = "chat", **body: Any
    ) -> str:
        """Ask and return the answer's text; further keywords go into the request's body as they are.

        ``prompt`` is the user's message, or the whole list of messages. A failed request returns the text
        received so far; it is a failure in Locust's statistics and in the record.
        """
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        return self._ask({"messages": messages, "max_tokens": max_tokens, **body}, max_tokens, name)

    def on_record(self, record: RequestRecord) -> None:
        """Take the record of each request; overwrite it to keep them."""

    def _ask(self, body: dict[str, Any], max_tokens: int, name: str) -> str:
        stream = self._target.stream
        common: dict[str, Any] = {"model": self._target.model, "stream": stream}
        if stream:
            common["stream_options"] = {"include_usage": True}
        ask = Ask({**common, **body}, 0, max_tokens)
        record, text = self._loop().ask(ask, next(self._sequence))
        self.on_record(record)
        self._tell_locust(record, text, name)
        return text

    def _shared_target(self) -> Target:
        key = (str(self.host), type(self))
        if key not in self._targets:
            target = Target(url=self.host, model=self.model or None, **self.target_options)
            self._targets[key] = with_model(target)
        return self._targets[key]

    def _loop(self) -> ClosedLoop:
        key = (str(self.host), type(self))
        if key not in self._loops:
            endpoint = resolve_endpoint(self._target)
            calls = CallFactory(endpoint, self.run_id, self.trace_sample_share, keep_text=True)
            self._loops[key] = ClosedLoop(endpoint, calls)
        return self._loops[key]

    def _tell_locust(self, record: RequestRecord, text: str, name: str) -> None:
        failed = record.outcome is not Outcome.OK
        self.environment.events.request.fire(
            request_type="E2E",
            name=name,
            response_time=(record.end_ns - record.intended_ns) / 1e6,
            response_length=record.bytes_received,
            exception=InferenceFailedError(f"{record.outcome}: {record.error_type}") if failed else None,
            context={"record": record, "text": text},
        )
        if record.first_token_ns is not None and not failed:
            self.environment.events.request.fire(
                request_type="TTFT",
                name=name,
                response_time=(record.first_token_ns - record.intended_ns) / 1e6,
                response_length=0,
                exception=None,
                context={},
            )
