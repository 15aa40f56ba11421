"""Hosts of one's own on one machine: network namespaces behind a bridge, each with an address and a name."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Host:
    """A network namespace, and the address that it has in the network of its bridge."""

    namespace: str
    name: str
    address: str

    def start(self, command: list[str], hidden: Path, log: Path) -> subprocess.Popen[bytes]:
        """Run a command as on another machine: own network, own hostname, an own disk at ``hidden``."""
        inside = f"hostname {self.name} && mount -t tmpfs none {shlex.quote(str(hidden))} && exec "
        script = inside + shlex.join(command)
        wrapped = ["ip", "netns", "exec", self.namespace, "unshare", "--uts", "--mount", "sh", "-c", script]
        with log.open("wb") as output:
            return subprocess.Popen(wrapped, stdout=output, stderr=output, stdin=subprocess.DEVNULL)


@dataclass(frozen=True)
class Network:
    """``address`` is this machine's own in the network of the hosts."""

    address: str
    hosts: tuple[Host, ...]


def why_not() -> str | None:
    """Say why this machine cannot have such hosts; None where it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "unshare", "hostname"):
        if shutil.which(tool) is None:
            return f"network namespaces need the program {tool}"
    name = f"tgtry{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"no network namespaces here: {tried.stderr.strip()}"
    _ip("netns", "delete", name)
    return None


@contextmanager
def network(count: int) -> Iterator[Network]:
    """Make ``count`` hosts, and leave nothing of them."""
    number = os.getpid() % 250
    bridge, net = f"tgbr{os.getpid() % 10**6}", f"10.213.{number}"
    hosts = tuple(Host(f"tg{os.getpid()}-{k}", f"host-{k}", f"{net}.{k + 2}") for k in range(count))
    try:
        _ip("link", "add", bridge, "type", "bridge")
        _ip("address", "add", f"{net}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for host in hosts:
            _plug_in(host, bridge)
        yield Network(f"{net}.1", hosts)
    finally:
        for host in hosts:
            _ip("netns", "delete", host.namespace, check=False)
        _ip("link", "delete", bridge, check=False)


def _plug_in(host: Host, bridge: str) -> None:
    here = f"tgv{os.getpid() % 10**6}x{host.address.rpartition('.')[2]}"
    _ip("netns", "add", host.namespace)
    _ip("link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", host.namespace)
    _ip("link", "set", here, "master", bridge, "up")
    _ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
    _ip("-n", host.namespace, "link", "set", "eth0", "up")
    _ip("-n", host.namespace, "link", "set", "lo", "up")


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True)
