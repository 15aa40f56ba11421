"""Alertmanager and amtool: the last version whose module carries its built assets."""

from __future__ import annotations

from pathlib import Path

from stack.install.golang import GoProgram, build_programs
from stack.native.launch import Launch
from stack.native.site import Site
from stack.render import render_into

VERSION = "0.31.1"
PORTS = {"alertmanager": 9093}
TEMPLATE = "alertmanager/alertmanager.yml"
FLAGS = ("--cluster.listen-address=",)  # one of it: no gossip, no second port
_NOBODY_LISTENS = "http://127.0.0.1:9/"


def install() -> Path:
    """Return the folder that holds ``alertmanager`` and ``amtool``, built at the first call."""
    return build_programs("alertmanager", VERSION, tuple(map(_program, ("alertmanager", "amtool"))))


def launch(site: Site) -> Launch:
    """Write Alertmanager's configuration and return how it is started."""
    config = render_into(site.config("alertmanager"), TEMPLATE, values(site))
    return Launch(
        name="alertmanager",
        command=(
            str(install() / "alertmanager"),
            f"--config.file={config}",
            f"--storage.path={site.data('alertmanager')}",
            f"--web.listen-address={site.address('alertmanager')}",
            *FLAGS,
        ),
        health=f"{site.url('alertmanager')}/-/ready",
        log=site.log("alertmanager"),
    )


def values(site: Site) -> dict[str, object]:
    """Return what the template leaves open."""
    return {
        "receiver": "webhook" if site.alert_webhook else "nobody",
        "webhook": site.alert_webhook or _NOBODY_LISTENS,
    }


def _program(name: str) -> GoProgram:
    return GoProgram(
        f"github.com/prometheus/alertmanager/cmd/{name}@v{VERSION}",
        variables=(("github.com/prometheus/common/version.Version", VERSION),),
    )
