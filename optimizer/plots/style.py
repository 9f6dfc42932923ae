"""How every plot looks: Okabe and Ito's colours, which colour-blind readers tell apart, at a column's width."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tiercut import documents
from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "COLUMN", "MARKERS", "new_figure", "save_figure"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
COLUMN = (5.0, 3.4)
"""Inches; text stays readable when it is set at a column's 3.4."""

_FORMATS = ("png", "svg", "pdf", "html")


def new_figure(size: tuple[float, float] = COLUMN) -> Figure:
    """Return an empty figure that belongs to nobody else (no pyplot state)."""
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def save_figure(
    figure: Figure, path: str | os.PathLike[str], *, title: str = "", rows: Sequence[Sequence[str]] = ()
) -> None:
    """Write a figure whole, in the format that the ending names.

    Parameters
    ----------
    figure
        What to write.
    path
        Ends in png, svg, pdf or html; the last is one page with the drawing and, below it, a table.
    title, rows
        The page's title, and the table: a row of headings, then the others.

    Raises
    ------
    QuestionError
        If the ending is another one.
    """
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in _FORMATS:
        raise QuestionError(
            f"cannot draw '{os.fspath(path)}': the ending says the format, one of {', '.join(_FORMATS)}"
        )
    if ending == "html":
        documents.write_text(path, _page(figure, title, rows))
        return
    buffer = io.BytesIO()
    figure.savefig(buffer, format=ending, dpi=200, metadata=_undated(ending))
    documents.write_whole(path, lambda stream: stream.write(buffer.getvalue()))


def _undated(ending: str) -> dict[str, None]:
    """Leave the date out, so that the same answer gives the same file."""
    return {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending, {})


def _page(figure: Figure, title: str, rows: Sequence[Sequence[str]]) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata=_undated("svg"))
    picture = base64.b64encode(buffer.getvalue()).decode()
    cells = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows[1:])
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0]) if rows else ""
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{html.escape(title)}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
img {{ width: 100% }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
th, td {{ padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd }}
th:last-child, td:last-child {{ text-align: left }}
</style></head><body>
<h1>{html.escape(title)}</h1>
<img alt="{html.escape(title)}" src="data:image/svg+xml;base64,{picture}">
<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>
</body></html>
"""
