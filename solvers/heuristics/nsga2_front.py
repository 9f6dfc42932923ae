"""NSGA-II for frontiers over several measures: the course of `nsga2`, with what it compares."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer.query import Query
from tiercut.solvers.heuristics import front_kernels
from tiercut.solvers.heuristics.candidates import Walks
from tiercut.solvers.heuristics.nsga2 import TRIALS, Course
from tiercut.solvers.interface import Options, Outcome
from tiercut.solvers.task import Points, goals_of
from tiercut.solvers.warm_up import tiny_space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["PointsCourse", "load_points"]


@cache
def load_points() -> None:
    """Compile the kernels, or read them from the disk; what is measured begins after it."""
    query = Query(kind="frontier", over=("latency", "bytes", "accuracy"))
    PointsCourse(Walks(tiny_space(), query), query, Options()).run(2, time.perf_counter())


class PointsCourse(Course):
    """One question under way; what nothing beats is kept as exact solvers keep it.

    Parameters
    ----------
    walks, query
        The question.
    options
        Seed, time limit, progress.
    """

    def __init__(self, walks: Walks, query: Query, options: Options) -> None:
        super().__init__(walks, options)
        self.goals = goals_of(walks.space, query)
        self.best = Points(self.goals, walks.layout.width)
        points, _ = self._points(walks.rows(self.people, self.state))
        wide = np.ptp(points[:, : self.goals.compared], axis=0)
        self.scales = np.where(wide > 0, wide, 1.0)

    @property
    def objectives(self) -> int:
        """How many measures are compared."""
        return self.goals.compared

    def outcome(self, seconds: float, reason: str) -> Outcome:
        """Return what was found."""
        decisions = self.best.decisions(self.walks.space, self.walks.layout)
        if not decisions:
            reason = f"found nothing that holds every bound and rule among {self.scored:,} plans"
        return Outcome("nsga2", False, "feasible", decisions, seconds, self.scored, reason)

    def improve(self, rows: Ints) -> Ints:
        """Return walks changed by moves, for the better where they could be, each by a weighting of its own."""
        made = np.array(rows, np.int64, order="C")
        improve_points: Any = front_kernels.improve_points
        improve_points(made, self.walks.ground, self.state, TRIALS, self.goals.turned, self.scales)
        self.scored += len(made) * TRIALS
        return made

    def score(self, rows: Ints) -> tuple[Floats, Floats]:
        """Keep what is good among walks, and return what is to be made less, and by how much bounds are missed."""
        rows = np.array(rows, np.int64, order="C")
        points, violations = self._points(rows)
        fits = violations == 0
        self.best.offer(points[fits], self.walks.keys(rows[fits]))
        self.scored += len(rows)
        return points[:, : self.goals.compared], violations[:, None]

    def _points(self, rows: Ints) -> tuple[Floats, Floats]:
        points, violations = np.empty((len(rows), len(self.goals.turned))), np.empty(len(rows))
        score_points: Any = front_kernels.score_points
        score_points(rows, self.walks.ground, self.goals.turned, points, violations)
        return points, violations
