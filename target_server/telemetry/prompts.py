"""Prompts never reach a log: what stands for one is a keyed hash, so that equal prompts can be recognised."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping

KEY_VARIABLE = "TIDEGATE_PROMPT_HASH_KEY"
_HASH_BYTES = 16


class PromptHasher:
    """Keyed BLAKE2b. Without the key nobody can test whether a guessed prompt is behind a hash."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(key).digest()  # any length becomes the 64 bytes that BLAKE2b takes

    def __call__(self, prompt: str) -> str:
        """Return 32 hex digits."""
        text = prompt.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key, digest_size=_HASH_BYTES).hexdigest()


def hasher_from_environment(environment: Mapping[str, str]) -> PromptHasher:
    """Use the key given in the environment; without one, hashes are comparable within this process only."""
    given = environment.get(KEY_VARIABLE)
    return PromptHasher(given.encode() if given else os.urandom(64))
