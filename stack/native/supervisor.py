"""Start the components in order, wait until they are healthy, write down what runs; end just that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from stack.components.table import COMPONENTS, Component
from stack.endpoints import Endpoints
from stack.errors import StackError
from stack.native.launch import Launch, start, wait_until_healthy
from stack.native.ports import is_free
from stack.native.process import stop
from stack.native.site import Site
from stack.native.state import Running, State, changing, forget_state, read_state, write_state

Row = tuple[Component, Launch]
Say = Callable[[str], None]


def up(site: Site, components: Sequence[Component], say: Say) -> State:
    """Start what of these components does not run yet, and return what runs, all of it healthy.

    Where some of the stack runs already, the site's ports must be the same. When one does not come up, those
    that this call started are ended again and StackError tells why.
    """
    with changing(site.folder):
        state = _running_there(site)
        missing = _without(components, state)
        _demand_free_ports(site, missing)
        rows = [(one, one.launch(site)) for one in missing]  # what cannot be had is told before any starts
        return _start_all(site, state, rows, say)


def down(folder: Path, say: Say) -> None:
    """End every component that was started there; data and logs stay."""
    with changing(folder):
        _end(read_state(folder).alive(), say)
        forget_state(folder)


def _running_there(site: Site) -> State:
    return State(read_state(site.folder).alive(), dict(site.ports))


def _without(components: Sequence[Component], state: State) -> list[Component]:
    running = {one.name for one in state.components}
    return [component for component in components if component.name not in running]


def _demand_free_ports(site: Site, components: Iterable[Component]) -> None:
    names = [name for component in components for name in component.ports]
    taken = [f"{name} ({site.ports[name]})" for name in names if not is_free(site.ports[name])]
    if taken:
        raise StackError(f"ports in use by others: {', '.join(taken)}; --free-ports takes others")


def _start_all(site: Site, kept: State, rows: list[Row], say: Say) -> State:
    state = kept
    try:
        for wave in _waves(rows):
            state = _start_wave(site, state, wave)
            _wait_for(wave, state, say)
    except BaseException:
        _end(read_state(site.folder).alive()[len(kept.components) :], say)
        _write(site, kept)
        raise
    return state


def _waves(rows: list[Row]) -> list[list[Row]]:
    """Put those that wait for another one into a second wave; none waits for one that waits itself."""
    starting = {component.name for component, _ in rows}
    second = [row for row in rows if starting.intersection(row[0].after)]
    return [[row for row in rows if row not in second], second]


def _start_wave(site: Site, state: State, wave: list[Row]) -> State:
    for component, launch in wave:
        state = replace(state, components=(*state.components, _start(component, launch)))
        state = _write(site, state)  # at once: ``down`` must know of everything that runs
    return state


def _start(component: Component, launch: Launch) -> Running:
    process = start(launch)
    return Running(
        component.name, component.version, process.pid, process.start_ticks,
        launch.health, str(launch.log), launch.stop_seconds,
    )  # fmt: skip


def _wait_for(wave: list[Row], state: State, say: Say) -> None:
    started = {running.name: running for running in state.components}

    def wait(row: Row) -> None:
        component, launch = row
        wait_until_healthy(launch, started[component.name].process)
        say(f"{component.name} {component.version} is up")

    with ThreadPoolExecutor(len(wave) or 1) as pool:
        list(pool.map(wait, wave))


def _end(components: Sequence[Running], say: Say) -> None:
    """End them, those started last first."""
    for running in reversed(components):
        in_order = stop(running.process, running.stop_seconds)
        say(f"{running.name} {'ended' if in_order else 'was killed: it did not end when asked'}")


def _write(site: Site, state: State) -> State:
    if not state.components:
        forget_state(site.folder)
        return state
    state = replace(state, endpoints=_endpoints(site, {running.name for running in state.components}))
    write_state(site.folder, state)
    return state


def _endpoints(site: Site, running: set[str]) -> Endpoints:
    """Return the URLs of the ports that are for others: those without a dot in their name."""
    ports = [port for one in COMPONENTS if one.name in running for port in one.ports if "." not in port]
    urls = {port: site.url(port) for port in ports}
    return Endpoints(**urls | ({"redis": f"redis://{site.address('redis')}"} if "redis" in urls else {}))
