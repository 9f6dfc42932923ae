"""Drawings into files: any figure, in the format that the ending of the file names."""

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

__all__ = ["check_ending", "save_figure"]

_FORMATS = ("png", "svg", "pdf", "html")
_MOST_PIXELS = 30_000
_DPI = 200.0


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
    ending = check_ending(path)
    if ending == "html":
        documents.write_text(path, _page(figure, title, rows))
        return
    buffer = io.BytesIO()
    dpi = min(_DPI, _MOST_PIXELS / max(figure.get_size_inches()))
    figure.savefig(buffer, format=ending, dpi=dpi, metadata=_undated(ending))
    documents.write_whole(path, lambda stream: stream.write(buffer.getvalue()))


def check_ending(path: str | os.PathLike[str]) -> str:
    """Return the format that the ending of a file names; see `save_figure`."""
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in _FORMATS:
        raise QuestionError(
            f"cannot draw '{os.fspath(path)}': the ending says the format, one of {', '.join(_FORMATS)}"
        )
    return ending


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
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
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
{table}
</body></html>
"""
