"""The parts into which the joint plans are split: what the plans of single streams may be in each.

A relaxed choice that mixes plans of a stream is split by what these differ in: whether a node runs a block, or with
which threshold samples leave. Either half is a smaller space of the same kind, so that prices in it are found as
quickly as those of the whole (branch and price: Barnhart et al., Branch-and-Price: Column Generation for Solving Huge
Integer Programs, Operations Research 46, 1998). Plans that differ in neither (codecs, exits inside partitions) take
different shares of some limit, or of time; in one half they take at most so much of it, in the other at least as much.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from tiercut.optimizer import Decision, Space
    from tiercut.solvers.joint.columns import Column
    from tiercut.solvers.joint.task import Floats

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]
    Rule: TypeAlias = "Side | Runs | Leaves"

__all__ = ["Branch", "Leaves", "Runs", "Side", "around", "narrowed", "split", "thinned"]

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


class Runs(NamedTuple):
    """Whether a node runs a block (both 0-based) in the plans of a stream."""

    block: int
    node: int
    there: bool

    def holds(self, column: Column) -> bool:
        """Return whether a plan is such a one."""
        return runs(column.decision, self.block, self.node) == self.there


class Leaves(NamedTuple):
    """Which thresholds the plans of a stream may have: those up to an index, or those after it."""

    last: int
    up_to: bool

    def holds(self, column: Column) -> bool:
        """Return whether a plan has such a threshold; one whose threshold has no effect may be found at any."""
        threshold = column.decision.threshold
        return threshold is None or (threshold <= self.last) == self.up_to


def runs(decision: Decision, block: int, node: int) -> bool:
    """Return whether a node runs a block in a plan."""
    at = bisect_right(decision.partition, block)
    return at < len(decision.partition) and decision.placement[at] == node


def narrowed(space: Space, rules: Sequence[Rule]) -> Space:
    """Return the plans of a space that keep to rules; those of `Side` are no rules of a space."""
    allowed, can_end, indices = space.allowed.copy(), space.can_end.copy(), space.threshold_indices
    for rule in rules:
        if isinstance(rule, Runs):
            if rule.there:
                can_end[: rule.block] = False
                others = np.arange(len(allowed)) != rule.node
                allowed[others, : rule.block + 1, rule.block :] = False
            else:
                allowed[rule.node, : rule.block + 1, rule.block :] = False
        elif isinstance(rule, Leaves):
            indices = indices[(indices <= rule.last) == rule.up_to]
    kept = np.isin(space.threshold_indices, indices)
    furthest = _furthest(allowed, space.furthest)
    stay = np.ascontiguousarray(space.stay[:, kept]) if len(kept) == space.stay.shape[1] else space.stay
    return replace(space, allowed=allowed, can_end=can_end, threshold_indices=indices, stay=stay, furthest=furthest)


def thinned(space: Space, cuts: int, thresholds: int) -> Space:
    """Return about so many cuts of a space, evenly spread, and so many of its thresholds; all ends that are cuts."""
    blocks, indices = space.problem.block_count, space.threshold_indices
    every = -(-blocks // cuts)
    kept = np.arange(1, blocks + 1) % every == 0
    chosen = np.unique(np.linspace(0, len(indices) - 1, min(thresholds, len(indices))).astype(int))
    return _only(space, kept, chosen)


def around(space: Space, decisions: Iterable[Decision], cuts: int, thresholds: int) -> Space:
    """Return the plans of a space whose cuts, exits and thresholds are at most so many away from some plans' own."""
    blocks, indices = space.problem.block_count, space.threshold_indices
    kept, chosen = np.zeros(blocks, bool), np.zeros(len(indices), bool)
    for decision in decisions:
        for end in (*decision.partition, *decision.exits):
            kept[max(end - 1 - cuts, 0) : end + cuts] = True
        if decision.threshold is not None:
            chosen |= np.abs(indices - decision.threshold) <= thresholds
    return _only(space, kept, np.flatnonzero(chosen) if chosen.any() else np.arange(len(indices)))


def _only(space: Space, kept: Bools, chosen: Ints) -> Space:
    """Return the plans of a space that are cut after blocks that are kept, with thresholds at some of its places."""
    ends = space.can_end & kept
    whole = len(space.threshold_indices) == space.stay.shape[1]
    return replace(
        space,
        jump=np.ascontiguousarray(np.where(kept[None, :, None], space.jump, -1)),
        can_end=ends if ends.any() else space.can_end,
        threshold_indices=space.threshold_indices[chosen],
        stay=np.ascontiguousarray(space.stay[:, chosen]) if whole else space.stay,
    )


