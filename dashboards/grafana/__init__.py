"""The six dashboards: each a file that says what it shows; `builder` makes Grafana's JSON of it."""
