"""The cheapest plan of a stream where memory has a price.

What a plan holds on a node counts whole, however few samples get there, while latency and load count by the share that
does; the labels add up sums of one kind. So a byte is priced by the greatest share with which samples may get to its
partition, which makes nothing dearer than it is: the labels' answer bounds the price from below. Where that is too
little, the plans are split in two: those that hold less on a node than the answer does, and all, of which so much is
counted in any case; or by threshold, as shares then are known better (branch and bound: Land and Doig, An Automatic
Method of Solving Discrete Programming Problems, Econometrica 28, 1960).
"""

from __future__ import annotations

from dataclasses import replace
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tiercut.optimizer import evaluate_tables, fitting
from tiercut.solvers.joint.branches import Leaves, narrowed
from tiercut.solvers.states import states_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from numpy.typing import NDArray

    from tiercut.optimizer import Decision, Measure, Space

    Floats = NDArray[np.float64]
    Ask: TypeAlias = Callable[[Space, Measure, float], tuple[Decision | None, bool]]

__all__ = ["Holding", "held_bytes"]

_LESS = 1e-10  # by which share a plan has to be cheaper than the best that is known
_TOGETHER = 4  # thresholds that are looked at together
_LEAST_SHARE = 1e-3  # of samples by which a byte is priced, so that prices stay numbers of one size


def held_bytes(sizes: Floats, nodes: int, decision: Decision) -> Floats:
    """Return M: the bytes that a plan holds on each node, from those of every partition (N x N)."""
    held, begin = np.zeros(nodes), 0
    for end, node in zip(decision.partition, decision.placement, strict=True):
        held[node] += sizes[begin, end - 1]
        begin = end
    return held


def _by_threshold(space: Space) -> Iterator[Space]:
    """Yield the plans of a few neighbouring thresholds each: the shares that get to a block are then much alike."""
    indices = space.threshold_indices
    for begin in range(0, len(indices), _TOGETHER):
        own = indices[begin : begin + _TOGETHER]
        rules = Leaves(int(own[0]) - 1, up_to=False), Leaves(int(own[-1]), up_to=True)
        yield narrowed(space, rules) if len(own) < len(indices) else space


class _Part(NamedTuple):
    """Plans with what none of them costs less than, by order of their making, and bytes (M) counted in any case."""

    bound: float
    order: int
    space: Space
    counted: Floats


class Holding:
    """Prices plans of one space, or of parts of it, with what they hold in memory.

    Parameters
    ----------
    space
        The plans.
    sizes
        N x N: bytes of blocks i..j, which only grow with j.
    """

    def __init__(self, space: Space, sizes: Floats) -> None:
        self.inside, self.indices = space.inside, space.threshold_indices
        assert (np.diff(sizes, axis=1) >= 0.0).all(), "what holds less must be what ends earlier"
        self.sizes = sizes
        # Of parts of a partition, where exits stand inside, bytes are added up: parameters alone may be.
        parameters = space.problem.parameter_bytes
        self.parts = np.triu(np.cumsum(parameters)[None, :] - (np.cumsum(parameters) - parameters)[:, None])
        states = states_of(space)
        self.shares = np.ones((len(sizes), len(self.indices)))  # the greatest that get to a block, by threshold
        for block in range(len(sizes)):
            if (own := states.levels[states.begins == block]).size:
                self.shares[block] = space.stay[own].max(axis=0)

    def cheapest(
        self, space: Space, tables: Measure, prices: Floats, most: float, ask: Ask
    ) -> tuple[float, Decision | None, bool]:
        """Return the cheapest plan that costs less than so much.

        Parameters
        ----------
        space
            The plans, all of the space or a part of it.
        tables
            What they cost but for memory.
        prices
            M: what a byte costs on each node.
        most
            What it has to cost less than.
        ask
            Returns the cheapest plan of a space by some tables up to a cost, and whether that is proved.

        Returns
        -------
        tuple
            What no plan costs less than (but for a share of 1e-10), the plan, and whether that is proved. Without one
            all cost as much as was asked.
        """
        problem, best, found = space.problem, most, None
        waiting = [_Part(-inf, at, each, np.zeros(len(prices))) for at, each in enumerate(_by_threshold(space))]
        made = len(waiting)
        while waiting and waiting[0].bound < best:
            part = heappop(waiting)
            sure = float(prices @ part.counted)
            if sure >= best:
                continue
            priced = self._with(tables, prices, part)
            decision, proved = ask(part.space, priced, best - sure)
            if not proved:
                return min(best, part.bound), found if decision is None else decision, False
            if decision is None:
                continue
            held = held_bytes(self.sizes, len(prices), decision)
            real = evaluate_tables(problem, decision, tables) + float(prices @ held)
            bound = evaluate_tables(problem, decision, priced) + sure
            if real < best:
                best, found = real * (1.0 - _LESS), decision
            if bound < best:
                for smaller, counted in self._split(part, decision, held, tables, prices, bound):
                    made += 1
                    heappush(waiting, _Part(max(bound, part.bound), made, smaller, counted))
        return best, found, True

    def _with(self, tables: Measure, prices: Floats, part: _Part) -> Measure:
        """Return tables with prices of the bytes beyond those that are counted, which are no dearer than they are."""
        shares = self.shares[:, np.isin(self.indices, part.space.threshold_indices)].max(axis=1)
        shares = np.maximum(shares, _LEAST_SHARE)[:, None]
        span, bare = np.array(tables.span), np.array(tables.bare)
        for node in np.flatnonzero(prices).tolist():
            if self.inside:
                beyond = self.parts if part.counted[node] == 0 else np.zeros_like(self.parts)
            else:
                beyond = np.maximum(self.sizes - part.counted[node], 0.0)
            more = prices[node] * beyond / shares
            span[node] += more
            bare[node] += more
        return replace(tables, span=span, bare=bare)

    def _split(
        self, part: _Part, decision: Decision, held: Floats, tables: Measure, prices: Floats, bound: float
    ) -> Iterator[tuple[Space, Floats]]:
        """Yield parts of a part, in none of which the plan that it was answered by costs so little."""
        space, index = part.space, decision.threshold
        if index is not None and len(space.threshold_indices) > 1:
            below, above = Leaves(index - 1, up_to=True), Leaves(index, up_to=False)
            this = Leaves(index - 1, up_to=False), Leaves(index, up_to=True)
            alone = part._replace(space=narrowed(space, this))
            sure = float(prices @ part.counted)
            nearer = evaluate_tables(space.problem, decision, self._with(tables, prices, alone)) + sure
            if nearer > bound * (1.0 + _LESS):
                yield alone.space, part.counted
                for side in (narrowed(space, (below,)), narrowed(space, (above,))):
                    if len(side.threshold_indices):
                        yield side, part.counted
                return
        without = evaluate_tables(space.problem, decision, tables)
        missing = np.zeros(len(prices))
        for node in np.flatnonzero(prices * np.maximum(held - part.counted, 0.0)).tolist():
            only = np.where(np.arange(len(prices)) == node, prices, 0.0)
            said = evaluate_tables(space.problem, decision, self._with(tables, only, part)) - without
            missing[node] = prices[node] * (held[node] - part.counted[node]) - said
        node = int(np.argmax(missing))
        if missing[node] <= 0.0:  # it costs what was said, but for rounding
            return
        here = np.arange(len(prices))[:, None, None] == node
        yield fitting(space, ~here | (self.sizes < held[node])), part.counted
        more = part.counted.copy()
        more[node] = held[node]
        yield space, more
