"""Tables in which text is text: names come from files, and square brackets in them are no markup of rich."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from tiercut.plain_text import printable
from tiercut.report.fitting import Needs, fitted

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

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
        self.spare: dict[int, int] = {}
        self.breaking: set[int] = set()
        super().__init__(title=_styled(title, title_style), caption=_styled(caption, caption_style), **ours | layout)

    def add_spare_column(self, spare: int, header: Any = "", **layout: Any) -> None:
        """Add a column that gives way on a narrow terminal (see `tiercut.report.fitting.Needs`)."""
        self.spare[len(self.columns)] = spare
        self.add_column(header, **layout)

    def add_breaking_column(self, header: Any = "", **layout: Any) -> None:
        """Add a column of lists of numbers, which may be broken between these, whichever side they are set to."""
        self.breaking.add(len(self.columns))
        self.add_column(header, **layout)

    def add_column(self, header: Any = "", footer: Any = "", **layout: Any) -> None:
        """Add a column; see `rich.table.Table.add_column`."""
        super().add_column(_safe(header), _safe(footer), **layout)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the table, in fewer columns where the terminal is too narrow for all; those left out are named."""
        widths = fitted(self._needs(), options.max_width - self._extra_width, self._around)
        if widths is None:
            yield from super().__rich_console__(console, options)
            return
        gone = [str(column.header) for place, column in enumerate(self.columns) if place not in widths]
        narrow = copy(self)
        narrow.columns = [
            replace(self.columns[old], _index=new, width=widths[old], overflow="fold") for new, old in enumerate(widths)
        ]
        yield from Table.__rich_console__(narrow, console, options)
        if named := [name for name in gone if name]:
            yield text_of(f"left out, as the terminal is narrow: {', '.join(named)}")

    @property
    def _around(self) -> int:
        return self._padding[1] + self._padding[3]

    def _needs(self) -> list[Needs]:
        return [
            Needs.of(
                str(column.header),
                [str(cell) for cell in column.cells],
                whole=column.justify == "right" and place not in self.breaking,
                spare=self.spare.get(place),
            )
            for place, column in enumerate(self.columns)
        ]

    def add_row(self, *cells: Any, **layout: Any) -> None:
        """Add a row of cells; see `rich.table.Table.add_row`."""
        super().add_row(*map(_safe, cells), **layout)


def _safe(cell: Any) -> Any:
    return text_of(cell) if isinstance(cell, str) else cell


def _styled(words: str | Text | None, style: str) -> Text | None:
    return text_of(words, style) if isinstance(words, str) else words
