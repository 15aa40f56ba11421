"""Step 11: SLOs and the summary → PASS, FAIL, INCONCLUSIVE, INVALID or ABORTED, and an exit code."""
