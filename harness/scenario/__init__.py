"""Step 1: a scenario file becomes one frozen value, or a list of every mistake in it."""
