"""Rules that give other servers' series our names, with a label that says whose they are."""

from __future__ import annotations

from dashboards.rules.document import Group, Record
from observability.alike import ALIKE, Alike, series_of

INTERVAL = "5s"


def server_groups() -> tuple[Group, ...]:
    """Return one group a server. Renamed series stay counters: each is one of theirs, nothing is added up."""
    servers = dict.fromkeys(row.server for row in ALIKE)
    return tuple(
        Group(
            f"tidegate-{server}",
            INTERVAL,
            [rule for row in ALIKE if row.server == server for rule in _rules(row)],
        )
        for server in servers
    )


def _rules(row: Alike) -> list[Record]:
    where = ", ".join(f'{name}=~"{value}"' for name, value in row.where)
    labels = {"server": row.server, **dict(row.labels)}
    return [
        Record(ours, f"{theirs}{{{where}}}" if where else theirs, labels) for ours, theirs in series_of(row)
    ]
