"""The table of components: one row for each, in the order in which they start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.components import alertmanager, collector, elasticsearch, jaeger, node_exporter, prometheus, redis
from stack.errors import StackError
from stack.native.launch import Launch
from stack.native.site import Site


@dataclass(frozen=True, slots=True)
class Component:
    """One component. ``ports`` are the usual ones; ``after`` must be healthy before it starts.

    ``install`` returns its folder in the cache; ``launch`` writes its configuration for a site. Both raise
    NotObtainableError where this machine cannot have it. Only a ``usual`` one starts unasked.
    """

    name: str
    version: str
    ports: Mapping[str, int]
    install: Callable[[], Path]
    launch: Callable[[Site], Launch]
    after: tuple[str, ...] = ()
    usual: bool = True


_ROWS = (
    ("elasticsearch", elasticsearch, (), True),
    ("prometheus", prometheus, (), True),
    ("collector", collector, (), True),
    ("alertmanager", alertmanager, (), True),
    ("node_exporter", node_exporter, (), True),
    ("redis", redis, (), False),
    ("jaeger", jaeger, ("elasticsearch",), True),
)

COMPONENTS: tuple[Component, ...] = tuple(
    Component(name, module.VERSION, module.PORTS, module.install, module.launch, after, usual)
    for name, module, after, usual in _ROWS
)


def usual(*asked: str) -> tuple[Component, ...]:
    """Return the components that start unasked, and those asked for by name."""
    return tuple(component for component in COMPONENTS if component.usual or component.name in asked)


def named(names: Iterable[str]) -> tuple[Component, ...]:
    """Return the components of these names, in the table's order; raise StackError for one that is none."""
    wanted = set(names)
    unknown = wanted - {component.name for component in COMPONENTS}
    if unknown:
        allowed = ", ".join(component.name for component in COMPONENTS)
        raise StackError(f"no component is called {', '.join(sorted(unknown))}; there are: {allowed}")
    return tuple(component for component in COMPONENTS if component.name in wanted)
