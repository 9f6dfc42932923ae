"""Into which stretches lines cut a frontier, and what plans there may cost (see `line_kernels`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.solvers.labels.line_kernels import LINES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["stretches"]


def stretches(costs: Floats, rights: Floats) -> tuple[Floats, Floats, Floats]:
    """Cut a frontier into stretches of equal width in accuracy, the first of which is what lies below it.

    Parameters
    ----------
    costs, rights
        The frontier so far, rising in both; no plan's accuracy exceeds that of the last.

    Returns
    -------
    tuple
        What `tiercut.solvers.labels.line_kernels.Lines` begins with: slopes, those of the chords of stretches, and what
        plans of interest may cost.
    """
    slopes, most = np.zeros(LINES), np.full((LINES, LINES), -np.inf)
    allowed = costs * (1 + 1e-12) + 1e-15
    most[0] = np.inf
    most[0, 0] = allowed[0]
    if len(costs) > 1:
        borders = np.linspace(rights[0], rights[-1], LINES)
        slopes[1:] = np.diff(np.interp(borders, rights, costs)) / np.diff(borders)
        # What is more accurate than one plan may cost as much as the next, wherever between them it lies.
        below = rights[:-1, None] - 1e-12
        first = np.searchsorted(borders, below[:, 0], side="right").clip(1, LINES - 1)
        last = np.searchsorted(borders, rights[1:] + 1e-12).clip(1, LINES - 1)
        for shift in range(int((last - first).max()) + 1):
            there = first + shift <= last
            from_ = np.maximum(below[:, 0], borders[(first + shift - 1).clip(0, LINES - 1)] - 1e-12)
            worth = allowed[1:, None] - slopes * from_[:, None]
            np.maximum.at(most, (first + shift)[there], worth[there])
    return slopes, np.diagonal(most).copy(), most
