"""Programs that only the tests need, built like the stack's own."""

from __future__ import annotations

from pathlib import Path

from stack.errors import NotObtainableError
from stack.install.golang import GoProgram, build_programs
from tests.stack.conftest import skip

_COMPOSE_GO = "2.16.2"
_COMPOSE_CHECK = Path(__file__).parent / "compose_check"


def compose_check() -> Path:
    """Return the program that reads compose files as docker compose does: schema, variables, references."""
    try:
        folder = build_programs("compose-check", _COMPOSE_GO, (GoProgram(".", str(_COMPOSE_CHECK)),))
    except NotObtainableError as error:
        skip(str(error))
    return folder / "compose-check"
