"""Tables in which text is text: names come from files, and square brackets in them are no markup of rich."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from tiercut.plain_text import printable

__all__ = ["SafeTable", "text_of"]


def text_of(words: str, style: str = "") -> Text:
    """Return words as they are: without markup, and with control characters written out."""
    return Text(printable(words), style=style)


class SafeTable(Table):
    """A table in which every title, heading and cell that is a string is shown as it is.

    Parameters
    ----------
    title, caption
        Above and below the table; strings are taken as they are.
    title_style, caption_style
        How they look.
    **layout
        What else `rich.table.Table` takes; the rule below the headings and the padding are those of all our tables.
    """

    def __init__(
        self,
        *,
        title: str | Text | None = None,
        caption: str | Text | None = None,
        title_style: str = "italic",
        caption_style: str = "",
        **layout: Any,
    ) -> None:
        ours: dict[str, Any] = {"title_justify": "left", "caption_justify": "left", "box": box.SIMPLE_HEAD}
        ours["padding"] = (0, 1)
        super().__init__(title=_styled(title, title_style), caption=_styled(caption, caption_style), **ours | layout)

    def add_column(self, header: Any = "", footer: Any = "", **layout: Any) -> None:
        """Add a column; see `rich.table.Table.add_column`."""
        super().add_column(_safe(header), _safe(footer), **layout)

    def add_row(self, *cells: Any, **layout: Any) -> None:
        """Add a row of cells; see `rich.table.Table.add_row`."""
        super().add_row(*map(_safe, cells), **layout)


def _safe(cell: Any) -> Any:
    return text_of(cell) if isinstance(cell, str) else cell


def _styled(words: str | Text | None, style: str) -> Text | None:
    return text_of(words, style) if isinstance(words, str) else words
