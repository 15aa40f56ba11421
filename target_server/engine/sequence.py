"""One request inside the torch engine: its prompt, what was generated, and when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_server.engine.protocol import FinishReason, SamplingParams, TokenDelta
from target_server.engine.text import Decode, Detokenizer, StopStrings

if TYPE_CHECKING:
    import torch

    from target_server.engine.stream import TokenStream


class Sequence:
    """Prompt tokens plus generated tokens; ``computed`` of them have their keys and values in the cache."""

    def __init__(
        self,
        prompt: list[int],
        params: SamplingParams,
        stream: TokenStream,
        decode: Decode,
        end_tokens: frozenset[int],
    ) -> None:
        self.prompt = prompt
        self.params = params
        self.stream = stream
        self.tokens: list[int] = []
        self.computed = 0
        self.finish_reason: FinishReason | None = None
        self.generator: torch.Generator | None = None
        self._end_tokens = frozenset[int]() if params.ignore_eos else end_tokens
        self._detokenizer = Detokenizer(decode)
        self._stop_strings = StopStrings(params.stop)

    @property
    def request_id(self) -> str:
        """The submission's id."""
        return self.stream.request_id

    @property
    def cancelled(self) -> bool:
        """True once the reader has gone."""
        return self.stream.cancelled

    @property
    def prefilling(self) -> bool:
        """True while a part of the prompt is still to be computed."""
        return self.computed < len(self.prompt)

    @property
    def last_token(self) -> int:
        """The token that the next decode step reads."""
        return self.tokens[-1]

    def append(self, token: int) -> TokenDelta:
        """Take the next token, decide whether it is the last, and return what the reader gets of it."""
        self.tokens.append(token)
        text, stopped = self._stop_strings.push(self._detokenizer.push(token))
        if stopped or token in self._end_tokens:
            self.finish_reason = "stop"
        elif len(self.tokens) >= self.params.max_tokens:
            self.finish_reason = "length"
        if self.finish_reason and not stopped:
            text += self._stop_strings.flush()
        return TokenDelta(text, 1, self.finish_reason, len(self.prompt), len(self.tokens))
