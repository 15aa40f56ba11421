"""Figures about the harness itself: `python -m benchmarks.NAME` prints one JSON object a line."""
