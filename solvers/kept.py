"""Containers of the good plans found so far: a frontier or the N best, and frontiers over several measures.

Kernels write both. What cp-sat keeps is another thing, plans with the paths of its networks that they lie on, and
stands with it (`tiercut.solvers.cp_sat.plans`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.solvers.encoding import Layout, decisions_of
from tiercut.solvers.kernels import keep_kernels, plain_kernels
from tiercut.solvers.kernels.arguments import Kept, Known
from tiercut.solvers.kernels.keep_kernels import TOP, offer_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiercut.optimizer import Decision, Space
    from tiercut.solvers.task import Goals, Task

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["ROOM", "Keeper", "Points"]

ROOM = 1024
"""Points of a frontier for which there is room to begin with."""

_SORTED, _MANY = 4000, 50  # plans in all, or new ones, beyond which frontiers are merged by sorting
_APART = 32  # words: threads that write side by side slow each other down
_ROWS = 64


@dataclass(slots=True)
class Keeper:
    """Plans kept so far: a frontier over cost and accuracy, or the N best in order.

    Parameters
    ----------
    front, by_accuracy
        Whether a frontier is kept, and else whether the best are the most accurate ones.
    capacity
        Room to begin with; for the N best it is N.
    width
        Integers in a key (see `tiercut.solvers.encoding`).

    Attributes
    ----------
    costs, accuracies, keys
        Of the first `count` rows: the plans.
    table
        Least cost seen for each bucket of accuracy (see `tiercut.solvers.kernels.keep_kernels.offer_front`).
    progress
        What the thread that fills the keeper shares with the kernels: whether to stop, and how many plans it has
        scored.
    """

    front: bool
    by_accuracy: bool
    capacity: int
    width: int
    costs: Floats = field(init=False)
    accuracies: Floats = field(init=False)
    keys: Ints = field(init=False)
    table: Floats = field(init=False)
    progress: Ints = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.costs = np.empty(self.capacity)
        self.accuracies = np.empty(self.capacity)
        self.keys = np.empty((self.capacity, self.width), np.int64)
        self.table = np.full(keep_kernels.BUCKETS + 1, inf)
        self.progress = np.zeros(_APART, np.int64)

    @classmethod
    def of(cls, task: Task, layout: Layout) -> Keeper:
        """Return an empty keeper for the answer of a task."""
        return cls(task.front, task.by_accuracy, ROOM if task.front else task.top, layout.width)

    @property
    def arrays(self) -> tuple[Floats, Floats, Ints, Floats]:
        """What kernels write into."""
        return self.costs, self.accuracies, self.keys, self.table

    @property
    def held(self) -> tuple[Floats, Floats, Ints]:
        """Costs, accuracies and keys of the plans that are held."""
        return self.costs[: self.count], self.accuracies[: self.count], self.keys[: self.count]

    @property
    def held_at(self) -> Kept:
        """The same without the table, and the count: what kernels take that give them back, see `take`."""
        return Kept(self.costs, self.accuracies, self.keys, self.count)

    def take(self, found: Any) -> None:
        """Take over the costs, accuracies, keys and count that a kernel returned."""
        self.costs, self.accuracies, self.keys, self.count = found

    def enumerate(self, task: tuple[int, ...], tables: tuple[Any, ...], wanted: tuple[Any, ...]) -> None:
        """Offer every decision of a part (see `tiercut.solvers.kernels.plain_kernels.enumerate_plans`)."""
        run: Any = plain_kernels.enumerate_plans
        while True:
            scored = self.progress[1]
            self.count = run(*task, *tables, *wanted, *self.arrays, self.count, self.progress)
            if not self.progress[plain_kernels.FULL]:
                return
            # Once more from the beginning of the part: what is offered twice is kept once.
            self.progress[1:3] = scored, 0
            room = len(self.costs)
            self.costs, self.accuracies = (np.resize(each, 2 * room) for each in (self.costs, self.accuracies))
            self.keys = np.resize(self.keys, (2 * room, self.width))

    def offer(self, costs: Floats, accuracies: Floats, keys: Ints) -> None:
        """Keep what is good of more plans; the order in which they come does not matter."""
        if self.front and (self.count + len(costs) > _SORTED or len(costs) > _MANY):
            self._merge_sorted(costs, accuracies, keys)
            return
        kept = self.held_at
        self.take(keep_kernels.offer_all(costs, accuracies, keys, self.front, self.by_accuracy, kept, self.table))

    def offer_sorted(self, costs: Floats, accuracies: Floats, keys: Ints) -> None:
        """Keep what is good of more plans, by sorting them: without what would have to be compiled."""
        if not len(costs):
            return
        if self.front:
            self._merge_sorted(costs, accuracies, keys)
            return
        costs, accuracies, keys = (
            np.concatenate(each) for each in zip(self.held, (costs, accuracies, keys), strict=True)
        )
        leads = -accuracies if self.by_accuracy else costs
        if len(leads) > self.capacity:  # what leads decides nearly always, and the rest need not be sorted
            good = np.flatnonzero(leads <= np.partition(leads, self.capacity - 1)[self.capacity - 1])
            costs, accuracies, keys = costs[good], accuracies[good], keys[good]
        first = (keys[:, -2], costs, -accuracies) if self.by_accuracy else (-accuracies, keys[:, -2], costs)
        best = np.lexsort((*keys.T[::-1], *first))[: self.capacity]
        self.costs, self.accuracies, self.keys, self.count = costs[best], accuracies[best], keys[best], len(best)

    def merge(self, *others: Keeper) -> None:
        """Keep what is good of the plans of others."""
        for each in others:
            self.offer(*each.held)

    def merge_once(self, others: Sequence[Keeper], *, but_tie: bool = False) -> None:
        """Keep what is good of the plans of others, each plan once however many hold it.

        Parameters
        ----------
        others
            The other keepers.
        but_tie
            Whether plans are the same whatever the tie in their keys.
        """
        costs, accuracies, keys = (np.concatenate(each) for each in zip(*(one.held for one in others), strict=True))
        _, once = np.unique(np.delete(keys, -2, axis=1) if but_tie else keys, axis=0, return_index=True)
        self.offer(costs[once], accuracies[once], keys[once])

    def fill(self, other: Keeper) -> None:
        """Hold what another holds, and nothing else."""
        count = other.count
        room = max(len(self.costs), count)
        self.costs, self.accuracies = np.empty(room), np.empty(room)
        self.keys = np.empty((room, self.width), np.int64)
        self.costs[:count], self.accuracies[:count], self.keys[:count] = other.held
        self.count = count

    def decisions(self, space: Space, layout: Layout) -> tuple[Decision, ...]:
        """Return the decisions that are held, in order."""
        return decisions_of(space, layout, self.keys[: self.count])

    def _merge_sorted(self, costs: Floats, accuracies: Floats, keys: Ints) -> None:
        """Merge long frontiers at once: one by one, each plan would move all that cost more."""
        costs, accuracies, keys = (
            np.concatenate(each) for each in zip(self.held, (costs, accuracies, keys), strict=True)
        )
        order = np.argsort(costs, kind="stable")
        equal = np.diff(costs[order]) == 0.0
        if equal.any():  # accuracies and keys, which are long, decide among plans of equal cost alone
            places = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
            few = order[places]
            columns = (*keys[few].T[::-1], keys[few, -2], -accuracies[few], costs[few])  # the last decides first
            order[places] = few[np.lexsort(columns)]
        rights = accuracies[order]
        best = order[np.concatenate([[True], rights[1:] > np.maximum.accumulate(rights)[:-1]])]
        self.costs, self.accuracies, self.keys, self.count = costs[best], accuracies[best], keys[best], len(best)


@dataclass(slots=True)
class Points:
    """Plans that no other dominates in several measures (see `tiercut.solvers.kernels.keep_kernels.offer_point`)."""

    goals: Goals
    width: int
    points: Floats = field(init=False)
    keys: Ints = field(init=False)
    lows: Floats = field(init=False)
    state: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.points = np.empty((_ROWS, len(self.goals.turned)))
        self.keys = np.zeros((_ROWS, self.width), np.int64)
        self.lows = np.empty((_ROWS, self.goals.compared))  # more than one for each chunk of rows
        self.state = np.zeros(3, np.int64)

    @property
    def known(self) -> Known:
        """What kernels take and give back."""
        return Known(self.points, self.keys, self.lows, self.state)

    def take(self, found: Any) -> None:
        """Take over what a kernel gave back."""
        self.points, self.keys, self.lows, self.state = found

    @property
    def held(self) -> tuple[Floats, Ints]:
        """Points and keys of the plans that are held."""
        keys = self.keys[: self.state[TOP]]
        live = keys[:, 0] > 0
        return self.points[: self.state[TOP]][live], keys[live]

    def offer(self, points: Floats, keys: Ints) -> None:
        """Keep what nothing dominates of more plans; the order in which they come does not matter."""
        self.take(offer_points(points, keys, self.goals.compared, self.goals.ties, self.known))

    def merge(self, other: Points) -> None:
        """Keep what nothing dominates of another's."""
        self.offer(*other.held)

    def copy(self) -> Points:
        """Return another one that holds the same."""
        copied = Points(self.goals, self.width)
        for name in ("points", "keys", "lows", "state"):
            setattr(copied, name, getattr(self, name).copy())
        return copied

    def decisions(self, space: Space, layout: Layout) -> tuple[Decision, ...]:
        """Return what is held, by what is compared, the first measure first."""
        points, keys = self.held
        sort = np.lexsort(points[:, : self.goals.compared].T[::-1])
        return decisions_of(space, layout, keys[sort])
