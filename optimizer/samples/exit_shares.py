"""What becomes of the samples at the exits of a decision: estimated from rates, or seen in recorded samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tiercut.optimizer.plan import Decision
    from tiercut.optimizer.problem import Problem

__all__ = ["Shares", "counted", "shares_of"]


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of all samples, one for each exit of a decision.

    Parameters
    ----------
    onward
        Who goes on after the exit; 0 after the last.
    right
        Share of the samples that leaves there and is right, before what codecs cost; nan where no accuracy is known.
    """

    onward: tuple[float, ...]
    right: tuple[float, ...]


def shares_of(problem: Problem, decision: Decision) -> Shares:
    """Return what becomes of the samples, as the problem knows it."""
    return _estimated(problem, decision) if problem.recorded is None else _seen(problem, decision)


def _estimated(problem: Problem, decision: Decision) -> Shares:
    """Take rates of the full configuration, and accuracies over all samples (the Joint model, section 2.3.1).

    Accuracies given the exit before, where the problem has them, are those of the samples that really leave.
    """
    onward, right, reach, before = [], [], 1.0, 0
    for place, block in enumerate(decision.exits):
        last = block == decision.exits[-1]
        level = 0.0 if last else _level(problem, decision, block, reach, place)
        onward.append(level)
        right.append((reach - level) * _accuracy(problem, decision, block, before, place))
        before = _before(problem, decision, block, before, place, more=level < reach)
        reach = level
    return Shares(tuple(onward), tuple(right))


def _accuracy(problem: Problem, decision: Decision, block: int, before: int, place: int) -> float:
    """Return the accuracy of the samples that leave at an exit; `before` is the row of those who left last."""
    leavers, last = problem.leavers, block == decision.exits[-1]
    if leavers is None:
        return float(problem.accuracy[block - 1])
    if decision.thresholds is None:
        return float(leavers.one[decision.threshold or 0, before, block - 1, int(last)])
    return float(leavers.each[before, block - 1, -1 if last else decision.thresholds[place]])


def _before(problem: Problem, decision: Decision, block: int, before: int, place: int, *, more: bool) -> int:
    """Return the row of accuracies for the next exit: of this one, or, where no more leave at it, of that before."""
    if problem.leavers is None or decision.thresholds is None:
        return block
    if not more or place == len(decision.thresholds):
        return before
    return problem.leavers.row_of(block, decision.thresholds[place])


def _level(problem: Problem, decision: Decision, block: int, reach: float, place: int) -> float:
    if decision.thresholds is None:
        return float(problem.stay[decision.threshold or 0, block])
    return min(reach, float(problem.stay_alone[decision.thresholds[place], block]))


def _seen(problem: Problem, decision: Decision) -> Shares:
    """Send the recorded samples through the exits."""
    assert problem.recorded is not None
    problem.recorded.check_blocks(problem.profile, problem.block_count)
    ((left, right),) = problem.recorded.count_leaving(problem.thresholds, [decision])
    return counted(left, right, problem.recorded.count)


def counted(left: NDArray[np.int64], right: NDArray[np.int64], count: int) -> Shares:
    """Return shares of samples that were counted: how many leave at each exit, and how many of these are right."""
    onward, remaining = [], count
    for leaving in left.tolist():
        remaining -= leaving
        onward.append(remaining / count)
    return Shares(tuple(onward), tuple(hits / count for hits in right.tolist()))
