"""What all solvers share: a task that is not supported is refused, kernels load before the clock starts.

The solver to copy for a new one is `tiercut.solvers.heuristics.random_search`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from tiercut.clock import paused, time_limit
from tiercut.solvers.first_plan import first_plan
from tiercut.solvers.interface import Outcome
from tiercut.solvers.parallel import Ending
from tiercut.solvers.registry import refuse_unsupported
from tiercut.stages import stage

if TYPE_CHECKING:
    from tiercut.optimizer import Decision
    from tiercut.solvers.interface import Options, Progress, Status
    from tiercut.solvers.task import Task
    from tiercut.stages import Step

__all__ = ["BaseSolver", "Found"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found.

    Parameters
    ----------
    decisions
        In order.
    reason
        Why it stopped early; of a heuristic why it stopped at all. Empty where an exact search did all its work.
    scored, memory_bytes, gap
        As in `Outcome`.
    """

    decisions: tuple[Decision, ...]
    reason: str = ""
    scored: int | None = None
    memory_bytes: int | None = None
    gap: float | None = None


class BaseSolver(ABC):
    """A solver that says what it is on its class, and implements `_load` and `_search`.

    Attributes
    ----------
    name, exact, about, features
        As in `tiercut.solvers.interface.Solver`.
    """

    name: ClassVar[str]
    exact: ClassVar[bool]
    about: ClassVar[str]
    features: ClassVar[frozenset[str]]

    def solve(self, task: Task, options: Options) -> Outcome:
        """Return the decisions that answer a task.

        Parameters
        ----------
        task
            What is to be found.
        options
            Threads, seed, time limit, progress.

        Returns
        -------
        Outcome
            Of an exact solver ``optimal`` or ``infeasible``. Where a time limit or memory ended the work early, and of
            a heuristic always, ``feasible``, or ``stopped`` without any plan; ``interrupted`` where the user ended it.

        Raises
        ------
        QuestionError
            If the task needs a feature that this solver lacks, or what it needs is not installed.
        """
        refuse_unsupported(self, task)
        with paused(), stage("loading or compiling kernels"):
            self._load(task)
        began = time.perf_counter()
        with time_limit(options.time_limit_s) as clock, stage(f"solver {self.name}") as step:
            found = self._search(task, replace(options, progress=_both(options.progress, step)))
            if found.reason and not found.decisions:
                found = replace(found, decisions=first_plan(task))
        seconds = time.perf_counter() - began - clock.stood
        return Outcome(
            solver=self.name,
            exact=self.exact,
            status=_status(found, exact=self.exact),
            decisions=found.decisions,
            seconds=seconds,
            scored=found.scored,
            reason=found.reason,
            memory_bytes=found.memory_bytes,
            gap=found.gap,
        )

    @abstractmethod
    def _load(self, task: Task, /) -> None:
        """Import what is imported late, and load kernels: the work that is not timed."""

    @abstractmethod
    def _search(self, task: Task, options: Options, /) -> Found:
        """Return what is found; the task needs no feature that this solver lacks."""


def _both(progress: Progress | None, step: Step) -> Progress:
    """Return who is told of progress: the stage, and whom the options name."""

    def tell(done: int, most: int) -> None:
        step(done, most)
        if progress is not None:
            progress(done, most)

    return tell


def _status(found: Found, *, exact: bool) -> Status:
    if found.reason == Ending.INTERRUPTED:
        return "interrupted"
    if exact and not found.reason:
        return "optimal" if found.decisions else "infeasible"
    return "feasible" if found.decisions else "stopped"
