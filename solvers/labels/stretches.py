"""By which slopes lines follow a frontier, and what plans may cost along each (see `line_kernels`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.solvers.labels.line_kernels import LINES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["chord_slopes", "stretches"]


def chord_slopes(costs: Floats, rights: Floats) -> Floats:
    """Return slopes to begin with, from 0 up: those of chords of a frontier, which rises in cost and accuracy."""
    if len(costs) < 2:
        return np.zeros(LINES)
    at = np.linspace(rights[0], rights[-1], LINES)
    return np.concatenate([[0.0], np.sort(np.diff(np.interp(at, rights, costs)) / np.diff(at))])


def stretches(costs: Floats, rights: Floats, slopes: Floats, floors: Floats) -> tuple[Floats, Floats]:
    """Assign each step of a frontier to the line that says most about it.

    Parameters
    ----------
    costs, rights
        The frontier so far, rising in both; no plan's accuracy exceeds that of the last.
    slopes, floors
        By line, rising: what accuracy is worth, and the least that a whole plan may cost, less what its accuracy is
        worth.

    Returns
    -------
    tuple
        The most that a plan of interest may cost, less what its accuracy is worth, by line (-inf: none is of
        interest); and slopes that would follow more closely those steps that plans may still get below.
    """
    allowed = costs * (1 + 1e-12) + 1e-15
    most = np.full(LINES, -np.inf)
    most[0] = allowed[0]  # of the least accuracy: nothing but what costs no more
    # What is more accurate than one plan may cost as much as the next.
    least = rights[:-1, None] * slopes + floors - 1e-12 * slopes
    line = least.argmax(axis=1)
    open_ = least[np.arange(len(line)), line] <= allowed[1:]
    line, below, above = line[open_], rights[:-1][open_] - 1e-12, allowed[1:][open_]
    np.maximum.at(most, line, above - slopes[line] * below)
    return most, _closer(below, slopes, floors)


def _closer(wanted: Floats, slopes: Floats, floors: Floats) -> Floats:
    """Return slopes that lines have where they are the highest, spread evenly over accuracies that are of interest."""
    apart = np.diff(slopes) > 0
    if not len(wanted) or not apart.any():
        return slopes
    # One line is higher than the one before from here on.
    borders = np.maximum.accumulate((floors[:-1] - floors[1:])[apart] / np.diff(slopes)[apart])
    between = (slopes[:-1] + slopes[1:])[apart] / 2
    at = np.quantile(wanted, (np.arange(LINES - 1) + 0.5) / (LINES - 1))
    return np.concatenate([[0.0], np.interp(at, borders, between)])
