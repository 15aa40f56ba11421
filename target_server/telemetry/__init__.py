"""Step 9, the target's half: metrics, spans and log lines, made from instants after the fact."""
