"""The workload: from a request's number to the body that is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.workload.lengths import Length
from harness.workload.prompts import Prompts


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: the OpenAI JSON body, and the lengths it asks for in tokens."""

    body: dict[str, Any]
    input_tokens_requested: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Workload:
    """``constant`` is the part of the body that every request shares; ``chat`` says messages or prompt.

    ``token_ids`` turns a prompt into the ids that are sent in its place (None: the text is sent).
    ``prompt_length_basis`` says for the report how prompt lengths were made: ``tokenizer <name>`` or
    ``calibrated characters``. A chat template that the target adds is not counted. ``always`` is a list where
    every request is the same: the first is kept in it and given to all, so that it is encoded once.
    """

    constant: dict[str, Any]
    chat: bool
    prompts: Prompts
    prompt_tokens: Length
    output_tokens: Length
    prompt_length_basis: str
    token_ids: Callable[[str], list[int]] | None = None
    always: list[Ask] | None = None

    def ask(
        self,
        seq: int,
        stage: int,  # noqa: ARG002 -- no workload differs by stage
        input_tokens: int | None = None,
        output_tokens: int | None = None,
    ) -> Ask:
        """Return request ``seq``. The lengths are the trace's, or None where there is no trace.

        The same scenario, seed and ``seq`` give the same request in every process.
        """
        if self.always:
            return self.always[0]
        ask = self._ask(seq, input_tokens, output_tokens)
        if self.always is not None:
            self.always.append(ask)
        return ask

    def _ask(self, seq: int, input_tokens: int | None, output_tokens: int | None) -> Ask:
        asked = self.prompts.prompt(seq, self.prompt_tokens(seq, input_tokens))
        max_tokens = asked.max_tokens or self.output_tokens(seq, output_tokens)
        body = dict(self.constant)
        input_tokens = asked.input_tokens
        if self.chat:
            body["messages"] = asked.messages
        elif self.token_ids is None:
            body["prompt"] = asked.text
        else:
            body["prompt"] = ids = self.token_ids(asked.text)
            input_tokens = len(ids)
        body["max_tokens"] = max_tokens
        return Ask(body, input_tokens, max_tokens)
