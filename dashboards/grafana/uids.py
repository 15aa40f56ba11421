"""The fixed names by which Grafana's objects find each other."""

from __future__ import annotations

PROMETHEUS_UID = "tidegate-prometheus"
JAEGER_UID = "tidegate-jaeger"
ELASTICSEARCH_UID = "tidegate-elasticsearch"
ALERTMANAGER_UID = "tidegate-alertmanager"
FOLDER_UID = "tidegate"
TAG = "tidegate"
