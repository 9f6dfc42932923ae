"""Prices of streams that are alike: one network from one node, at other rates, weights and least accuracies.

Divided by its rate, what a plan costs such a stream is a share of a second of latency and what a frame keeps busy. So
the least cost is one concave function of that share for all of them (the lower envelope of a line for each plan): of
two shares whose best plans are known, the chord bounds what lies between from below, and known plans do from above.
Where both are the same, nothing is left to be looked for; and who has to be right less often never pays more.

Memory is held whatever the rate. Where it has a price, those are alike to whom a second of latency counts the same too,
and what a plan costs is such a function of the rate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiercut.optimizer import Decision

__all__ = ["Curve", "Priced", "Wanted"]

_ROUNDED = 1e-12  # by which share a sum may be off
_SAME = 2e-10  # bounds that differ by this share are one: a plan that nothing beats is priced 1e-10 below what it costs


class Priced(NamedTuple):
    """The cheapest plan of a stream at some multipliers: what it costs (inf: there is none), whether it is proved."""

    value: float
    decision: Decision | None
    proved: bool


class Wanted(NamedTuple):
    """A price that is asked for.

    Parameters
    ----------
    place
        Of the stream.
    ratio
        What a second of latency counts beside a frame; or what a frame counts beside all that hangs on no rate.
    rate
        What a cost is divided by.
    floor
        Least accuracy.
    """

    place: int
    ratio: float
    rate: float
    floor: float


@dataclass(slots=True, eq=False)
class Curve:
    """What the plans of streams that are alike cost at some prices.

    Parameters
    ----------
    wanted
        The streams.
    known
        Returns the cheapest plan that is known of a stream, and what it costs.
    within
        By which share a price may be too low.
    """

    wanted: list[Wanted]
    known: Callable[[int], tuple[float, Decision | None]]
    within: float = 0.0
    found: dict[int, Priced] = field(default_factory=dict)
    _points: list[tuple[float, float, float]] = field(default_factory=list)  # floor, ratio, least cost of a frame

    def next(self) -> list[Wanted]:
        """Return the prices that are to be looked for next, after those that follow from what is known."""
        waiting = [each for each in self.wanted if each.place not in self.found and not self._settled(each)]
        if not waiting:
            return []
        floor = min(each.floor for each in waiting)
        own = sorted((each for each in waiting if each.floor == floor), key=lambda each: each.ratio)
        solved = sorted(ratio for at, ratio, _ in self._points if at == floor)
        if not solved:
            return own[:1] if own[0].ratio == own[-1].ratio else [own[0], own[-1]]
        between: dict[int, list[Wanted]] = {}
        for each in own:
            between.setdefault(int(np.searchsorted(solved, each.ratio)), []).append(each)
        return [each[len(each) // 2] for each in between.values()]

    def take(self, each: Wanted, priced: Priced) -> None:
        """Take a price into account that was looked for."""
        self.found[each.place] = priced
        if priced.proved:
            self._points.append((each.floor, each.ratio, priced.value / each.rate))
        else:  # nothing is proved of all of them together any more
            self.found |= {other.place: priced for other in self.wanted if other.place not in self.found}

    def _settled(self, each: Wanted) -> bool:
        """Return whether the price of a stream follows from what is known; it is then among those found."""
        if not self._points:
            return False
        below = self._below(each)
        if below == inf:
            self.found[each.place] = Priced(inf, None, proved=True)
            return True
        above, decision = self.known(each.place)
        below *= each.rate * (1 - _ROUNDED)
        if decision is None or below < above * (1 - max(self.within, _SAME)):
            return False
        self.found[each.place] = Priced(min(below, above), decision, proved=True)
        return True

    def _below(self, each: Wanted) -> float:
        """Return what no plan of a stream costs less than, for a frame."""
        best = 0.0
        for floor in {point[0] for point in self._points if point[0] <= each.floor}:
            points = sorted((ratio, cost) for at, ratio, cost in self._points if at == floor)
            if points[0][1] == inf:
                return inf
            ratios, costs = zip((0.0, 0.0), *points, strict=True)
            best = max(best, float(np.interp(each.ratio, ratios, costs)))
        return best
