"""Beside the run: a target whose truth is known, and what the harness itself adds to it on this machine."""
