"""Run the components as ordinary processes on loopback: start, wait until healthy, record, stop."""
