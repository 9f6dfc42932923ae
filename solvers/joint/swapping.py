"""A whole choice made better by exchanging the plans of one stream, or of two at once, until that helps no more.

Near what the machines can carry, relaxed choices leave hardly any room, and few whole ones keep all limits. What is
above a limit counts as the relaxed choice's penalty does, so that an exchange may first bring a choice within limits
and then make it quicker (local search in the neighbourhoods of one and two streams, as of generalised assignment:
Yagiura, Ibaraki and Glover, An Ejection Chain Approach for the Generalized Assignment Problem, INFORMS Journal on
Computing 16, 2004).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.clock import seconds_left
from tiercut.optimizer import SLACK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.solvers.joint.columns import Column
    from tiercut.solvers.joint.task import Floats

__all__ = ["exchanged"]

_LESS = 1e-9  # by which share an exchange has to help


class _Plans:
    """The plans of a stream as arrays: what their latency counts (P), and what they take of limits (P x K)."""

    def __init__(self, weight: float, columns: Sequence[Column]) -> None:
        self.costs: Floats = weight * np.array([column.latency_s for column in columns])
        self.loads: Floats = np.array([column.loads for column in columns])


def exchanged(
    weights: Floats, columns: Sequence[Sequence[Column]], picked: Sequence[int], penalty: float, reserve: float = 0.0
) -> list[int]:
    """Return a choice that no exchange of the plans of one or two streams makes better, or the best so far.

    Parameters
    ----------
    weights
        S: what a second of latency of each stream counts.
    columns
        Of each stream, among which to choose.
    picked
        S: places of the plans to begin with.
    penalty
        What it counts to exceed a limit once.
    reserve
        Seconds left at which to stop.
    """
    plans = [_Plans(float(weight), own) for weight, own in zip(weights, columns, strict=True)]
    chosen = list(picked)
    total = sum((own.loads[at] for own, at in zip(plans, chosen, strict=True)), np.zeros(plans[0].loads.shape[1]))
    if len(plans) == 1:
        over = np.maximum(plans[0].loads - (1.0 + SLACK), 0.0).sum(axis=1)
        return [int(np.argmin(plans[0].costs + penalty * over))]
    still = 0  # pairs that were looked at since the last exchange
    pairs = [(one, other) for one in range(len(plans)) for other in range(one)]
    while still < len(pairs) and seconds_left() > reserve:
        for one, other in pairs:
            still += 1
            found = _pair(plans[one], plans[other], chosen[one], chosen[other], total, penalty)
            if found is not None:
                (first, second), still = found, 0
                total = total + plans[one].loads[first] - plans[one].loads[chosen[one]]
                total = total + plans[other].loads[second] - plans[other].loads[chosen[other]]
                chosen[one], chosen[other] = first, second
            if still >= len(pairs):
                break
    return chosen


def _pair(one: _Plans, other: _Plans, first: int, second: int, total: Floats, penalty: float) -> tuple[int, int] | None:
    """Return the best plans of two streams beside those of all others; None: they have them."""
    rest = total - one.loads[first] - other.loads[second] - (1.0 + SLACK)
    here = float(one.costs[first] + other.costs[second] + penalty * np.maximum(total - (1.0 + SLACK), 0.0).sum())
    firsts = np.flatnonzero(one.costs + penalty * np.maximum(rest + one.loads, 0.0).sum(axis=1) < here)
    seconds = np.flatnonzero(other.costs + penalty * np.maximum(rest + other.loads, 0.0).sum(axis=1) < here)
    costs = one.costs[firsts, None] + other.costs[None, seconds]
    at = np.flatnonzero((costs < here * (1.0 - _LESS)).ravel())
    if not at.size:
        return None
    rows, places = np.unravel_index(at, costs.shape)
    over = np.zeros(len(at))
    for limit in np.flatnonzero(rest + one.loads.max(axis=0) + other.loads.max(axis=0) > 0.0):
        over += np.maximum((rest[limit] + one.loads[firsts, limit])[rows] + other.loads[seconds, limit][places], 0.0)
    values = costs.ravel()[at] + penalty * over
    best = int(np.argmin(values))
    if values[best] >= here * (1.0 - _LESS):
        return None
    return int(firsts[rows[best]]), int(seconds[places[best]])
