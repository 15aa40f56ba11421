"""Everything that Kibana imports, as the lines of one file."""

from __future__ import annotations

import json

from dashboards.kibana.board import CHARTS, board
from dashboards.kibana.saved import SavedObject
from dashboards.kibana.searches import SEARCHES
from dashboards.kibana.views import VIEWS


def saved_objects() -> tuple[SavedObject, ...]:
    """Return every object; what others refer to comes first."""
    parts = (*VIEWS, *SEARCHES, *CHARTS)
    return (*(part.saved() for part in parts), board())


def ndjson() -> str:
    """Return the file's text."""
    return "".join(
        json.dumps(each.to_dict(), sort_keys=True, ensure_ascii=False) + "\n" for each in saved_objects()
    )
