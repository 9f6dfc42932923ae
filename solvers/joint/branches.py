"""The parts into which the joint plans are split: what the plans of single streams may take in each.

A relaxed choice that mixes plans of a stream mixes plans that take different shares of some limit, or of time. So a
part is split by that: in one half the stream's plans take at most so much of it, in the other at least as much. Both
are bounds on additive measures, which the labels answer exactly, so prices in a part are proved like those of the whole
(branch and price: Barnhart et al., Branch-and-Price: Column Generation for Solving Huge Integer Programs, Operations
Research 46, 1998).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.solvers.joint.columns import Column
    from tiercut.solvers.joint.task import Floats

__all__ = ["Branch", "Side", "split"]

_APART = 1e-7  # shares that differ by less are one
_WHOLE = 1e-6  # how near to 0 or 1 a share of a plan must be to count as whole


class Side(NamedTuple):
    """A bound on the plans of a stream.

    Parameters
    ----------
    limit
        The limit of which the share is bounded; None: the latency in seconds.
    most
        Its greatest value; of a least value both signs are turned.
    sign
        1 for a greatest value, -1 for a least one.
    """

    limit: int | None
    most: float
    sign: float

    def holds(self, column: Column) -> bool:
        """Return whether a plan is on this side."""
        value = column.latency_s if self.limit is None else float(column.loads[self.limit])
        return self.sign * value <= self.most


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """A part of the joint plans.

    Parameters
    ----------
    bound
        What no joint plan in it is below.
    sides
        By stream: the bounds on its plans.
    served
        By stream: whether it has to be served, or must not be; of others both may be.
    """

    bound: float
    sides: dict[int, tuple[Side, ...]] = field(default_factory=dict)
    served: dict[int, bool] = field(default_factory=dict)

    def of(self, place: int) -> tuple[Side, ...]:
        """Return the bounds on the plans of a stream."""
        return self.sides.get(place, ())

    def admits(self, place: int, column: Column) -> bool:
        """Return whether a stream may have a plan."""
        return self.served.get(place, True) and all(side.holds(column) for side in self.of(place))

    def halves(self, place: int, cut: tuple[int | None, float] | None) -> tuple[Branch, Branch]:
        """Return the part split by what a stream's plans take, or by whether it is served."""
        if cut is None:
            return tuple(  # type: ignore[return-value]
                replace(self, served={**self.served, place: there}) for there in (True, False)
            )
        limit, middle = cut
        low, high = Side(limit, middle, 1.0), Side(limit, -middle, -1.0)
        return tuple(  # type: ignore[return-value]
            replace(self, sides={**self.sides, place: (*self.of(place), side)}) for side in (low, high)
        )


def split(
    branch: Branch, shares: Sequence[Sequence[tuple[Column, float]]], left: Floats, prices: Floats
) -> tuple[Branch, ...]:
    """Return a part in two halves, by what its relaxed choice mixes; nothing where it mixes nothing.

    Parameters
    ----------
    branch
        The part.
    shares
        Of each stream: the plans that the choice takes, with the share of each.
    left
        S: by how much each is not served.
    prices
        K: what limits are worth, so that the dearest is looked at first.
    """
    best: tuple[float, int, tuple[int | None, float] | None] | None = None
    for place, own in enumerate(shares):
        if _WHOLE < left[place] < 1 - _WHOLE:
            return branch.halves(place, None)
        mixed = [(column, share) for column, share in own if share > _WHOLE]
        if len(mixed) < 2:  # noqa: PLR2004
            continue
        weights = np.array([share for _, share in mixed])
        rows = [None, *range(len(prices))]
        values = np.array([[column.latency_s, *column.loads] for column, _ in mixed])
        scale = np.abs(values).max(axis=0)
        for row, name in enumerate(rows):
            column = values[:, row]
            spread = column.max() - column.min()
            if spread <= _APART * max(float(scale[row]), 1e-300):
                continue
            worth = 1e-6 * spread / scale[row] if name is None else (prices[name] + 1e-9) * spread
            worth *= float(min(weights.max(), 1 - weights.max()) + 0.1)
            if best is None or worth > best[0]:
                best = worth, place, (name, _between(column, weights))
    return () if best is None else branch.halves(best[1], best[2])


def _between(values: Floats, weights: Floats) -> float:
    """Return a value between two that are mixed: where the mean lies."""
    mean = float((values * weights).sum() / weights.sum())
    below, above = values[values <= mean].max(initial=values.min()), values[values > mean].min(initial=values.max())
    if below == above:  # the mean is that of the greatest, but for rounding
        below = values[values < values.max()].max()
    return float((below + above) / 2)
