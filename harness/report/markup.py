"""HTML from Python values: everything is escaped unless it is already HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

_VOID_TAGS = {"meta", "line", "circle", "path", "br"}


class Html(str):
    """Text that is HTML already, made by ``el``; any other text is escaped when it enters an element."""

    __slots__ = ()


def text(value: object) -> Html:
    """Escape a value, unless it is HTML already."""
    return value if isinstance(value, Html) else Html(html.escape(str(value), quote=True))


def join(parts: Iterable[object]) -> Html:
    """Concatenate values, escaping each that is not HTML."""
    return Html("".join(map(text, parts)))


def el(tag: str, *children: object, **attributes: object) -> Html:
    """Make an element. ``class_`` is ``class``, ``data_x`` is ``data-x``; None leaves an attribute out."""
    names = {name: name.rstrip("_").replace("_", "-") for name in attributes}
    written = "".join(
        f' {names[name]}="{text(value)}"' for name, value in attributes.items() if value is not None
    )
    if tag in _VOID_TAGS:
        return Html(f"<{tag}{written}>" if tag in {"meta", "br"} else f"<{tag}{written}/>")
    return Html(f"<{tag}{written}>{join(children)}</{tag}>")


def table(head: Sequence[object], rows: Iterable[Html], label: str, stacks: bool = False) -> Html:
    """Make a table that scrolls inside its own box. Heads that begin with ``#`` are number columns.

    One that ``stacks`` becomes a list of its rows on a phone, each cell under its ``label``.
    """
    heads = [
        el("th", name.lstrip("#"), scope="col", class_="number" if name.startswith("#") else None)
        for name in map(str, head)
    ]
    body = el("tbody", *rows)
    # A box that scrolls must be reachable by keyboard, hence the tab stop and the name.
    return el(
        "div",
        el("table", el("thead", el("tr", *heads)), body, class_="stack" if stacks else None),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=label,
    )


def cell(value: object, note: object = None, number: bool = False, label: str | None = None) -> Html:
    """Make a table cell, with a note in small letters below the value."""
    small = [] if note is None or note == "" else [el("small", note)]
    return el("td", value, *small, class_="number" if number else None, data_label=label)


def card(label: str, figure: object, detail: object = "") -> Html:
    """Make one key figure: what it is, the number, and what it is of."""
    return el(
        "div",
        el("div", label, class_="label"),
        el("div", figure, class_="figure"),
        el("div", detail, class_="detail"),
        class_="card",
    )
