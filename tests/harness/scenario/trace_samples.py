"""Small traces made by hand, and the folder of real ones where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

AZURE = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 23:59:59.5000000,4808,10
2023-11-17 00:00:00.0000000,110,27
2023-11-17 00:00:00.2500001,34,12
2023-11-17 00:00:10.5000000,7433,14
"""
MOONCAKE = """\
{"timestamp": 1000, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}
{"timestamp": 1000, "input_length": 7322, "output_length": 490, "hash_ids": [0, 14]}
{"timestamp": 4500, "input_length": 12, "output_length": 3, "hash_ids": [0]}
"""
GENERIC = """\
timestamp,input_tokens,output_tokens
12.5,10,1
10,20,2
11.25,30,3
"""


def real_trace(name: str) -> Path:
    """Return a real trace's path; skip the test where the folder is not at hand."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "traces"
    folder = Path(os.environ.get("TIDEGATE_TRACES", beside))
    if not (folder / name).is_file():
        pytest.skip("real traces are read from the folder in TIDEGATE_TRACES")
    return folder / name
