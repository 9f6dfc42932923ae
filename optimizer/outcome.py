"""What every solver returns: one immutable outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tiercut.optimizer.plan import Decision

__all__ = ["Outcome", "Status"]

Status = Literal["optimal", "feasible", "infeasible"]


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
        ``optimal``: proved. ``feasible``: the best found until it stopped. ``infeasible``: nothing meets the question.
    decisions
        The decisions, in order.
    seconds
        From the dense tables to the decisions, kernels already loaded.
    scored
        How many decisions were scored, or partial plans grown, where the solver counts them.
    reason
        Why it stopped, where that is not the end of its work.
    memory_bytes
        What its own tables and partial plans took at most, where the solver counts it.
    """

    solver: str
    exact: bool
    status: Status
    decisions: tuple[Decision, ...]
    seconds: float
    scored: int | None = None
    reason: str = ""
    memory_bytes: int | None = None
