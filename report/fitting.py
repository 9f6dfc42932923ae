"""Widths of the columns of a table on a narrow terminal: numbers keep their units, and words are not broken.

Where a table is too wide, its bar gives way first; then headings and text break between words; then columns that the
reader can do without are left out, and named below.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

__all__ = ["Needs", "fitted"]


@dataclass(frozen=True, slots=True)
class Needs:
    """How wide a column is.

    Parameters
    ----------
    natural
        Without a break.
    least
        With breaks between words, and within a number nowhere.
    spare
        When it gives way, smallest number first: 0 for a bar, before anything is broken; None: it stays.
    """

    natural: int
    least: int
    spare: int | None = None

    @classmethod
    def of(cls, heading: str, cells: Iterable[str], *, whole: bool, spare: int | None = None) -> Needs:
        """Return what a column needs; cells that are `whole`, such as a number with its unit, are not broken."""
        lines = [line for cell in cells for line in cell.splitlines()]
        words = [word for text in (heading, *(() if whole else lines)) for word in text.split()]
        natural = max(map(cell_len, (heading, *lines)), default=0)
        return cls(natural, max(map(cell_len, (*words, *(lines if whole else ()))), default=0), spare)


def fitted(columns: Sequence[Needs], room: int, around: int) -> dict[int, int] | None:
    """Return the width of each column that is shown, by its place; None where all fit as they are.

    Parameters
    ----------
    columns
        What they need.
    room
        Cells in all.
    around
        Cells around each column.
    """
    shown = dict(enumerate(columns))
    if sum(each.natural + around for each in columns) <= room:
        return None
    giving = sorted((each.spare, place) for place, each in shown.items() if each.spare is not None)
    for order, place in giving:
        if order and sum(each.least + around for each in shown.values()) <= room:
            break
        del shown[place]
    left = room - sum(each.least + around for each in shown.values())
    widths = {}
    # Text that breaks least, such as the shortest, is made whole first.
    for place, each in sorted(shown.items(), key=lambda item: item[1].natural - item[1].least):
        more = min(each.natural - each.least, max(left, 0))
        widths[place], left = each.least + more, left - more
    return dict(sorted(widths.items()))
