"""What a person watches: Grafana's dashboards, Prometheus' rules, Kibana's searches: generated, committed."""
