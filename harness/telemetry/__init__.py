"""Step 9: metrics, logs and scrapes of the run, to files always and to a stack when it is there."""
