"""Quantiles of the latency as measures that add up along a plan.

The times on a plan's path are fixed, so a sample that leaves at an exit takes what its path takes. The p99 of a plan is
the 0.99 quantile of these latencies, each with the share of samples that leaves there: the least latency that at least
99 % of the samples do not exceed.

A sample that leaves later takes longer, wherever sending the result home from a node takes no longer than sending a
block's output on to another node and the result home from there. Then the quantile is the latency of the first exit
after which no more than 1 % remain, and that is a sum like the expected latency, but that each term counts whole where
more than 1 % remain, and not at all where no more do: the transfer of the result counts where the share that remains
falls to 1 % or less. So every solver that weighs terms by the remaining share finds the exact p99. Where a later exit
may be quicker, a p99 is no such sum, and only a solver that knows the times of all paths of a plan answers.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.optimizer.measures.tables import Measure
    from tiercut.optimizer.problem import Problem

__all__ = ["quantile_of", "spread_value", "tail_of"]

_SLACK = 1e-9  # empty shares may miss 0, and 1 % may be missed, by rounding


def tail_of(problem: Problem, latency: Measure, share: float) -> Measure:
    """Return a quantile of the latency as a measure.

    Parameters
    ----------
    problem
        The tables.
    latency
        Those of the expected latency.
    share
        Of the samples, that may take longer.
    """
    return replace(latency, tail=share + _SLACK, spread=float(_later_may_be_quicker(problem, latency)))


def _later_may_be_quicker(problem: Problem, latency: Measure) -> bool:
    """Return whether a result may get home sooner by way of another node that goes on with the network."""
    for send in (latency.send[:-1], *(each[:-1] for each in latency.codec_send)):
        home = latency.result[:-1]
        quicker = np.isfinite(send) & (send + home[:, None, :] < home[:, :, None] - _SLACK)
        quicker[:, range(problem.node_count), range(problem.node_count)] = False
        if quicker.any():
            return True
    return False


def spread_value(seconds: Sequence[float], leave: Sequence[float], tail: float, factor: float) -> float:
    """Return a quantile of the times of all paths.

    Parameters
    ----------
    seconds, leave
        What each path takes, times the factor, and the share of the samples that takes it.
    tail
        Share that may take longer, slack included.
    factor
        As `Measure.spread`.
    """
    paths = sorted(zip((each / factor for each in seconds), leave, strict=True), key=lambda path: path[0])
    finished = 0.0
    for time, share in paths:
        finished += share
        if finished >= 1.0 - tail:
            return time * factor
    return paths[-1][0] * factor


def quantile_of(seconds: tuple[float, ...], onward: tuple[float, ...], share: float) -> float:
    """Return the least latency that a share of the samples does not exceed.

    Parameters
    ----------
    seconds
        What a sample takes that leaves at each of the exits.
    onward
        Share of all samples that goes on after each; 0 after the last.
    share
        Such as 0.99.
    """
    order = sorted(range(len(seconds)), key=lambda place: seconds[place])
    leave = [before - after for before, after in zip((1.0, *onward), onward, strict=False)]
    finished = np.cumsum([leave[place] for place in order])
    return seconds[order[min(bisect_left((finished + _SLACK).tolist(), share), len(order) - 1)]]
