"""How it is known which samples leave where and are right: three estimators, from the coarsest to the exact.

============  ====================================================  ==================================================
estimator     accuracy of the samples that leave at an exit         exit rates
============  ====================================================  ==================================================
marginal      that of the branch over all samples                   of the full configuration
conditional   that of the samples that really leave there, given    of the full configuration
              the exit that they met before
replay        each recorded sample by itself                        each recorded sample by itself
============  ====================================================  ==================================================

Conditional accuracies depend on the threshold, the exit before and the exit alone, so that solvers which know where a
sample met an exit last are as exact with them as with marginal ones. For a plan with two exits they are the exact
accuracies of the recorded samples; with more, exits before the last two are taken to make no further difference.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError
from tiercut.optimizer.samples.recorded import Recorded

if TYPE_CHECKING:
    from tiercut.optimizer.problem import Estimator, Floats, Problem
    from tiercut.profiling import Samples

__all__ = ["ESTIMATORS", "conditional_accuracies", "with_estimator"]

ESTIMATORS: tuple[Estimator, ...] = ("marginal", "conditional", "replay")


def with_estimator(problem: Problem, estimator: Estimator, samples: Samples) -> Problem:
    """Return a problem whose plans are priced by an estimator.

    Parameters
    ----------
    problem
        The tables.
    estimator
        One of `ESTIMATORS`.
    samples
        What it is fitted to.

    Raises
    ------
    QuestionError
        If the samples are those of another network.
    """
    if samples.entropy.shape[1] != problem.block_count:
        raise QuestionError(
            f"the samples have {samples.entropy.shape[1]} branches, but profile '{problem.profile}' has "
            f"{problem.block_count} blocks; they do not belong together"
        )
    if estimator == "replay":
        return replace(problem, recorded=Recorded.of(samples), conditional=None)
    table = conditional_accuracies(problem, samples) if estimator == "conditional" else None
    return replace(problem, recorded=None, conditional=table)


def conditional_accuracies(problem: Problem, samples: Samples) -> Floats:
    """Return the accuracy of the samples that leave at a branch, given the branch that they met before.

    Returns
    -------
    numpy.ndarray
        T x 2 x (N+1) x N, as in `Problem.conditional`. Where no sample leaves it is the accuracy over all samples, and
        nan where there is no branch.
    """
    entropy, hits = samples.entropy.astype(float), samples.correct.astype(float)
    accuracy = np.broadcast_to(problem.accuracy, (len(problem.thresholds), 2, hits.shape[1] + 1, hits.shape[1])).copy()
    for index, threshold in enumerate(problem.thresholds):
        below = (entropy < threshold).astype(float)
        remaining = np.hstack([np.ones((len(below), 1)), 1.0 - below]).T
        pairs = ((remaining @ (below * hits), remaining @ below), (remaining @ hits, remaining @ np.ones_like(hits)))
        for last, (right, left) in enumerate(pairs):
            seen = (left > 0) & problem.branch
            accuracy[index, last][seen] = right[seen] / left[seen]
    return accuracy
