"""The dashboards as pages of their own, drawn with live data: what Grafana would show, without a Grafana."""
