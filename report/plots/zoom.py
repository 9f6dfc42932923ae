"""Pictures of a part: ends of the axes by measure, as the Joint model's figures 4 and 5 show a part of theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tiercut import units
from tiercut.errors import QuestionError
from tiercut.optimizer import kind_of, split_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["Zoom", "zoom_of", "zoomed"]

Zoom: TypeAlias = Mapping[str, tuple[float | None, float | None]]
"""Least and greatest value of a measure that is drawn, in its inner unit; None: as far as there is something."""

_ROOM = 0.08


def zoom_of(flag: str, texts: Sequence[str]) -> Zoom:
    """Return what texts such as ``latency=30 ms..50 ms`` and ``accuracy=92 %..`` say.

    Raises
    ------
    QuestionError
        If one is written otherwise; the message names the flag.
    """
    zoom: dict[str, tuple[float | None, float | None]] = {}
    for text in texts:
        name, equals, span = text.rpartition("=")
        low, dots, high = span.partition("..")
        if not (equals and dots and (low.strip() or high.strip())):
            raise QuestionError(f"{flag} is written MEASURE=LEAST..GREATEST, such as 'latency=30 ms..', not '{text}'")
        name = name.strip()
        try:
            least, greatest = (_value(name, end.strip()) if end.strip() else None for end in (low, high))
        except ValueError as error:
            raise QuestionError(f"{flag} {name}: {error}") from None
        if least is not None and greatest is not None and not least < greatest:
            raise QuestionError(f"{flag} {name}: the least value must be below the greatest, not '{span}'")
        zoom[name] = least, greatest
    return zoom


def _value(name: str, text: str) -> float:
    if name == "accuracy":
        return units.parse(text, "share") if text.endswith("%") else float(text)
    return kind_of(split_name(name)[0]).quantity.read(text).value


def zoomed(
    ax: Axes,
    zoom: Zoom | None,
    names: Sequence[str],
    factors: Sequence[float] = (),
    points: Sequence[NDArray[np.float64]] = (),
) -> None:
    """Show a part of a picture.

    Parameters
    ----------
    ax
        What is drawn.
    zoom
        Which part; None or empty: all.
    names, factors
        The measures along the axes, across and then upward, and by what their values were multiplied.
    points
        Across and upward, what was drawn, in the units of the axes: where one axis alone is zoomed, the other is fitted
        to those that remain.

    Raises
    ------
    QuestionError
        If there is no axis for a measure.
    """
    if not zoom:
        return
    for name in zoom:
        if name not in names:
            raise QuestionError(
                f"cannot zoom in on {name}: the axes of this picture show {' and '.join(names) or 'no measure'}"
            )
    spans = [
        tuple(None if end is None else end * factor for end in zoom.get(name, (None, None)))
        for name, factor in zip(names, factors, strict=True)
    ]
    inside = np.ones(len(points[0]), bool)
    for values, (low, high) in zip(points, spans, strict=True):
        inside &= (values >= (-np.inf if low is None else low)) & (values <= (np.inf if high is None else high))
    for place, (values, (low, high)) in enumerate(zip(points, spans, strict=True)):
        fitted = _fitted(values[inside])
        ends = fitted[0] if low is None else low, fitted[1] if high is None else high
        if place:
            ax.set_ylim(*ends)
        else:
            ax.set_xlim(*ends)


def _fitted(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Return the ends of an axis that shows values, with some room; None where there are none: it stays as it is."""
    if not len(values):
        return None, None
    least, most = float(values.min()), float(values.max())
    room = _ROOM * (most - least or abs(most) or 1.0)
    return least - room, most + room
