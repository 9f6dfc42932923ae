"""Pictures into files, in the format that the ending of the file names."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tiercut import documents
from tiercut.errors import QuestionError
from tiercut.report.plain_labels import without_formulas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tiercut.report.rows import Rows

__all__ = ["Picture", "check_ending", "save"]

_FORMATS = ("png", "svg", "pdf", "html")
_MOST_PIXELS = 30_000
_DPI = 200.0


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A figure with what a page says beside it.

    Parameters
    ----------
    figure
        What is drawn.
    title
        Of the page.
    head
        The table above the figure: what it is a picture of; None: no table.
    tables
        Those below the figure.
    lines
        What is said below these.
    """

    figure: Figure
    title: str = ""
    head: Rows | None = None
    tables: tuple[Rows, ...] = ()
    lines: tuple[str, ...] = ()


def save(picture: Picture | Figure, path: str | os.PathLike[str]) -> None:
    """Write a picture whole, in the format that the ending names; the same picture gives the same file.

    Parameters
    ----------
    picture
        What to write; of a bare figure, a page shows the drawing alone.
    path
        Ends in png, svg, pdf or html; the last is one page with the drawing and its tables.

    Raises
    ------
    QuestionError
        If the ending is another one.
    """
    ending = check_ending(path)
    whole = picture if isinstance(picture, Picture) else Picture(picture)
    without_formulas(whole.figure)
    if ending == "html":
        from tiercut.report.page import page_of

        documents.write_text(path, page_of(whole))
        return
    buffer = io.BytesIO()
    dpi = min(_DPI, _MOST_PIXELS / max(whole.figure.get_size_inches()))
    whole.figure.savefig(buffer, format=ending, dpi=dpi, metadata=_undated(ending))
    documents.write_whole(path, lambda stream: stream.write(buffer.getvalue()))


def check_ending(path: str | os.PathLike[str]) -> str:
    """Return the format that the ending of a file names; see `save`."""
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in _FORMATS:
        raise QuestionError(
            f"cannot draw '{os.fspath(path)}': the ending says the format, one of {', '.join(_FORMATS)}"
        )
    return ending


def _undated(ending: str) -> dict[str, None]:
    """Leave the date out, so that the same answer gives the same file."""
    return {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending, {})
