"""Results as text and as HTML, for ``print`` and for notebooks: what the commands show of them."""

from __future__ import annotations

import html
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tiercut.analysis import (
    Answer,
    Explanation,
    JointAnswer,
    ModelsAnswer,
    Replay,
    Sensitivity,
    Stream,
    Swept,
    Why,
    format_value,
    label,
)
from tiercut.report.models.tables import models_parts, models_remarks
from tiercut.report.page import table_html
from tiercut.report.replay import replay_tables
from tiercut.report.rows import plan_rows
from tiercut.report.safe_table import text_of
from tiercut.report.sensitivity import sensitivity_tables
from tiercut.report.sources.tables import joint_parts, joint_remarks
from tiercut.report.stream import stream_tables
from tiercut.report.sweeps.tables import sweep_tables
from tiercut.report.tables import answer_parts, headline, remarks, waterfall_table
from tiercut.report.why import why_tables

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["as_html", "as_text"]

_WIDTH = 120
"""Columns: of a terminal that is not asked, as for commands in a pipe."""


def as_text(result: Any) -> str:
    """Return a result as its command prints it, without colours."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=_WIDTH, highlight=False, markup=False, emoji=False)
    for part in _parts(result):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    lines = (line.rstrip() for line in console.file.getvalue().splitlines())
    return "\n".join(lines).strip("\n")


def as_html(result: Any) -> str:
    """Return a result for a notebook: an answer as a table, all else as its text."""
    if isinstance(result, Answer) and result.plans:
        said = "".join(f"<p>{html.escape(line)}</p>" for line in remarks(result))
        return f"<p>{html.escape(headline(result).plain)}</p>{table_html(plan_rows(result))}{said}"
    return f"<pre>{html.escape(as_text(result))}</pre>"


def _parts(result: Any) -> Iterator[RenderableType]:
    if isinstance(result, Answer):
        yield from answer_parts(result)
        yield from map(text_of, remarks(result))
    elif isinstance(result, ModelsAnswer):
        yield from models_parts(result)
        yield from map(text_of, models_remarks(result))
    elif isinstance(result, JointAnswer):
        yield from joint_parts(result)
        yield from map(text_of, joint_remarks(result))
    elif isinstance(result, Explanation):
        yield waterfall_table(result)
    elif isinstance(result, Replay):
        yield from replay_tables(result)
    elif isinstance(result, Stream):
        yield from stream_tables(result)
    elif isinstance(result, Sensitivity):
        yield from sensitivity_tables(result)
    elif isinstance(result, Swept):
        yield from sweep_tables(result)
    elif isinstance(result, Why):
        yield text_of(f"{label(result.plan)}: {format_value(result.value, result.query.objective)}", "bold")
        yield from why_tables(result)
    else:
        raise TypeError(f"there is no view of {type(result).__name__}")