def _furthest(allowed: Bools, before: Ints) -> Ints:
    """Return the last block of a partition that begins with each on each node: up to the first that is not allowed."""
    blocks = np.arange(allowed.shape[1])
    may = allowed | (blocks[None, None, :] < blocks[None, :, None])  # what ends before it begins counts as allowed
    first = np.where(may.all(axis=2), allowed.shape[1], (~may).argmax(axis=2))
    found: Ints = np.minimum(before, first - 1)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """A part of the joint plans.

    Parameters
    ----------
    bound
        What no joint plan in it is below.
    rules
        By stream: those that its plans keep to.
    served
        By stream: whether it has to be served, or must not be; of others both may be.
    cap
        Greatest latency of any plan, in seconds.
    """

    bound: float
    rules: dict[int, tuple[Rule, ...]] = field(default_factory=dict)
    served: dict[int, bool] = field(default_factory=dict)
    cap: float = inf

    def of(self, place: int) -> tuple[Rule, ...]:
        """Return the rules for the plans of a stream."""
        return self.rules.get(place, ())

    def admits(self, place: int, column: Column) -> bool:
        """Return whether a stream may have a plan."""
        may = self.served.get(place, True) and column.latency_s <= self.cap
        return may and all(rule.holds(column) for rule in self.of(place))

    def halves(self, place: int, *rules: Rule) -> tuple[Branch, ...]:
        """Return the parts in which the plans of a stream keep to one rule more."""
        return tuple(replace(self, rules={**self.rules, place: (*self.of(place), rule)}) for rule in rules)

    def by_service(self, place: int) -> tuple[Branch, ...]:
        """Return the part in which a stream is served, and the one in which it is not."""
        return tuple(replace(self, served={**self.served, place: there}) for there in (True, False))


def split(
    branch: Branch, shares: Sequence[Sequence[tuple[Column, float]]], left: Floats, prices: Floats, timed: int
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
    timed
        How many of them are about time. The rest are about memory, which splits nothing: plans whose blocks run on the
        same nodes hold the same there.
    """
    for place in np.flatnonzero((left > _WHOLE) & (left < 1 - _WHOLE)).tolist():
        return branch.by_service(place)
    mixed = {place: [(column, share) for column, share in own if share > _WHOLE] for place, own in enumerate(shares)}
    mixed = {place: own for place, own in mixed.items() if len(own) > 1}
    if not mixed:
        return ()
    # The stream whose plans differ most in what the dear limits have of them.
    place = max(mixed, key=lambda each: float(np.ptp([column.loads @ prices for column, _ in mixed[each]])))
    return (
        _by_plan(branch, place, mixed[place])
        or _by_threshold(branch, place, mixed[place])
        or _by_share(branch, place, mixed[place], prices[:timed])
    )


def _by_plan(branch: Branch, place: int, mixed: Sequence[tuple[Column, float]]) -> tuple[Branch, ...]:
    """Split by whether a node runs a block: where the mixed plans are nearest to half and half."""
    share: dict[tuple[int, int], float] = {}
    for column, weight in mixed:
        begin = 0
        for end, node in zip(column.decision.partition, column.decision.placement, strict=True):
            for block in range(begin, end):
                share[block, node] = share.get((block, node), 0.0) + weight
            begin = end
    total = sum(weight for _, weight in mixed)
    near = {at: abs(each - total / 2) for at, each in share.items() if _WHOLE < each < total - _WHOLE}
    if not near:
        return ()
    block, node = min(near, key=lambda at: (round(near[at], 9), at))
    return branch.halves(place, Runs(block, node, there=True), Runs(block, node, there=False))


def _by_threshold(branch: Branch, place: int, mixed: Sequence[tuple[Column, float]]) -> tuple[Branch, ...]:
    known = sorted({column.decision.threshold for column, _ in mixed if column.decision.threshold is not None})
    if len(known) < 2:
        return ()
    last = known[(len(known) - 1) // 2]
    return branch.halves(place, Leaves(last, up_to=True), Leaves(last, up_to=False))


def _by_share(branch: Branch, place: int, mixed: Sequence[tuple[Column, float]], prices: Floats) -> tuple[Branch, ...]:
    """Split by what the mixed plans take of a limit, of the dearest first, or by their latency."""
    weights = np.array([share for _, share in mixed])
    for limit in (*np.argsort(-prices, kind="stable").tolist(), None):
        values = np.array([column.latency_s if limit is None else column.loads[limit] for column, _ in mixed])
        if np.ptp(values) > _APART * np.abs(values).max():
            middle = _between(values, weights)
            return branch.halves(place, Side(limit, middle, 1.0), Side(limit, -middle, -1.0))
    return ()


def _between(values: Floats, weights: Floats) -> float:
    """Return a value between two that are mixed: where the mean lies."""
    mean = float((values * weights).sum() / weights.sum())
    below, above = values[values <= mean].max(initial=values.min()), values[values > mean].min(initial=values.max())
    if below == above:  # the mean is that of the greatest, but for rounding
        below = values[values < values.max()].max()
    return float((below + above) / 2)
