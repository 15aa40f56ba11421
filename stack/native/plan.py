"""Choose the site of a stack: its usual ports, free ones, or those that it runs at already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stack.components.table import COMPONENTS, Component
from stack.native.ports import free_ports
from stack.native.site import Site
from stack.native.state import read_state
from stack.scrape import scrape_folder


def plan_site(folder: Path, components: Sequence[Component], at_free_ports: bool = False) -> Site:
    """Return the site where these components run, beside what runs in that folder already.

    Every component has its ports, also one that is not started: configurations name their neighbours.
    """
    running = read_state(folder)
    alive = {one.name for one in running.alive()}
    usual = {name: port for component in COMPONENTS for name, port in component.ports.items()}
    ports = running.ports if alive else free_ports(usual) if at_free_ports else usual
    runs = frozenset(alive | {component.name for component in components})
    return Site(folder.absolute(), ports, runs, scrape_folder(folder))
