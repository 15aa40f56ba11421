"""Step 10: what people and machines read after a run: terminal, HTML, JUnit, Markdown. No network."""
