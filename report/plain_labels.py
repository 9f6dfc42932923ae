"""Words in pictures as they are: a name that holds dollar signs is no formula."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = ["without_formulas"]


def without_formulas(figure: Figure) -> None:
    """Let no text of a figure be read as mathematics, but for the powers of ten beside logarithmic axes."""
    from matplotlib.text import Text

    powers = {id(label) for label in _powers(figure)}
    for text in figure.findobj(Text):
        if isinstance(text, Text) and id(text) not in powers:
            text.set_parse_math(False)


def _powers(figure: Figure) -> Iterator[Text]:
    from matplotlib.ticker import LogFormatter

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            for minor, formatter in ((False, axis.get_major_formatter()), (True, axis.get_minor_formatter())):
                if isinstance(formatter, LogFormatter):
                    yield from axis.get_ticklabels(minor=minor)
