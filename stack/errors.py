"""The stack's own errors: the command line prints the sentence and exits with the code."""

from __future__ import annotations


class StackError(Exception):
    """A component could not be installed, started or reached."""

    exit_code = 5


class NotObtainableError(StackError):
    """A component cannot be had on this machine: a tool is missing, or a registry does not serve it."""
