"""Quantiles of the latency as measures that add up along a plan.

The times on a plan's path are fixed, so a sample that leaves at an exit takes what its path takes. The p99 of a plan is
the 0.99 quantile of these latencies, each with the share of samples that leaves there: the least latency that at least
99 % of the samples do not exceed.

A sample that leaves later takes longer, wherever sending the result home from a node takes no longer than sending a
block's output on to another node and the result home from there. Then the quantile is the latency of the first exit
after which no more than 1 % remain, and that is a sum like the expected latency, but that each term counts whole where
more than 1 % remain, and not at all where no more do: the transfer of the result counts where the share that remains
falls to 1 % or less. So every solver that weighs terms by the remaining share finds the exact p99. Problems where a
later exit may be quicker are refused.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure
    from tiercut.optimizer.problem import Problem

__all__ = ["quantile_of", "tail_of"]

_SLACK = 1e-9  # empty shares may miss 0, and 1 % may be missed, by rounding


def tail_of(problem: Problem, latency: Measure, name: str, share: float) -> Measure:
    """Return a quantile of the latency as a measure.

    Parameters
    ----------
    problem
        The tables.
    latency
        Those of the expected latency.
    name
        Of the quantile, for messages.
    share
        Of the samples, that may take longer.

    Raises
    ------
    QuestionError
        If a sample that leaves later may be done sooner.
    """
    for send in (latency.send[:-1], *(each[:-1] for each in latency.codec_send)):
        home = latency.result[:-1]
        quicker = np.isfinite(send) & (send + home[:, None, :] < home[:, :, None] - _SLACK)
        quicker[:, range(problem.node_count), range(problem.node_count)] = False
        if quicker.any():
            _, u, v = np.argwhere(quicker)[0]
            raise QuestionError(
                f"{name} cannot be asked here: sending a result home from '{problem.nodes[u]}' takes longer than going "
                f"on to '{problem.nodes[v]}' and home from there, so that samples that leave later may be done sooner; "
                "give the links such times that results take the quickest way"
            )
    return replace(latency, tail=share + _SLACK)


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
