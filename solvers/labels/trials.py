"""With what budgets a threshold is tried before it counts as hard, and which thresholds are.

Where labels are many, it is mostly for one of two reasons. Along a frontier of thousands of plans many of them fall
into one cell of accuracy, and a label counts as good as the best of its cell: cells are halved then. And a relaxed plan
comes back to a node, as at every cut is an exit that it wants: mostly to the quickest nodes, so that budgets which know
whether these have been used are nearly as tight as those which know of all.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tiercut.solvers.labels.bounds import BUDGET_ROOM, sets_of
from tiercut.solvers.labels.line_kernels import LINES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiercut.optimizer import Space
    from tiercut.solvers.kernels.arguments import Tables
    from tiercut.solvers.labels.budget_kernels import Sets

__all__ = ["LINES_COST", "Grain", "Trials", "grains_of", "quickest_groups"]

LINES_COST = 5 * LINES // 2
"""Cells that are worked out in the time of the lines of a set: one has as many lines as half a cell has, each of which
takes as long as five cells, most of which nobody looks at."""

_QUICKEST = 2  # groups that the last budgets tell apart
_IN_A_ROW = 2  # hard thresholds after which none is tried


class Grain(NamedTuple):
    """The sets of groups that budgets tell apart, and the cells of accuracy of each."""

    sets: Sets
    cells: int

    @property
    def size(self) -> int:
        """Cells of a state and node."""
        return len(self.sets.sizes) * self.cells


def grains_of(space: Space, tables: Tables, states: int, cells: int, least: int) -> tuple[Grain, ...]:
    """Return what the thresholds of a frontier are tried with, from coarse to fine.

    Parameters
    ----------
    space, tables, states
        What is asked, and the number of its states.
    cells
        How many there are to begin with.
    least
        Cells of a state and node that are worked out in the time of the shortest trial. All trials but the last one's
        labels are to take half as long as drawing lines, at most.
    """
    relaxed, order = sets_of(space, ()), quickest_groups(space, tables)
    grains, left = [Grain(relaxed, cells)], (LINES_COST << len(order)) // 2 - least
    if space.per_exit or space.exits == "final":
        return (grains[0],)
    some = sets_of(space, sorted(order[:_QUICKEST]))
    for grain in (Grain(relaxed, 2 * cells), Grain(relaxed, 4 * cells), Grain(some, 2 * cells)):
        left -= max(grain.size, least)
        if left < 0 or grain.size > BUDGET_ROOM // (states * len(space.group)):
            break
        grains.append(grain)
    return tuple(grains)


def quickest_groups(space: Space, tables: Tables) -> list[int]:
    """Return all groups, those first of which a node takes the least for all blocks; the source's last."""
    blocks = np.arange(len(space.accuracy))
    alone: NDArray[np.float64] = tables.span[:, blocks, blocks][tables.which] * tables.factor[:, None]
    known = np.isfinite(alone)
    takes = np.where(known, alone, alone[known].max(initial=0.0)).sum(axis=1)
    own, groups = space.group[space.problem.source], sorted(set(space.group.tolist()))
    return sorted(groups, key=lambda group: (bool(group == own), float(takes[space.group == group].min())))


class Trials:
    """What trials of thresholds, the least ones first, have told: which are hard. Threads share it.

    Parameters
    ----------
    tried
        The thresholds of this pass, rising.
    """

    def __init__(self, tried: Sequence[int] = ()) -> None:
        self._middle = tried[len(tried) // 2] if tried else None
        self._lock = Lock()
        self._hard: dict[int, bool] = {}

    @property
    def hard(self) -> list[int]:
        """The hard thresholds, rising."""
        with self._lock:
            return sorted(index for index, hard in self._hard.items() if hard)

    def note(self, index: int, *, hard: bool) -> None:
        """Note whether a threshold is hard."""
        with self._lock:
            self._hard[index] = hard

    def is_after_hard(self, index: int) -> bool:
        """Return whether the last two thresholds before it that are known are hard, and it is not the middle one.

        Such a one need not be tried: nearly always it is hard too, and where it is not it only takes longer. The middle
        one is tried in any case, as the first may be hard for lack of known plans alone: trials go on where it is not.
        """
        if index == self._middle:
            return False
        with self._lock:
            before = sorted(each for each in self._hard if each < index)[-_IN_A_ROW:]
            return len(before) == _IN_A_ROW and all(self._hard[each] for each in before)
