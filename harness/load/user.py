"""A Locust user for people who write their own locustfile: ``self.chat("Hello")``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import gevent
from locust import User, events, runners
from locust.exception import StopUser
from pydantic import ValidationError

from harness.errors import UsageError
from harness.load.live_run import Conclusion, Root
from harness.load.locust_options import add_runs_dir
from harness.load.locust_page import add_page
from harness.load.locust_plugin import Leader, concluded, join
from harness.load.unpatched import be_patient, know_the_time
from harness.load.users_run import Desk
from harness.measure.record import Outcome, RequestRecord
from harness.scenario.fields import from_file_context
from harness.scenario.model import Scenario, Target
from harness.telemetry.target import with_model
from harness.workload import Ask


class InferenceFailedError(Exception):
    """An answer that was none; Locust counts it as a failure."""


_LONG_SECONDS = 600.0
_desks: WeakKeyDictionary[Any, Desk] = WeakKeyDictionary()


class ClosedLoopUser(User):  # type: ignore[misc]
    """A closed-loop user: asks, waits for the whole answer, asks again. See ``harness.user``.

    ``root`` stands above the load and turns records into a report. The first subclass hooks into Locust, so
    that a test of such users is a run: with a folder, records, a page, and a report at its end.
    """

    abstract = True
    root: ClassVar[Root]
    model: ClassVar[str] = ""
    target_options: ClassVar[dict[str, Any]] = {}
    run_options: ClassVar[dict[str, Any]] = {}
    trace_sample_share: ClassVar[float] = 0.05

    _targets: ClassVar[dict[tuple[str, type], Target]] = {}  # asked once, not by each of a thousand users
    _hooked: ClassVar[bool] = False

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if not ClosedLoopUser._hooked and hasattr(cls, "root"):
            ClosedLoopUser._hooked = True
            events.init_command_line_parser.add_listener(add_runs_dir)
            events.init.add_listener(_attach)

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._target = target_of(type(self), environment)
        self._desk = _desks[environment]

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
        """Take the record of each request; overwrite it to look at them."""

    def _ask(self, body: dict[str, Any], max_tokens: int, name: str) -> str:
        stream = self._target.stream
        common: dict[str, Any] = {"model": self._target.model, "stream": stream}
        if stream:
            common["stream_options"] = {"include_usage": True}
        run = self._desk.run()
        if run is None:
            _wait_for_the_end()
        assert run is not None
        record, text = run.ask(self._target, Ask({**common, **body}, 0, max_tokens))
        if run.is_over and record.outcome is Outcome.CANCELLED:
            _wait_for_the_end()  # not the target's failure: it was still answering when time was up
        self.on_record(record)
        self._tell_locust(record, text, name)
        return text

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


def _wait_for_the_end() -> None:
    """Wait for Locust to end this user: it spawns those that end by themselves again, or complains."""
    gevent.sleep(_LONG_SECONDS)
    raise StopUser


def target_of(kind: type[ClosedLoopUser], environment: Any) -> Target:
    """Return the target of a class of users, with its model. Raises what ``with_model`` raises."""
    host = str(environment.host or kind.host or "")
    key = (host, kind)
    if key not in kind._targets:
        target = Target(url=host or None, model=kind.model or None, **kind.target_options)
        if target.url is None:
            raise UsageError("the target needs a URL: --host, or host in the user's class")
        if target.protocol != "http":
            raise UsageError("an InferenceUser chats over HTTP: vLLM's gRPC service has no chat template")
        kind._targets[key] = with_model(target)
    return kind._targets[key]


def scenario_of(kind: type[ClosedLoopUser], environment: Any) -> Scenario:
    """Return what a run of such users is, as a scenario: a closed loop with one stage and no rate."""
    data = {
        "name": _slug(kind.__name__),
        "loop": "closed",
        "description": f"users of {environment.locustfile or kind.__module__}, each with its next request "
        "once it has been answered",
        "trace_sample_share": kind.trace_sample_share,
        "stages": [{"name": "users", "duration": "1s", "rate": "0/s"}],
        **kind.run_options,
    }
    try:
        scenario = Scenario.model_validate(data, context=from_file_context(Path.cwd()))
    except ValidationError as error:
        raise UsageError(f"{kind.__name__}.run_options: {error}") from None
    return scenario.model_copy(update={"target": target_of(kind, environment)})


def _attach(environment: Any, **_: Any) -> None:
    """Take our part in this process, if its users are ours."""
    kinds = [kind for kind in environment.user_classes if issubclass(kind, ClosedLoopUser)]
    if not kinds:
        return
    be_patient()
    know_the_time()
    desk = _desks[environment] = Desk()
    if not isinstance(environment.runner, runners.MasterRunner):
        join(environment, desk.open)
        environment.events.test_stop.add_listener(lambda **_: desk.close())
    if not isinstance(environment.runner, runners.WorkerRunner):
        leader = Leader(environment, lambda leader: _lead(leader, kinds[0]))
        add_page(environment, leader, kinds[0].root)


def _lead(leader: Leader, kind: type[ClosedLoopUser]) -> Conclusion:
    """One test, from Locust's start to the report after its stop."""
    environment, live = leader.environment, leader.live
    live.phase = "asking the target"
    runs_dir = Path(environment.parsed_options.runs_dir)
    run_dir = kind.root.run_users(scenario_of(kind, environment), runs_dir, live.watch, leader.drive)
    return concluded(live, kind.root, run_dir)


def _slug(name: str) -> str:
    """Return a class's name as a scenario's: ``ReturningShopper`` → ``returning-shopper``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower().strip("_-") or "users"
