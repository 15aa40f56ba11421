"""Answer one generation request: read, admit, then pass the engine's tokens to the socket as they come."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from target_server.admission.gate import Refused, admit
from target_server.api.answers import DONE, Answer
from target_server.api.errors import ApiError, engine_failed, invalid, queue_full
from target_server.api.http import EVENT_STREAM, ClientGone, Request, Response
from target_server.api.lifecycle import Lifecycle
from target_server.api.requests import Ask
from target_server.api.shapes import Shape
from target_server.engine.protocol import (
    Engine,
    EngineFailed,
    PromptTooLong,
    SamplingParams,
    Stream,
    Submission,
    TokenDelta,
)
from target_server.telemetry.exchange import Exchange
from target_server.telemetry.telemetry import Telemetry

logger = logging.getLogger("target_server.api")
_Give = Callable[[Exchange, Stream, Answer, Response], Awaitable[TokenDelta | None]]


@dataclass(frozen=True, slots=True)
class Generator:
    """Answers both generation endpoints. Every call ends as exactly one finished exchange."""

    engine: Engine
    telemetry: Telemetry
    lifecycle: Lifecycle
    max_body_bytes: int

    async def __call__(self, shape: Shape, request: Request, response: Response) -> None:
        """Answer, whatever happens; the exchange's outcome says what did."""
        request_id = shape.id_prefix + uuid.uuid4().hex
        exchange = self.telemetry.begin(request_id, shape.operation, shape.route, request.headers)
        try:
            stream, answer, give = await self._accept(shape, exchange, request)
            await self._answer(exchange, stream, give(exchange, stream, answer, response), request, response)
        except ClientGone:
            exchange.outcome = "cancelled"
        except ApiError as error:
            await _fail(exchange, response, error)
        except Exception:
            logger.exception("answering %s failed", request_id)
            await _fail(exchange, response, engine_failed("The server failed to answer."))
        finally:
            self.telemetry.finish(exchange)

    async def _accept(
        self, shape: Shape, exchange: Exchange, request: Request
    ) -> tuple[Stream, Answer, _Give]:
        """Read, check and submit the request. What was read is let go: a stream may live for hours."""
        ask = shape.read(await request.body(self.max_body_bytes))
        request.headers = {}
        self.lifecycle.refuse_unless_ready()
        if ask.model != self.engine.model_id:
            raise no_such_model(ask.model, self.engine.model_id)
        self._note(exchange, ask)
        stream = self._submit(exchange, ask)
        self.telemetry.accepted(exchange, stream.prompt_tokens)
        answer = Answer(shape, exchange.request_id, ask.model, include_usage=ask.include_usage)
        return stream, answer, self._give_stream if ask.stream else self._give_whole

    async def _answer(
        self,
        exchange: Exchange,
        stream: Stream,
        giving: Awaitable[TokenDelta | None],
        request: Request,
        response: Response,
    ) -> None:
        self.lifecycle.hold(stream)
        request.on_leave(stream.cancel)
        try:
            last = await giving
        except EngineFailed as failure:
            raise engine_failed(f"The engine failed: {failure}") from failure
        finally:
            self.lifecycle.release(stream)
        if last is None:
            await self._end_early(request, exchange, response)
        else:
            exchange.outcome = "ok"

    def _note(self, exchange: Exchange, ask: Ask) -> None:
        text = ask.text
        exchange.model = ask.model
        exchange.stream = ask.stream
        exchange.max_tokens = ask.params.max_tokens
        exchange.temperature = ask.params.temperature
        exchange.prompt_hash = self.telemetry.hash_prompt(text)
        exchange.prompt_characters = len(text)

    def _submit(self, exchange: Exchange, ask: Ask) -> Stream:
        self.telemetry.observer.watch(exchange)
        try:
            return self._submit_what_fits(exchange.request_id, ask)
        except Refused as refused:
            raise queue_full(refused.retry_after_seconds) from refused
        except PromptTooLong as too_long:
            raise invalid(f"{too_long}.", ask.text_field, "context_length_exceeded") from too_long
        except ValueError as unfit:  # the model's chat template has no place for these messages
            raise invalid(f"'{ask.text_field}': {unfit}.", ask.text_field, "invalid_value") from unfit
        except EngineFailed as failure:
            raise engine_failed(f"The engine failed: {failure}") from failure

    def _submit_what_fits(self, request_id: str, ask: Ask) -> Stream:
        """Submit; a default answer length that does not fit becomes what the prompt leaves."""
        try:
            return admit(self.engine, _submission(request_id, ask, ask.params))
        except PromptTooLong as too_long:
            left = too_long.max_sequence_length - too_long.prompt_tokens
            if ask.max_tokens_given or left < 1:
                raise
            return admit(self.engine, _submission(request_id, ask, replace(ask.params, max_tokens=left)))

    async def _give_stream(
        self, exchange: Exchange, stream: Stream, answer: Answer, response: Response
    ) -> TokenDelta | None:
        """Send chunks; the headers wait for the first token, so that an early failure has its own status."""
        async for delta in stream:
            body = answer.chunk(delta.text)
            if not response.started:
                exchange.status = 200
                response.start(200, EVENT_STREAM, [(b"cache-control", b"no-cache")])
                body = answer.opening() + body
            self._delivered(exchange, delta)
            if delta.finish_reason is not None:
                await response.write(body + answer.ending(delta), last=True)
                return delta
            if body:
                await response.write(body)
        return None

    async def _give_whole(
        self, exchange: Exchange, stream: Stream, answer: Answer, response: Response
    ) -> TokenDelta | None:
        """Collect the text and send one document."""
        pieces: list[str] = []
        async for delta in stream:
            pieces.append(delta.text)
            if delta.finish_reason is not None:
                self._delivered(exchange, delta)
                exchange.status = 200
                await response.whole(200, answer.whole("".join(pieces), delta))
                return delta
        return None

    def _delivered(self, exchange: Exchange, delta: TokenDelta) -> None:
        self.telemetry.delivered(exchange, delta.completion_tokens)
        exchange.cached_tokens = delta.cached_tokens
        exchange.finish_reason = delta.finish_reason

    async def _end_early(self, request: Request, exchange: Exchange, response: Response) -> None:
        """End an answer whose stream ended without a finish reason, by what the reason was.

        When it was the engine's doing, the client gets what the engine gave: a body that is complete as HTTP
        and has neither a finish reason nor ``[DONE]``. A harness must notice that by itself.
        """
        if request.left:
            raise ClientGone
        if self.lifecycle.cut:
            raise self.lifecycle.cut_short()
        if not response.started:
            raise engine_failed("The engine ended the answer before its end.")
        exchange.outcome, exchange.error = "failed", "the engine ended the answer before its end"
        await response.write(b"", last=True)


async def _fail(exchange: Exchange, response: Response, error: ApiError) -> None:
    """Send the error as the answer, or as the event that ends a stream which had begun."""
    exchange.outcome = error.outcome
    exchange.error = error.reason()
    if not response.started:
        exchange.status = error.status
        await response.error(error)
    elif not response.complete:
        await response.write(error.event() + DONE, last=True)


def _submission(request_id: str, ask: Ask, params: SamplingParams) -> Submission:
    return Submission(request_id=request_id, prompt=ask.prompt, messages=ask.messages, params=params)


def no_such_model(asked: str, served: str) -> ApiError:
    """Return the 404 of a model that is not served here."""
    message = f"The model '{asked}' does not exist; this server has '{served}'."
    return ApiError(404, message, param="model", code="model_not_found")
