"""Accuracies of the samples that really leave at an exit, given the exit before: counted, or told by nested hits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tiercut.memory import check_room
from tiercut.optimizer.plan import NEGLIGIBLE
from tiercut.optimizer.samples.recorded import single_precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.problem import Problem
    from tiercut.profiling import Samples

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["Leavers", "conditional_accuracies", "nested_accuracies"]

_CHUNK = 4096  # samples that are counted at a time, in single precision, where such sums are exact


@dataclass(frozen=True, eq=False)
class Leavers:
    """Accuracies of the samples that leave at an exit, by the exit before; T thresholds, N branches.

    Parameters
    ----------
    estimator
        Where they come from.
    one
        T x (N+1) x N x 2, one threshold for all exits: by the exit that a sample met before (0: none), the exit where
        it leaves, and whether that takes all that come (1), as the last of a plan does, or not (0). Where nobody goes
        on by the rates, any exit takes all. nan without a branch.
    of_each
        Returns the table `each`, which is worked out only where each exit has a threshold of its own.
    """

    estimator: Literal["conditional", "nested"]
    one: Floats
    of_each: Callable[[], Floats]

    @cached_property
    def each(self) -> Floats:
        """(1+T·N) x N x (T+1), a threshold for each exit.

        By the exit before with its threshold (see `row_of`), the exit where a sample leaves, and the threshold there;
        the last column is of samples that take the last exit of the plan. The exit before is the one that has let most
        samples go so far.
        """
        return self.of_each()

    def row_of(self, block: int, threshold: int) -> int:
        """Return the row of `each` for an exit before, its 1-based block and the index of its threshold."""
        branches: int = self.one.shape[2]
        return threshold * branches + block


def conditional_accuracies(problem: Problem, samples: Samples) -> Leavers:
    """Return the accuracies that recorded samples have.

    Parameters
    ----------
    problem
        The tables; where no sample leaves, the accuracy is that of the branch over all samples.
    samples
        S, of N branches.
    """
    accuracy, branch = problem.accuracy[:, None], problem.branch[:, None]

    def table(limits: NDArray[np.float32]) -> Floats:
        left, right = _counts(samples, limits)
        known = (left > 0) & branch
        return np.where(known, right / np.where(known, left, 1.0), accuracy)

    return _leavers("conditional", problem, single_precision(problem.thresholds), table)


def _leavers(
    estimator: Literal["conditional", "nested"], problem: Problem, rows: NDArray[Any], table: Callable[..., Floats]
) -> Leavers:
    """Return accuracies from a function that tells them for some thresholds, which it gets as some of the rows."""
    count, stay, alone = problem.block_count, problem.stay[:, 1:], problem.stay_alone[:, 1:]
    check_room(6.0 * len(rows) * (count + 1) * count * 8, f"accuracies at {len(rows)} thresholds by the exit before")
    one = np.stack([_ended(table(rows[[index]]), stay[[index]]) for index in range(len(rows))])
    return Leavers(estimator, one, lambda: _ended(table(rows), alone))


def _ended(table: Floats, stay: Floats) -> Floats:
    """Let exits take all that come where nobody goes on: R x N x (T+1), and T x N shares that do."""
    return np.where(np.vstack([stay, np.ones(stay.shape[1])]).T <= NEGLIGIBLE, table[:, :, -1:], table)


def _counts(samples: Samples, limits: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Return how many samples leave, and how many of these are right, at each exit and threshold given any before.

    Both are (1+T·N) x N x (T+1) for T limits, as `Leavers.each`.
    """
    (total, blocks), count = samples.entropy.shape, len(limits)
    left, right = np.zeros((2, 1 + count * blocks, (count + 1) * blocks))
    for begin in range(0, total, _CHUNK):
        entropy, correct = (each[begin : begin + _CHUNK] for each in (samples.entropy, samples.correct))
        below = (entropy[:, None, :] < limits[:, None]).reshape(len(entropy), -1)
        remaining = np.hstack([np.ones((len(below), 1), bool), ~below]).astype(np.float32).T
        leaves = np.hstack([below, np.ones(entropy.shape, bool)])
        left += remaining @ leaves.astype(np.float32)
        right += remaining @ (leaves & np.tile(correct, count + 1)).astype(np.float32)
    return _by_exit(left, blocks), _by_exit(right, blocks)


def _by_exit(table: Floats, blocks: int) -> Floats:
    """Return columns that run over thresholds and exits as N x (T+1)."""
    return np.ascontiguousarray(table.reshape(len(table), -1, blocks).swapaxes(1, 2))


def nested_accuracies(problem: Problem, rates: Floats, hits: Floats) -> Leavers:
    """Return the accuracies that follow from each branch asked by itself, if hits are nested.

    Parameters
    ----------
    problem
        The tables, with the accuracy of each branch over all samples.
    rates, hits
        T x N: share of all samples that leaves at a branch that is asked by itself, and that leaves there and is right.

    Notes
    -----
    Who leaves at one branch would leave at a later one too, and the better branch is right wherever the worse is. So of
    those who left before and were wrong there, as many would be right at a better branch as of all that the branch
    before gets wrong; of those who were right, all. (Of a worse branch: of those who were right as many as of all that
    the one before gets right, of those who were wrong none.) What remains of the later branch's own hits belongs to
    those who leave there. For one or two exits this is the nested estimate of ``experiments/joint``.
    """

    def table(alone: Floats) -> Floats:
        return _nested(alone[:, 0], alone[:, 1], problem.accuracy)

    return _leavers("nested", problem, np.stack([rates, hits], axis=1), table)


def _nested(rates: Floats, hits: Floats, accuracy: Floats) -> Floats:
    """Return accuracies as `Leavers.each` for some thresholds."""
    gone, right = (np.concatenate([[0.0], each.ravel()])[:, None] for each in (rates, hits))
    before = np.concatenate([[0.0], np.tile(accuracy, len(rates))])[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(accuracy >= before, 1.0, accuracy / before)
        gained = np.where(accuracy > before, (accuracy - before) / (1.0 - before), 0.0)
        taken = right * kept + np.maximum(gone - right, 0.0) * gained
        alone = np.vstack([rates, np.ones(len(accuracy))]).T, np.vstack([hits, accuracy]).T
        leaving = alone[0] - gone[:, :, None]
        share = (alone[1] - taken[:, :, None]) / leaving
    known = np.where(leaving > NEGLIGIBLE, np.clip(share, 0.0, 1.0), accuracy[:, None])
    return np.where(np.isnan(accuracy)[:, None], np.nan, known)
