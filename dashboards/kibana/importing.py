"""Import into a running Kibana, and read what became of every object.

Kibana answers 200 also where objects failed: the body says which.
"""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.errors import ProvisionError

_PATH = "/api/saved_objects/_import?overwrite=true"
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Imported:
    """How many objects Kibana has now from us."""

    count: int


def import_objects(kibana: str, text: str, headers: Mapping[str, str] | None = None) -> Imported:
    """Import an export's text, replacing what has the same ids.

    ``headers`` carry the credentials. Raise ProvisionError when Kibana does not answer, refuses, or could not
    import every object.
    """
    body, content_type = _form(text)
    request = urllib.request.Request(
        kibana.rstrip("/") + _PATH,
        data=body,
        headers={"kbn-xsrf": "tidegate", "Content-Type": content_type, **(headers or {})},
        method="POST",
    )
    answer = _read(request)
    wanted = len(text.splitlines())
    if not answer.get("success") or answer.get("successCount") != wanted:
        raise ProvisionError(
            f"Kibana imported {answer.get('successCount', 0)} of {wanted}: {_reasons(answer)}"
        )
    return Imported(wanted)


def _read(request: urllib.request.Request) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            document = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        said = error.read(500).decode("utf-8", "replace")
        raise ProvisionError(f"Kibana answered {error.code}: {said}") from None
    except (OSError, ValueError) as error:
        raise ProvisionError(f"no answer from Kibana at {request.full_url}: {error}") from None
    return document if isinstance(document, dict) else {}


def _reasons(answer: Mapping[str, Any]) -> str:
    """Name each object that failed with what Kibana says of it."""
    told = [
        f"{each.get('type')} {each.get('id')}: {each.get('error', {}).get('type', 'unknown')}"
        for each in answer.get("errors", ())
    ]
    return "; ".join(told) or "it does not say why"


def _form(text: str) -> tuple[bytes, str]:
    """Return (body, content type) of a form with one file."""
    boundary = secrets.token_hex(16)
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="file"; filename="tidegate.ndjson"\r\n'
        "Content-Type: application/ndjson\r\n\r\n"
    )
    return f"{head}{text}\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
