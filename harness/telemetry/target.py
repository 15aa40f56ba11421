"""What the harness asks the target besides the load: its models and its own counts."""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample as PrometheusSample

from harness.errors import TargetUnreachableError, UsageError
from harness.measure.reconcile import ServerCounts
from harness.scenario.model import Target
from observability.foreign import DIALECTS, RESIDENT_BYTES, RUNNING, Dialect, Sample

_TIMEOUT_SECONDS = 10.0
_NOT_HERE = (404, 405, 501)


@dataclass(frozen=True, slots=True)
class Counters:
    """One reading of the target's own counters; None where it does not count."""

    kind: str
    finished: float | None
    output_tokens: float | None


@dataclass(frozen=True, slots=True)
class Levels:
    """Requests that the target works on, and the resident memory of its processes; None: it does not tell."""

    running: int | None
    resident_bytes: int | None


def model_of(target: Target) -> str:
    """Return the model that requests will name: the scenario's, else the first that the target lists.

    Raise TargetUnreachableError when nothing answers, and UsageError when it lists none.
    """
    page = _get(target, "/v1/models")
    if target.model is not None:
        return target.model
    try:
        return str(json.loads(page or "")["data"][0]["id"])
    except (ValueError, KeyError, IndexError, TypeError):
        raise UsageError(
            f"{target.url}/v1/models lists no model: name one by --model, or target.model in the scenario"
        ) from None


def with_model(target: Target) -> Target:
    """Return the target with the model that its requests will name. Raises what ``model_of`` raises."""
    return target.model_copy(update={"model": model_of(target)})


def read_counters(target: Target) -> Counters | None:
    """Read the target's ``/metrics`` page; None where there is none, or none that we know how to read."""
    try:
        page = _metrics(target)
    except TargetUnreachableError:
        return None
    return None if page is None else counters_of(page)


def counters_of(page: str) -> Counters | None:
    """Find the dialect that a Prometheus page speaks, and read its counts."""
    try:
        samples = [s for family in text_string_to_metric_families(page) for s in family.samples]
    except ValueError:
        return None
    for dialect in DIALECTS:
        if _speaks(dialect, samples):
            finished = _total(dialect.finished, samples)
            return Counters(dialect.kind, finished, _total(dialect.output_tokens, samples))
    return None


def tells(target: Target, sample: str) -> bool:
    """Whether the target's page has a sample of this name; not where there is no page."""
    try:
        return sample in (_metrics(target) or "")
    except TargetUnreachableError:
        return False


def read_levels(target: Target) -> Levels | None:
    """Read what the target holds now; None where it does not tell. Waits."""
    try:
        page = _metrics(target)
        samples = [s for f in text_string_to_metric_families(page or "") for s in f.samples]
    except (TargetUnreachableError, ValueError):
        return None
    running, resident = _level(RUNNING, samples), _level(RESIDENT_BYTES, samples)
    return None if running is None and resident is None else Levels(running, resident)


def counted_between(before: Counters | None, after: Counters | None) -> ServerCounts | None:
    """Return what the target counted over the run; None where it cannot be known."""
    if before is None or after is None or before.kind != after.kind:
        return None
    return ServerCounts(
        after.kind,
        _difference(before.finished, after.finished),
        _difference(before.output_tokens, after.output_tokens),
    )


def _get(target: Target, path: str) -> str | None:
    """Return the page, or None where the target answers that it has no such page."""
    return _fetch(target, f"{str(target.url).rstrip('/')}{path}", _headers(target))


def _metrics(target: Target) -> str | None:
    """Return the page with the counters. One of another address gets no key: it may be another server's."""
    if target.metrics_url is not None:
        return _fetch(target, target.metrics_url, {})
    return _get(target, "/metrics") if target.protocol == "http" else None


def _fetch(target: Target, url: str, headers: Mapping[str, str]) -> str | None:
    request = urllib.request.Request(url, headers=dict(headers))
    try:
        with _opener(target).open(request, timeout=_TIMEOUT_SECONDS) as answer:
            return str(answer.read().decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        if error.code in _NOT_HERE:
            return None
        raise TargetUnreachableError(f"{url} answered {error.code} {error.reason}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise TargetUnreachableError(f"no answer from {target.url}: {reason}") from None


def _headers(target: Target) -> Mapping[str, str]:
    token = os.environ.get(target.api_key_env, "") if target.api_key_env else ""
    return {"Authorization": f"Bearer {token}"} if token else {}


def _opener(target: Target) -> urllib.request.OpenerDirector:
    """Go straight to the target, as the load does: a proxy in the environment is not under test."""
    direct = urllib.request.ProxyHandler({})
    return urllib.request.build_opener(direct, urllib.request.HTTPSHandler(context=_tls(target)))


def _tls(target: Target) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=target.ca_file)
    if not target.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _speaks(dialect: Dialect, samples: list[PrometheusSample]) -> bool:
    names = {wanted.name for wanted in (*dialect.finished, *dialect.output_tokens)}
    return any(sample.name in names for sample in samples)


def _total(wanted: tuple[Sample, ...], samples: list[PrometheusSample]) -> float | None:
    """Sum over every model and engine; a counter that never counted is 0 where its server is known."""
    if not wanted:
        return None
    return sum(s.value for s in samples if any(_matches(want, s) for want in wanted))


def _matches(wanted: Sample, sample: PrometheusSample) -> bool:
    if sample.name != wanted.name:
        return False
    return all(sample.labels.get(label) == value for label, value in wanted.labels)


def _level(names: tuple[str, ...], samples: list[PrometheusSample]) -> int | None:
    """Sum the first of these gauges that the page has."""
    for name in names:
        values = [sample.value for sample in samples if sample.name == name]
        if values:
            return round(sum(values))
    return None


def _difference(before: float | None, after: float | None) -> int | None:
    if before is None or after is None or after < before:  # a restarted server counts from zero
        return None
    return round(after - before)
