"""A write-ahead spool: what it accepted is on disk, and leaves it only when somebody else has stored it."""
