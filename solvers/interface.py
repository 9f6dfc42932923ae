"""What a solver is: what it takes (a task and options), what it returns, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias

from tiercut.optimizer import Decision

if TYPE_CHECKING:
    from tiercut.solvers.task import Task

__all__ = ["Options", "Outcome", "Progress", "Solver", "Status"]

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with the work done and the work in all; 0 in all: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options that every solver takes; those that mean nothing to it are ignored.

    Parameters
    ----------
    workers
        Threads; None: one for each core that the process may use.
    seed
        For solvers that draw random numbers.
    time_limit_s
        Seconds after which to stop with the best so far; None: no limit.
    progress
        Called about ten times a second with the work done and the work in all, once it takes long.
    presolve
        Whether cp-sat lets OR-tools simplify its models first (see `tiercut.solvers.cp_sat.search`).
    """

    workers: int | None = None
    seed: int = 0
    time_limit_s: float | None = None
    progress: Progress | None = None
    presolve: bool = False


Status = Literal["optimal", "feasible", "infeasible", "stopped", "interrupted"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of a solver.

    Parameters
    ----------
    solver
        Its name.
    exact
        Whether the solver proves what it says.
    status
        ``optimal``: proved. ``feasible``: the best found until it stopped. ``infeasible``: it is proved that nothing
        meets the question. ``stopped``: it stopped before it found a plan. ``interrupted``: by the user; what was found
        so far.
    decisions
        The decisions, in order.
    seconds
        From the task to the decisions, kernels already loaded.
    scored
        How many decisions were scored, or partial plans grown, where the solver counts them.
    reason
        Why it stopped, where that is not the end of its work.
    memory_bytes
        What its own tables and partial plans took at most, where the solver counts it.
    gap
        By which share of the best plan's cost any other's may be less at most, where the solver proved that much and
        no more.
    """

    solver: str
    exact: bool
    status: Status
    decisions: tuple[Decision, ...]
    seconds: float
    scored: int | None = None
    reason: str = ""
    memory_bytes: int | None = None
    gap: float | None = None


class Solver(Protocol):
    """A solver, as the registry lists it and the rest of the package calls it.

    Attributes
    ----------
    name
        As in ``--solver``.
    exact
        Whether it proves what it says.
    about
        One line for people.
    features
        What it supports, of the keys of `tiercut.solvers.registry.FEATURES`. A feature that a solver does not name is
        not supported.
    """

    name: ClassVar[str]
    exact: ClassVar[bool]
    about: ClassVar[str]
    features: ClassVar[frozenset[str]]

    def solve(self, task: Task, options: Options) -> Outcome:
        """Return the decisions that answer a task.

        Raises
        ------
        QuestionError
            If the task needs a feature that this solver lacks; the message names the solvers that have it.
        """
        ...
