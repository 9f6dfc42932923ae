"""Every decision, scored: the reference against which the others are checked.

The tree of decisions is cut into parts (first node, first cut; or threshold indices); threads take them one by one and
keep what is good in containers of their own, which are merged at the end. Memory does not grow with the number of
decisions.
"""

from __future__ import annotations

from functools import cache
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.solvers.base import BaseSolver, Found
from tiercut.solvers.encoding import Layout
from tiercut.solvers.exhaustive.front import EveryPoint
from tiercut.solvers.exhaustive.uncompiled import release, reserve, score_all
from tiercut.solvers.interface import Options
from tiercut.solvers.kept import Keeper
from tiercut.solvers.kernels import plain_kernels
from tiercut.solvers.kernels.arguments import Wanted, measures_of, rules_of, samples_of, shares_at, stacked
from tiercut.solvers.kernels.tree_kernels import walk_plans
from tiercut.solvers.parallel import share_out, thread_count
from tiercut.solvers.task import plain_tables
from tiercut.solvers.warm_up import Sort, tiny_tasks

if TYPE_CHECKING:
    from tiercut.optimizer import Costs
    from tiercut.solvers.interface import Outcome
    from tiercut.solvers.task import Task

__all__ = ["Exhaustive"]

_SMALL = 200_000  # decisions below which threads cost more than they bring


class Exhaustive(BaseSolver):
    """Scores every admitted decision and keeps the best, the N best or the frontier.

    Notes
    -----
    For blocks N, nodes M and thresholds T there are T·Σ_L C(N,L)·M!/(M-L)! decisions (the Joint model, section 3.3,
    tries them all).
    """

    name = "exhaustive"
    exact = True
    about = "scores every decision"
    features = frozenset(
        (
            "frontier",
            "rank",
            "free",
            "per-exit",
            "codec",
            "constraints",
            "bounded-rank",
            "whole",
            "once",
            "many",
            "peak",
            "peak-rank",
            "tail",
            "spread",
            "leavers",
            "replay",
        )
    )

    def solve(self, task: Task, options: Options) -> Outcome:
        """See `tiercut.solvers.interface.Solver.solve`; whether NumPy or kernels answer is settled here, once."""
        first = reserve(task, _kernel_for(task))
        return _UNCOMPILED.solve(task, options) if first else super().solve(task, options)

    def _load(self, task: Task) -> None:
        _load_kernels(_sort_of(task))

    def _search(self, task: Task, options: Options) -> Found:
        return _found(task, options)


class _Uncompiled(BaseSolver):
    """The same by NumPy: nothing is loaded."""

    name, exact, about, features = Exhaustive.name, Exhaustive.exact, Exhaustive.about, Exhaustive.features

    def _load(self, task: Task) -> None:
        pass

    def _search(self, task: Task, _: Options) -> Found:
        found = score_all(task)
        release(task, found.scored or 0)
        return found


_UNCOMPILED = _Uncompiled()


def _sort_of(task: Task) -> Sort:
    return "many" if task.goals is not None else "plain" if _is_plain(task) else "any"


def _kernel_for(task: Task) -> Any:
    """Return the kernel that scores every decision of a task without goals."""
    return plain_kernels.enumerate_plans if _sort_of(task) == "plain" else walk_plans


@cache
def _load_kernels(sort: Sort) -> None:
    for task in tiny_tasks(sort):
        _found(task, Options(workers=1))


def _is_plain(task: Task) -> bool:
    """Return whether a kernel answers that knows plain spaces and one measure only, and is many times as fast."""
    bounded = task.constraints or task.ties is not None
    summed = not task.costs.whole and task.costs.tail is None and not task.costs.others
    return task.space.plain and not bounded and summed


def _found(task: Task, options: Options) -> Found:
    if task.goals is not None:
        return EveryPoint(task, task.goals).found(options)
    return _Enumeration(task).found(options)


class _Enumeration:
    """The arguments of the kernels, fitted once, and the parts of the work."""

    def __init__(self, task: Task) -> None:
        self.task, self.space = task, task.space
        self.layout = Layout.of(task.space)
        self.decisions = task.space.decisions
        self.wanted = (task.front, task.by_accuracy, task.cap, task.floor)
        self.fast = _is_plain(task)
        self.parts: list[tuple[int, ...]]
        self.arrays: tuple[Any, ...]
        if self.fast:
            tables, rules = plain_tables(self.space, task.costs)
            self.arrays = (*tables, *rules)
            self.parts = self._branches()
        else:
            costs = [task.costs, *(side for side, _ in self.bounded)]
            self.tables, self.measures = (
                stacked(costs),
                measures_of(costs, [task.cap, *(cap for _, cap in self.bounded)]),
            )
            self.rules, self.samples = rules_of(self.space), samples_of(self.space.problem)
            self.parts = [(index,) for index in range(len(self.space.threshold_indices))]

    @property
    def bounded(self) -> list[tuple[Costs, float]]:
        """Tables and greatest values of what is summed beside the objective; what decides among equals comes first."""
        constraints = [(side.costs, side.cap) for side in self.task.constraints]
        ties = self.task.ties
        return constraints if ties is None or self.task.bounds_ties else [(ties, inf), *constraints]

    def _branches(self) -> list[tuple[int, ...]]:
        space = self.space
        cuts = [plain_kernels.UNCUT, *(np.flatnonzero(space.can_cut).tolist() if space.most > 1 else ())]
        roots = np.flatnonzero(space.linked[space.problem.source])
        return [(int(root), cut, space.most, space.most, False) for cut in cuts for root in roots]

    def found(self, options: Options) -> Found:
        """Score every decision."""
        small = self.decisions < _SMALL
        keepers = [self._keeper() for _ in range(thread_count(options, len(self.parts), small=small))]
        stops = [keeper.progress for keeper in keepers]

        def done() -> tuple[int, int]:
            return int(sum(stop[1] for stop in stops)), self.decisions

        ending = share_out(self.parts, self._score, keepers, stops, options, done, small=small)
        best = self._keeper()
        best.merge(*keepers)
        return Found(decisions=best.decisions(self.space, self.layout), reason=ending, scored=done()[0])

    def _keeper(self) -> Keeper:
        return Keeper.of(self.task, self.layout)

    def _score(self, part: tuple[int, ...], keeper: Keeper) -> None:
        if self.fast:
            keeper.enumerate(part, self.arrays, self.wanted)
            return
        task, (index, *_) = self.task, part
        wanted = Wanted(task.front, task.by_accuracy, task.ties is not None, task.floor)
        keeper.take(
            walk_plans(
                index,
                self.layout.places,
                self.rules,
                self.tables,
                self.measures,
                shares_at(self.space, index),
                wanted,
                keeper.held_at,
                keeper.progress,
                *self.samples,
            )
        )
