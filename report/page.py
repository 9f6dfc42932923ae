"""A picture and its table as one HTML page that needs no other file."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiercut.report.rows import Rows
    from tiercut.report.saving import Picture

__all__ = ["page_of", "table_html"]


def page_of(picture: Picture) -> str:
    """Return the page: the title, what the picture is of, the drawing as SVG, and below it tables and lines."""
    buffer = io.BytesIO()
    picture.figure.savefig(buffer, format="svg", metadata={"Date": None})
    drawing = base64.b64encode(buffer.getvalue()).decode()
    title = html.escape(picture.title)
    head = "" if picture.head is None else table_html(picture.head)
    below = [*map(table_html, picture.tables), *(f"<p>{html.escape(line)}</p>" for line in picture.lines)]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
img {{ width: 100% }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0;
  display: block; overflow-x: auto }}
caption {{ text-align: left; font-style: italic; padding: .2rem .7rem }}
th, td {{ padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd }}
.left {{ text-align: left }}
</style></head><body>
<h1>{title}</h1>
{head}
<img alt="{title}" src="data:image/svg+xml;base64,{drawing}">
{chr(10).join(below)}
</body></html>
"""


def table_html(rows: Rows) -> str:
    """Return rows as an HTML table, cells set to the side that their column names."""
    sides = [' class="left"' if column.side == "left" else "" for column in rows.columns]
    names = "".join(f"<th{side}>{html.escape(text)}</th>" for side, text in zip(sides, rows.headings, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{side}>{html.escape(cell)}</td>' for side, cell in zip(sides, row, strict=True))}</tr>"
        for row in rows.cells
    )
    head = f"<thead><tr>{names}</tr></thead>" if any(rows.headings) else ""
    caption = f"<caption>{html.escape(rows.title)}</caption>" if rows.title else ""
    return f"<table>{caption}{head}<tbody>{body}</tbody></table>"
