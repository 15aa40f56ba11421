"""``python -m target_server`` is ``tidegate-target``."""

from target_server.app import main

main()
