"""Where one stack lives: its folder, its hosts and ports, and what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
RULES = Path(__file__).parent.parent.parent / "dashboards" / "rules"

# Without the second compiler: it adds two thirds to the start's processor time, beside a load test on the
# same cores, and makes up for it only after some 80,000 documents.
JAVA_OPTIONS = "-Xms512m -Xmx512m -XX:TieredStopAtLevel=1"


@dataclass(frozen=True, slots=True)
class Site:
    """One stack: what its configurations are rendered from.

    A port is named after what it serves: ``prometheus``, ``otlp_grpc``; one that only the stack itself uses
    has a dot in its name (``collector.health``). Ports of components that do not run are there too. ``hosts``
    has what is reached by another name than this machine's, ``bind`` is the address that servers listen at.
    ``rules`` and ``scrape`` are where Prometheus finds its rules, and the files that announce whom to watch.
    ``alert_webhook`` is the URL that Alertmanager sends to (None: to nobody). ``tail_sampling`` has the
    Collector choose the traces that are kept. ``java_options`` are for Elasticsearch.
    """

    folder: Path
    ports: Mapping[str, int]
    runs: frozenset[str]
    scrape: Path
    rules: Path = RULES
    hosts: Mapping[str, str] = field(default_factory=dict)
    bind: str = HOST
    alert_webhook: str | None = None
    tail_sampling: bool = False
    java_options: str = JAVA_OPTIONS

    def address(self, port: str) -> str:
        """Return ``host:port``."""
        return f"{self.hosts.get(port, HOST)}:{self.ports[port]}"

    def url(self, port: str) -> str:
        """Return the base URL, without a slash at its end."""
        return f"http://{self.address(port)}"

    def config(self, component: str) -> Path:
        """Return the folder of the component's rendered configuration; it is made when missing."""
        return self._made("config", component)

    def data(self, component: str) -> Path:
        """Return the folder of what the component stores; it is made when missing."""
        return self._made("data", component)

    def log(self, component: str) -> Path:
        """Return the file that the component's output is appended to."""
        return self._made("logs") / f"{component}.log"

    def _made(self, *parts: str) -> Path:
        folder = self.folder.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
