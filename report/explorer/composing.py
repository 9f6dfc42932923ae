"""The page itself: its sources, put together into one file that fetches nothing."""

from __future__ import annotations

import base64
import html
import json
import zlib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tiercut import documents
from tiercut.report.explorer.content import page_data
from tiercut.report.page import table_html
from tiercut.report.rows import Rows
from tiercut.report.topology.layout import lay_out
from tiercut.report.topology.shapes import LINE_HEIGHT

if TYPE_CHECKING:
    import os

    from tiercut.report.explorer.content import Origin
    from tiercut.report.explorer.gathering import Findings
    from tiercut.report.topology.layout import Drawing, NodeBox
    from tiercut.topologies import Topology

__all__ = ["SCRIPTS", "report_page", "source", "write_report"]

SCRIPTS = (
    "words.js",
    "routes.js",
    "model.js",
    "everything.js",
    "chart.js",
    "controls.js",
    "planview.js",
    "listing.js",
    "main.js",
)
"""In this order they are one module; what a script needs when it is read stands in one before it."""

_POINTS = 72.0

_LONG = 100_000  # bytes of plans; fewer stay as they are, for whoever reads the page's data


def source(name: str) -> str:
    """Return the text of a file that the page is made of."""
    return (files("tiercut.report.explorer") / "source" / name).read_text(encoding="utf-8")


def write_report(
    findings: Findings, path: str | os.PathLike[str], *, origin: Origin, recorded: Sequence[Rows] = ()
) -> None:
    """Write a report as one HTML file; the same findings give the same file.

    Parameters
    ----------
    findings
        What was found.
    path
        Where to.
    origin
        Where topology and profile came from.
    recorded
        Tables of what was recorded besides.
    """
    documents.write_text(path, report_page(findings, origin, recorded))


def report_page(findings: Findings, origin: Origin, recorded: Sequence[Rows] = ()) -> str:
    """Return the page as text; see `write_report`."""
    data = page_data(findings, origin)
    facts = [tuple(row) for row in (*data["facts"], *data["made"])]
    parts = {
        "title": html.escape(data["title"]),
        "style": source("style.css"),
        "topology": topology_svg(findings.topology),
        "recorded": "".join(_section(rows) for rows in recorded),
        "made": _facts_html(facts),
        "data": _embedded(data),
        "script": "\n".join(source(name) for name in SCRIPTS),
    }
    head, *rest = source("page.html").split("{{")
    # Placeholders are looked for in the page alone: what is put in may hold any text.
    return head + "".join(parts[name] + after for name, after in (each.split("}}", 1) for each in rest))


def _embedded(data: dict[str, Any]) -> str:
    """Return JSON that no text in it can end: neither the element by < and >, nor a line by U+2028 and U+2029."""
    text = _json(data | {"plans": _packed(data["plans"])})
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _packed(plans: dict[str, Any]) -> dict[str, Any] | str:
    """Return the columns of plans; where they are long, compressed (deflate, then base64), as browsers unpack it."""
    text = _json(plans).encode()
    if len(text) < _LONG:
        return plans
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return base64.b64encode(packer.compress(text) + packer.flush()).decode()


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _facts_html(facts: Sequence[tuple[str, ...]]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(text)}</td></tr>' for name, text in facts
    )
    return f'<table class="facts"><tbody>{rows}</tbody></table>'


def _section(rows: Rows) -> str:
    title = html.escape(rows.title)
    table = table_html(Rows("", rows.columns, rows.cells, rows.ends))
    return f'<section aria-label="{title}"><h2>{title}</h2><div class="scroll" tabindex="0">{table}</div></section>'


def topology_svg(topology: Topology) -> str:
    """Return the drawing of a topology; its colours are those of the page."""
    plan = lay_out(topology)
    frame = plan.frame
    corners = (frame.left, -frame.top, frame.width, frame.height)
    box = " ".join(f"{each * _POINTS:.1f}" for each in corners)
    width = round(frame.width * _POINTS * 1.4)
    title = html.escape(f"{plan.title}. {plan.caption}".strip(". "))
    return (
        f'<svg viewBox="{box}" width="{width}" role="img" aria-label="{title}">{"".join(_drawn(plan))}</svg>'
        f'<p class="muted">{title}</p>'
    )


def _drawn(plan: Drawing) -> Iterator[str]:
    for line in plan.lines:
        points = " ".join(_point(x, y) for x, y in line.path)
        yield f'<polyline class="line" points="{points}"/>'
        ends = (line.path[1], line.path[0]), (line.path[-2], line.path[-1])
        for (before, tip), pointed in zip(ends, line.arrows, strict=True):
            if pointed:
                yield _arrow(before, tip)
    for label in plan.labels:
        behind = label.box
        yield (
            f'<rect class="behind" x="{behind.left * _POINTS:.1f}" y="{-behind.top * _POINTS:.1f}" '
            f'width="{behind.width * _POINTS:.1f}" height="{behind.height * _POINTS:.1f}"/>'
        )
        yield _text(label.box.x, label.box.y, label.text.split("\n"))
    for label in plan.headers:
        yield _text(label.box.x, label.box.y, [label.text])
    yield from map(_node, plan.nodes)


def _point(x: float, y: float) -> str:
    return f"{x * _POINTS:.1f},{-y * _POINTS:.1f}"


def _arrow(before: tuple[float, float], tip: tuple[float, float]) -> str:
    (ax, ay), (bx, by) = before, tip
    length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5 or 1.0
    ux, uy = 0.1 * (bx - ax) / length, 0.1 * (by - ay) / length
    corners = (bx, by), (bx - ux - 0.45 * uy, by - uy + 0.45 * ux), (bx - ux + 0.45 * uy, by - uy - 0.45 * ux)
    return f'<polygon class="head" points="{" ".join(_point(x, y) for x, y in corners)}"/>'


def _node(node: NodeBox) -> str:
    box, roles = node.box, ("source" * node.is_source, "destination" * node.is_destination)
    rect = (
        f'<rect x="{box.left * _POINTS:.1f}" y="{-box.top * _POINTS:.1f}" width="{box.width * _POINTS:.1f}" '
        f'height="{box.height * _POINTS:.1f}" rx="6"/>'
    )
    name = html.escape(node.name, quote=True)
    text = _text(box.x, box.y, node.lines, named=True)
    return f'<g data-node="{name}" class="{" ".join(filter(None, roles))}">{rect}{text}</g>'


def _text(x: float, y: float, lines: Sequence[str], *, named: bool = False) -> str:
    """Return lines of text around a place; where it is of a node, the first is its name."""
    height = LINE_HEIGHT * _POINTS
    top = -y * _POINTS - (len(lines) - 1) / 2 * height
    written = []
    for row, line in enumerate(lines):
        look = ' class="name"' if named and row == 0 else ""
        place = f'x="{x * _POINTS:.1f}" y="{top + row * height:.1f}"'
        written.append(f"<text {place}{look}>{html.escape(line)}</text>")
    return "".join(written)
