"""Elasticsearch, in the stripped distribution that its own tests use: the one that a registry serves.

It stores, searches and aggregates like the full one; ILM, ingest pipelines, ES|QL and API keys are missing.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from stack.install.cache import kept
from stack.install.maven import Artifact, download
from stack.native.account import as_ordinary_user
from stack.native.java import find_java
from stack.native.launch import Launch
from stack.native.site import HOST, Site
from stack.render import TEMPLATES, render_into

VERSION = "9.5.4"
PORTS = {"elasticsearch": 9200, "elasticsearch.transport": 9300}
_JAVA_MINIMUM = 21
_ARTIFACT = Artifact(
    "org.elasticsearch.distribution.integ-test-zip",
    "elasticsearch",
    VERSION,
    "zip",
    "d9b0c28e08e499f6510b52ad66ec4bf9cdceab97cc28b3456989b8744b896934",
)


def install() -> Path:
    """Return the distribution's folder, downloaded at the first call."""
    return kept(f"elasticsearch-{VERSION}-{_ARTIFACT.sha256[:12]}", _unpack_into)


def launch(site: Site) -> Launch:
    """Write the node's configuration and return how it is started; raise NotObtainableError without Java."""
    home, java = install(), find_java(_JAVA_MINIMUM)
    folders = site.config("elasticsearch"), site.data("elasticsearch")
    _configure(site, home)
    return Launch(
        name="elasticsearch",
        command=(*as_ordinary_user(*folders), str(home / "bin" / "elasticsearch")),
        health=f"{site.url('elasticsearch')}/_cluster/health?wait_for_status=yellow&timeout=1s",
        log=site.log("elasticsearch"),
        environment=_environment(folders[0], java, site.java_options),
        start_seconds=120.0,
        stop_seconds=30.0,
    )


def _unpack_into(folder: Path) -> None:
    archive = download(_ARTIFACT, folder)
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(folder)
    archive.unlink()
    unpacked = folder / f"elasticsearch-{VERSION}"
    for entry in list(unpacked.iterdir()):
        entry.rename(folder / entry.name)
    unpacked.rmdir()
    for program in (folder / "bin").iterdir():
        program.chmod(0o755)  # zipfile drops the mode


def _configure(site: Site, home: Path) -> None:
    config, data = site.config("elasticsearch"), site.data("elasticsearch")
    (config / "tmp").mkdir(exist_ok=True)
    shutil.copyfile(home / "config" / "jvm.options", config / "jvm.options")
    (config / "jvm.options.d").mkdir(exist_ok=True)
    values = {
        "data": data,
        "logs": data / "logs",
        "host": HOST,
        "http_port": site.ports["elasticsearch"],
        "transport_port": site.ports["elasticsearch.transport"],
    }
    render_into(config, "elasticsearch/elasticsearch.yml", values)
    shutil.copyfile(TEMPLATES / "elasticsearch" / "log4j2.properties", config / "log4j2.properties")


def _environment(config: Path, java: Path, options: str) -> dict[str, str]:
    return {
        "ES_JAVA_HOME": str(java),
        "ES_PATH_CONF": str(config),
        "ES_TMPDIR": str(config / "tmp"),
        "CLI_JAVA_OPTS": "-XX:TieredStopAtLevel=1",  # the launcher lives a second before it only waits
        # No file of garbage collection's own, and no page of the heap before it is needed.
        "ES_JAVA_OPTS": f"{options} -XX:-AlwaysPreTouch -Xlog:disable -Xlog:all=warning:stderr",
    }
