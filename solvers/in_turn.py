"""What ``auto`` takes for bounds that may stand in each other's way: labels, and what enumerates or proves after them.

Labels of many bounded measures are compared with long lists of others where bounds leave little but trade-offs: their
work grows with the square of their number. So they get room for few, which is a second of work; where that does not do,
another exact solver goes on.
"""

from __future__ import annotations

import time
from dataclasses import replace
from math import isinf
from typing import TYPE_CHECKING, ClassVar

from tiercut.clock import seconds_left, time_limit
from tiercut.errors import QuestionError
from tiercut.solvers.labels.solver import Labels

if TYPE_CHECKING:
    from tiercut.solvers.interface import Options, Outcome, Solver
    from tiercut.solvers.task import Task

__all__ = ["FEW_LABELS", "InTurn"]

FEW_LABELS = 40_000
"""Labels of one threshold, at most: some seconds of comparisons at worst, and many times what most questions need."""


class InTurn:
    """Labels with room for few of them, then another exact solver.

    Parameters
    ----------
    second
        The other one, which answers the same questions.
    room
        Labels of one threshold, at most.
    """

    name: ClassVar[str] = Labels.name
    exact: ClassVar[bool] = True
    about: ClassVar[str] = Labels.about
    features: ClassVar[frozenset[str]] = Labels.features

    def __init__(self, second: Solver, room: int = FEW_LABELS) -> None:
        self._first, self._second = Labels(room), second

    def solve(self, task: Task, options: Options) -> Outcome:
        """See `tiercut.solvers.interface.Solver.solve`; the outcome names who found it."""
        began = time.perf_counter()
        with time_limit(options.time_limit_s):
            outcome = self._first.solve(task, options)
            left = seconds_left()
            if outcome.status in ("optimal", "infeasible", "interrupted") or not left:
                return outcome
            try:
                other = self._second.solve(task, replace(options, time_limit_s=None if isinf(left) else left))
            except QuestionError:  # it cannot be used in this process
                return Labels().solve(task, replace(options, time_limit_s=None if isinf(left) else left))
        if other.status not in ("optimal", "infeasible") and not other.decisions:
            return outcome
        return replace(other, seconds=time.perf_counter() - began)
