"""The form that all of Kibana's saved objects have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

CORE_VERSION = "8.8.0"
"""The core's migration version that Kibana 9 writes into its own exports."""


@dataclass(frozen=True, slots=True)
class SavedObject:
    """``references`` are (name, type, id): the name is where the object's attributes mean the other one."""

    type: str
    id: str
    attributes: dict[str, Any]
    references: tuple[tuple[str, str, str], ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return one line of an export."""
        return {
            "id": self.id,
            "type": self.type,
            "attributes": self.attributes,
            "references": [{"name": name, "type": kind, "id": key} for name, kind, key in self.references],
            "coreMigrationVersion": CORE_VERSION,
            "managed": False,
        }
