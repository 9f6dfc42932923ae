"""NSGA-II for frontiers over several measures: the course of `nsga2`, with what it compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.solvers.heuristics import front_kernels
from tiercut.solvers.heuristics.nsga2 import TRIALS, Course
from tiercut.solvers.kept import Points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer import Decision
    from tiercut.solvers.interface import Options
    from tiercut.solvers.task import Goals, Task

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["PointsCourse"]


class PointsCourse(Course):
    """One search; what nothing dominates is kept as exact solvers keep it.

    Parameters
    ----------
    task, goals
        What is to be found, and what of it is compared.
    options
        Seed, time limit, progress.
    """

    def __init__(self, task: Task, goals: Goals, options: Options) -> None:
        super().__init__(task, options)
        self.goals = goals
        self.best = Points(goals, self.candidates.layout.width)
        points, _ = self._points(self.candidates.rows(self.population, self.state))
        wide = np.ptp(points[:, : goals.compared], axis=0)
        self.scales = np.where(wide > 0, wide, 1.0)

    @property
    def objectives(self) -> int:
        """How many measures are compared."""
        return self.goals.compared

    def decisions(self) -> tuple[Decision, ...]:
        """Return what was found, in order."""
        return self.best.decisions(self.candidates.space, self.candidates.layout)

    def improve(self, rows: Ints) -> Ints:
        """Return candidates changed by moves, for the better where they could be, each by a weighting of its own."""
        improved = np.array(rows, np.int64, order="C")
        front_kernels.improve_points(
            improved, self.candidates.tables, self.state, TRIALS, self.goals.turned, self.scales
        )
        self.scored += len(improved) * TRIALS
        return improved

    def score(self, rows: Ints) -> tuple[Floats, Floats]:
        """Keep what is good among candidates, and return what is minimised, and by how much bounds are missed."""
        rows = np.array(rows, np.int64, order="C")
        points, violations = self._points(rows)
        fits = violations == 0
        self.best.offer(points[fits], self.candidates.keys(rows[fits]))
        self.scored += len(rows)
        return points[:, : self.goals.compared], violations[:, None]

    def _points(self, rows: Ints) -> tuple[Floats, Floats]:
        points, violations = np.empty((len(rows), len(self.goals.turned))), np.empty(len(rows))
        front_kernels.score_points(rows, self.candidates.tables, self.goals.turned, points, violations)
        return points, violations
