"""The stack as the memory of runs: what Elasticsearch holds of them, listed and compared."""
