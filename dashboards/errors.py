"""What can go wrong with Grafana, Kibana and Prometheus, as sentences for the terminal."""

from __future__ import annotations


class DashboardError(Exception):
    """A condition that ends the command with a sentence."""

    exit_code = 5


class ProvisionError(DashboardError):
    """Grafana or Kibana does not answer, or does not take what it was given."""


class QueryError(DashboardError):
    """Prometheus does not answer, or refuses a query."""
