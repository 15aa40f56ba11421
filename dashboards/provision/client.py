"""Calls of grafana-client with our errors, and the comparison that makes provisioning idempotent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from grafana_client import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException

from dashboards.errors import ProvisionError

Credential = str | tuple[str, str]
"""A token, or user and password."""
_NOT_FOUND = 404


class Client:
    """One Grafana. ``api`` is grafana-client's; call it through ``get`` and ``do``."""

    def __init__(self, url: str, credential: Credential) -> None:
        self._host = urlsplit(url).hostname
        self.api = GrafanaApi.from_url(url, credential=credential)

    def get(self, call: Callable[..., Any], uid: str) -> Any:
        """Return what has this uid, or None. Raises ProvisionError when Grafana does not tell."""
        try:
            return call(uid)
        except GrafanaClientError as error:
            if error.status_code == _NOT_FOUND:
                return None
            raise self._refusal(error) from None
        except (GrafanaException, OSError) as error:
            raise self._refusal(error) from None

    def do(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Return the call's answer. Raises ProvisionError when Grafana does not answer or refuses."""
        try:
            return call(*arguments, **named)
        except (GrafanaException, OSError) as error:
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> ProvisionError:
        return ProvisionError(f"Grafana at {self._host}: {error}")


def holds(there: Any, wanted: Any) -> bool:
    """Say whether all that is wanted is there; what a server adds by itself does not matter."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(holds(there.get(key), wanted[key]) for key in wanted)
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        same = isinstance(there, Sequence) and len(there) == len(wanted)
        return same and all(map(holds, there, wanted))
    return bool(there == wanted)
