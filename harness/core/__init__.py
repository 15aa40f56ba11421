"""Step 4 where it must be fast: sockets, timers and answers in a C library with a thread of its own.

``src/`` holds the C, ``third_party/`` the two parsers that it stands on. The library knows nothing of Python:
it is loaded with ctypes, and ``harness.wire`` is the reference that the tests hold it to.
"""
