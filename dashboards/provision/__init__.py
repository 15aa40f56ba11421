"""What Grafana is given through its API; in the compose stack most of it comes by files."""
