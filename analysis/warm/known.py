"""What solved conditions prove of others, without a solve.

The latency of a fixed plan is a sum of terms, each a number of the topology (a slowdown, a latency, seconds per byte)
times something that is not negative; where routes may change, the least of several such sums. It follows for all plans
at once: where no number fell below a share of what it was, no latency did; and, with payloads that are stored and
forwarded, between two conditions no latency lies below the straight line between those at both ends. So the least
latency of all *other* plans, known at conditions that were solved, bounds it at conditions that were not, and a plan
that is quicker than that bound is the best there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer import Decision

    Floats = NDArray[np.float64]

__all__ = ["Solved", "least_of_others"]

LARGEST = 1e300
"""Stands for the latency of a plan that there is not."""


@dataclass(frozen=True, slots=True)
class Solved:
    """Conditions that were solved.

    Parameters
    ----------
    place
        Their numbers, R (see `tiercut.analysis.warm.repricing.Numbers.place`).
    decision, passed
        The best decision, and what samples pass through on it: decisions that agree in that cost the same always.
    cost, next_cost
        Its latency, and the least latency of all that samples pass through otherwise; `LARGEST` where there is none.
    """

    place: Floats
    decision: Decision
    passed: tuple[Any, ...]
    cost: float
    next_cost: float


def least_of_others(known: list[Solved], passed: tuple[Any, ...], place: Floats, *, straight: bool) -> float:
    """Return a lower bound on the latency at a place of all decisions but those on which samples pass through this.

    Parameters
    ----------
    known
        K conditions that were solved, one at least.
    passed
        What samples pass through on the decision that is left out.
    place
        R numbers.
    straight
        Whether latencies between two places are no less than the straight line says.
    """
    places = np.stack([each.place for each in known])
    least = np.array([each.next_cost if each.passed == passed else each.cost for each in known])
    ratios = np.divide(place, places, out=np.full_like(places, np.inf), where=places > 0)
    shares = np.minimum(ratios.min(axis=1), 1.0)
    bound = float((shares * least).max())
    if not straight or len(known) < 2:
        return bound
    # Between places i and j, at (1 - t) of the one and t of the other: nowhere above the place that is asked about.
    step = places[None, :, :] - places[:, None, :]
    room = (place - places)[:, None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        at = room / step
    low = np.where(step < 0, at, 0.0).max(axis=2)
    high = np.where(step > 0, at, 1.0).min(axis=2)
    fits = ((step != 0) | (room >= 0)).all(axis=2)
    low, high = np.maximum(low, 0.0), np.minimum(high, 1.0)
    ends = [(1 - t) * least[:, None] + t * least[None, :] for t in (low, high)]
    lines = np.maximum(*ends)[fits & (low <= high)]
    return max(bound, float(lines.max(initial=0.0)))
