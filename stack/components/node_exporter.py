"""node_exporter: the machine's own metrics."""

from __future__ import annotations

from pathlib import Path

from stack.install.golang import GoProgram, build_programs
from stack.native.launch import Launch
from stack.native.site import Site

VERSION = "1.11.1"
PORTS = {"node_exporter": 9100}


def install() -> Path:
    """Return the folder that holds ``node_exporter``, built at the first call."""
    program = GoProgram(
        f"github.com/prometheus/node_exporter@v{VERSION}",
        variables=(("github.com/prometheus/common/version.Version", VERSION),),
    )
    return build_programs("node_exporter", VERSION, (program,))


def launch(site: Site) -> Launch:
    """Return how node_exporter is started; it has no configuration."""
    return Launch(
        name="node_exporter",
        command=(str(install() / "node_exporter"), f"--web.listen-address={site.address('node_exporter')}"),
        health=f"{site.url('node_exporter')}/",
        log=site.log("node_exporter"),
    )
