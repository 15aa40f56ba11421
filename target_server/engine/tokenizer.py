"""Text to tokens on the way in, tokens to text on the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from target_server.engine.protocol import Submission

# For models that bring no chat template of their own (base models).
_CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class Tokenizer:
    """A transformers tokenizer, reduced to what the engine asks of it.

    Goes to the Rust tokenizer beneath for texts: the wrapper's own call sets truncation and padding on the
    shared object, which fails while the engine's thread is decoding.
    """

    def __init__(self, tokenizer: Any) -> None:
        if getattr(tokenizer, "backend_tokenizer", None) is None:
            raise ValueError("the model has no tokenizer.json")
        self._template_owner = tokenizer
        self._rust = tokenizer.backend_tokenizer
        self._empty_prompt = [_first_given(tokenizer.bos_token_id, tokenizer.eos_token_id, 0)]
        if tokenizer.chat_template is None:
            tokenizer.chat_template = _CHATML

    def encode(self, submission: Submission) -> list[int]:
        """Return the prompt's tokens, at least one.

        Raises ValueError when the messages do not fit the model's chat template.
        """
        if submission.prompt is not None:
            ids: list[int] = self._rust.encode(submission.prompt).ids
        else:
            text = self._chat_text(submission.messages or ())
            ids = self._rust.encode(text, add_special_tokens=False).ids
        return ids or self._empty_prompt

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the tokens' text, without special tokens."""
        text: str = self._rust.decode(tokens, skip_special_tokens=True)
        return text

    def _chat_text(self, messages: Sequence[Mapping[str, Any]]) -> str:
        plain = [{**message, "content": _plain(message.get("content"))} for message in messages]
        try:
            text: str = self._template_owner.apply_chat_template(
                plain, tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # a template raises whatever it likes
            raise ValueError(f"the messages do not fit the model's chat template: {error}") from error
        return text


def _first_given(*tokens: int | None) -> int:
    return next(token for token in tokens if token is not None)


def _plain(content: object) -> str:
    """Join the texts of a content of several parts, as most templates know plain text only."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
