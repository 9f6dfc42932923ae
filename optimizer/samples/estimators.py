"""How it is known which samples leave where and are right: four estimators, from the coarsest to the exact.

============  ====================================================  ==================================================
estimator     accuracy of the samples that leave at an exit         exit rates
============  ====================================================  ==================================================
marginal      that of the branch over all samples                   of the full configuration
nested        what follows for those who leave there, if the later  of the full configuration
              branches are right wherever earlier ones are
conditional   that of the samples that really leave there, given    of the full configuration
              the exit that they met before
replay        each recorded sample by itself                        each recorded sample by itself
============  ====================================================  ==================================================

Conditional and nested accuracies depend on the exit before, the exit and their thresholds alone, so that solvers which
know where a sample met an exit last are as exact with them as with marginal ones. For a plan with two exits conditional
ones are the exact accuracies of the recorded samples; with more, exits before the last two are taken to make no further
difference. Where each exit has a threshold of its own, the exit before is the one that let most samples leave so far.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError
from tiercut.optimizer.samples.leavers import conditional_accuracies, nested_accuracies
from tiercut.optimizer.samples.recorded import Recorded

if TYPE_CHECKING:
    from tiercut.optimizer.problem import Estimator, Problem
    from tiercut.profiling import Exits, Samples

__all__ = ["ESTIMATORS", "with_estimator", "with_nested_hits"]

ESTIMATORS: tuple[Estimator, ...] = ("marginal", "conditional", "nested", "replay")


def with_estimator(problem: Problem, estimator: Estimator, samples: Samples) -> Problem:
    """Return a problem whose plans are priced by what samples say.

    Parameters
    ----------
    problem
        The tables.
    estimator
        ``conditional``, ``replay``, or ``marginal``, which takes no notice of them.
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
        return replace(problem, recorded=Recorded.of(samples), leavers=None)
    if estimator == "marginal":
        return replace(problem, recorded=None, leavers=None)
    return replace(problem, recorded=None, leavers=conditional_accuracies(problem, samples))


def with_nested_hits(problem: Problem, exits: Exits | None) -> Problem:
    """Return a problem whose plans are priced by nested hits (see `tiercut.optimizer.samples.leavers`).

    Parameters
    ----------
    problem
        The tables.
    exits
        What the profile says of each branch asked by itself; without exits the problem stays as it is.

    Raises
    ------
    QuestionError
        If the profile does not say which samples leave and are right at each branch by itself.
    """
    if exits is None:
        return replace(problem, recorded=None, leavers=None)
    rates, hits = exits.exit_rate_alone, exits.hit_rate_alone
    if rates is None or hits is None:
        key = "exit_rate_alone" if rates is None else "hit_rate_alone"
        raise QuestionError(
            f"the estimator 'nested' needs the key 'exits.{key}', which profile '{problem.profile}' does not have: it "
            "takes how many samples leave, and how many of these are right, at each branch asked by itself"
        )
    leavers = nested_accuracies(problem, np.array(rates, float), np.array(hits, float))
    return replace(problem, recorded=None, leavers=leavers)
