"""Render a configuration template: one source for the native stack and for the compose stack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).parent / "config"


def render(template: str, values: Mapping[str, object]) -> str:
    """Return the template of that name with its ``${…}`` filled; raise KeyError for one without a value."""
    return Template((TEMPLATES / template).read_text()).substitute(values)


def render_into(folder: Path, template: str, values: Mapping[str, object]) -> Path:
    """Write the rendered template under its own name into the folder and return the file."""
    file = folder / Path(template).name
    file.write_text(render(template, values))
    return file


def config_flags(folder: Path, layers: Iterable[str], values: Mapping[str, object]) -> list[str]:
    """Render the layers into the folder and return the flags by which a Collector, or Jaeger, reads them."""
    return [f"--config=file:{render_into(folder, layer, values)}" for layer in layers]
