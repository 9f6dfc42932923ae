"""A picture and its table as one HTML page that needs no other file."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tiercut.report.rows import Rows

__all__ = ["page_of", "table_html"]


def page_of(figure: Figure, title: str, rows: Rows | None) -> str:
    """Return the page: the title, the drawing as SVG, and below it the table where there is one."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    picture = base64.b64encode(buffer.getvalue()).decode()
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{html.escape(title)}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
img {{ width: 100% }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
caption {{ text-align: left; font-style: italic; padding: .2rem .7rem }}
th, td {{ padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd }}
.left {{ text-align: left }}
</style></head><body>
<h1>{html.escape(title)}</h1>
<img alt="{html.escape(title)}" src="data:image/svg+xml;base64,{picture}">
{"" if rows is None else table_html(rows)}
</body></html>
"""


def table_html(rows: Rows) -> str:
    """Return rows as an HTML table, cells set to the side that their column names."""
    sides = [' class="left"' if column.side == "left" else "" for column in rows.columns]
    head = "".join(f"<th{side}>{html.escape(text)}</th>" for side, text in zip(sides, rows.headings, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{side}>{html.escape(cell)}</td>' for side, cell in zip(sides, row, strict=True))}</tr>"
        for row in rows.cells
    )
    caption = f"<caption>{html.escape(rows.title)}</caption>" if rows.title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
