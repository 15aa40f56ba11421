"""``python -m tests.harness.calibrate.golden.sanitized_target LIBRARY …``: a golden target of that build."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.calibrate.golden import __main__, library

if __name__ == "__main__":
    library._LIBRARY = Path(sys.argv[1])
    __main__.main(sys.argv[2:])
