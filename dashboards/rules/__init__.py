"""Prometheus' rules: what makes servers look alike, what is recorded of runs, alerts from the SLO files."""
