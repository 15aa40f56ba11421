"""A tokenizer for the tools that insist on one: the packaged small model's, which needs no model hub."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peer.environment import cache
from benchmarks.peer.tool import AbsentError


def tokenizer_folder() -> Path:
    """Return a folder that holds ``tokenizer.json``. Raises `AbsentError`."""
    for found in sorted((cache() / "models").glob("*/tokenizer.json")):
        return found.parent
    try:
        from target_server.engine.fetch import FetchError, fetch_model  # needs the target's extra

        return Path(fetch_model("smollm2-135m"))
    except ImportError as error:
        raise AbsentError(f"it needs a tokenizer, and {error.name} to make one is not installed") from error
    except FetchError as error:
        raise AbsentError(f"it needs a tokenizer: {error}") from error
