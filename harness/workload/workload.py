"""The workload: from a request's number to the body that is sent."""

from __future__ import annotations

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

    ``prompt_length_basis`` says for the report how prompt lengths were made: ``tokenizer <name>`` or
    ``calibrated characters``. A chat template that the target adds is not counted.
    """

    constant: dict[str, Any]
    chat: bool
    prompts: Prompts
    prompt_tokens: Length
    output_tokens: Length
    prompt_length_basis: str

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
        asked = self.prompts.prompt(seq, self.prompt_tokens(seq, input_tokens))
        max_tokens = asked.max_tokens or self.output_tokens(seq, output_tokens)
        body = dict(self.constant)
        if self.chat:
            body["messages"] = asked.messages
        else:
            body["prompt"] = asked.text
        body["max_tokens"] = max_tokens
        return Ask(body, asked.input_tokens, max_tokens)
