"""What exact frontiers over several measures share: tables, the plans that nothing dominates, threads over thresholds.

Trying everything is `tiercut.solvers.exhaustive.front`, growing labels `tiercut.solvers.labels.front`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import inf
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from tiercut.clock import seconds_left
from tiercut.solvers.base import Found
from tiercut.solvers.encoding import Layout
from tiercut.solvers.kept import Points
from tiercut.solvers.kernels.arguments import Compared, measures_of, rules_of, stacked
from tiercut.solvers.parallel import Done, Ending, share_out, thread_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiercut.solvers.interface import Options
    from tiercut.solvers.task import Goals, Task

    Ints = NDArray[np.int64]

__all__ = ["FULL", "FrontSearch"]

FULL = 2
"""What kernels write into a stop where they are out of room."""

_SMALL = 20_000  # decisions below which threads cost more than they bring


class FrontSearch(ABC):
    """One search: its tables, and the plans that nothing dominates so far; threads take threshold by threshold.

    Parameters
    ----------
    task, goals
        What is to be found, and what of it is compared.
    """

    full_reason = "out of room"

    def __init__(self, task: Task, goals: Goals) -> None:
        self.space, self.goals = task.space, goals
        self.layout = layout = Layout.of(task.space)
        self.best = Points(goals, layout.width)
        self.scored, self.memory, self.threads = 0, 0, 1
        self.out_of_room = False
        self.lock = Lock()
        self.rules, self.tables = rules_of(task.space), stacked(goals.costs)
        # Kernels have the accuracy after all sums.
        right, sums = len(goals.costs), self.tables.first.shape[2]
        turned = np.where(goals.turned == right, sums, goals.turned)
        self.compared = Compared(turned, goals.compared, goals.ties)
        # By measure; `Goals` has them by place in a point.
        *caps, right = goals.caps[np.argsort(goals.turned)].tolist()
        self.measures, self.floor = measures_of(goals.costs, caps), -right

    def found(self, options: Options) -> Found:
        """Return the frontier, or what is known of it where the search is stopped."""
        ending = self.run(options)
        return Found(
            decisions=self.best.decisions(self.space, self.layout),
            reason=self.full_reason if self.out_of_room else ending,
            scored=self.scored,
            memory_bytes=self.memory or None,
        )

    def run(self, options: Options) -> Ending:
        """Search all thresholds; return whether all was done, or why not."""
        return self.share(options)

    def share(self, options: Options) -> Ending:
        """Let threads take the thresholds one by one; return whether all of them were done, or why not."""
        indices = range(len(self.space.threshold_indices))
        small = self.space.decisions < _SMALL
        self.threads = thread_count(options, len(indices), small=small and seconds_left() == inf)
        stops = [np.zeros(2, np.int64) for _ in range(self.threads)]

        ending = share_out(indices, self.search, stops, stops, options, self.done(stops), small=small)
        self.out_of_room = any(stop[0] == FULL for stop in stops)
        return ending

    def done(self, _stops: Sequence[Ints]) -> Done | None:
        """Return what tells of the work done; None: thresholds are counted."""
        return None

    @abstractmethod
    def search(self, index: int, stop: Ints) -> None:
        """Search one threshold, by its index."""

    def known(self) -> Points:
        """Return a copy of what is known."""
        with self.lock:
            return self.best.copy()

    def take(self, index: int, points: Points, scored: int, size: int = 0) -> None:
        """Take over what was found at a threshold, and how many bytes its partial plans took."""
        found, keys = points.held
        own = keys[:, -1] == index  # the others were known before
        with self.lock:
            self.scored += scored
            self.memory = max(self.memory, size * self.threads)
            self.best.offer(found[own], keys[own])
