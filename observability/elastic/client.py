"""How Elasticsearch is reached: one place for the address, the credentials and the certificate."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError

URL_VARIABLE = "TIDEGATE_ELASTICSEARCH_URL"
CA_FILE_VARIABLE = "TIDEGATE_ELASTICSEARCH_CA_FILE"
FAILURES = (ApiError, TransportError)
"""What a call may raise: an answer that says no, or none at all."""


def connect(
    url: str, timeout_seconds: float = 30.0, environment: Mapping[str, str] = os.environ
) -> Elasticsearch:
    """Return a client; nothing is sent yet. Raise ValueError for a URL that is none.

    The URL may carry ``user:password@``. The client itself retries nothing: what a lost answer means is for
    the caller to decide.
    """
    ca_file = environment.get(CA_FILE_VARIABLE)
    trust: dict[str, Any] = {"ca_certs": ca_file} if ca_file else {}
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)  # each failure is told by who meets it
    return Elasticsearch(
        url,
        request_timeout=timeout_seconds,
        max_retries=0,
        retry_on_timeout=False,
        http_compress=True,
        **trust,
    )


def explain(error: Exception) -> str:
    """Return one line that says why a call failed, without credentials."""
    if isinstance(error, ApiError):
        return f"Elasticsearch answered {error.status_code}: {error.message}"
    if isinstance(error, TransportError):
        return f"no answer from Elasticsearch: {error.message}"
    return str(error)
