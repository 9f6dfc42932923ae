"""Every decision, scored by NumPy: for the first question ever, which would else wait until kernels are compiled.

In a process of its own it also answers small questions before numba, which runs the kernels, would be loaded.

Partial plans are rows of arrays and grow piece by piece, all at once. Terms are added in the same order as by
`tiercut.solvers.kernels.tree_kernels`, so that answers are the same to the last bit. It takes a hundred times as long
for a decision, and memory for all of them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from math import inf
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.clock import paused, seconds_left
from tiercut.solvers import registry
from tiercut.solvers.base import Found
from tiercut.solvers.encoding import Layout
from tiercut.solvers.kept import Keeper
from tiercut.solvers.kernels.arguments import shares_at
from tiercut.solvers.parallel import Ending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tiercut.optimizer import Costs
    from tiercut.solvers.kernels.arguments import Shares
    from tiercut.solvers.task import Task

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["comes_first", "is_simple", "leave_to_kernels", "release", "reserve", "score_all"]

_SPENT = [0]
"""Decisions of all tasks that NumPy took on in this process: whoever asks again and again is better served by kernels.

A task counts as a whole before it is begun, so that threads together take on no more than there is room for.
"""

_LOCK = Lock()


def is_simple(task: Task) -> bool:
    """Return whether a task is one for NumPy: sums over pieces, of estimates, over few decisions."""
    measured = (task.costs, *(each.costs for each in task.constraints))
    return (
        task.goals is None
        and task.space.problem.recorded is None
        and not any(each.once or each.spread or each.others for each in measured)
        and _SPENT[0] + task.space.decisions <= registry.MOST_UNCOMPILED
    )


def comes_first(task: Task, *kernels: Any) -> bool:
    """Return whether NumPy would answer a task before the kernels for it are loaded, or compiled."""
    if not is_simple(task):
        return False
    if "numba" not in sys.modules:
        return True
    with paused():  # numba's side of kernels is set up with the first look at one
        from tiercut import kernel_cache

        return not all(map(kernel_cache.is_ready, kernels))


def reserve(task: Task, *kernels: Any) -> bool:
    """Return whether NumPy is to answer a task, as `comes_first` says; if so its decisions count from now on.

    What is decided here holds for the whole solve, whatever other threads load or score meanwhile.
    """
    with _LOCK:
        first = comes_first(task, *kernels)
        if first:
            _SPENT[0] += task.space.decisions
        return first


def release(task: Task, scored: int) -> None:
    """Give back what was reserved for a task beyond what it took: bounds and the clock leave decisions out."""
    with _LOCK:
        _SPENT[0] -= task.space.decisions - scored


def leave_to_kernels() -> None:
    """Let kernels answer from now on, for whoever is about to ask more often than NumPy would answer."""
    with _LOCK:
        _SPENT[0] = max(_SPENT[0], registry.MOST_UNCOMPILED)


def score_all(task: Task) -> Found:
    """Score every decision of a simple task."""
    layout = Layout.of(task.space)
    best = Keeper.of(task, layout)
    scored = 0
    for index in range(len(task.space.threshold_indices)):
        if seconds_left() <= 0:
            return Found(decisions=best.decisions(task.space, layout), reason=Ending.STOPPED, scored=scored)
        with np.errstate(invalid="ignore"):  # a forbidden piece that no sample gets to
            for totals, rights, keys in _Plans(task, layout, index).grown():
                scored += len(totals)
                costs = totals[:, 0]
                fits = (totals <= _caps(task)).all(axis=1) & (costs < inf) & (rights >= task.floor)
                best.offer_sorted(costs[fits], rights[fits], keys[fits])
    return Found(decisions=best.decisions(task.space, layout), scored=scored)


def _bounded(task: Task) -> list[tuple[Costs, float]]:
    """Return tables and greatest values of the objective and all that is summed beside it, ties first."""
    constraints = [(side.costs, side.cap) for side in task.constraints]
    ties = [] if task.ties is None or task.bounds_ties else [(task.ties, inf)]
    return [(task.costs, task.cap), *ties, *constraints]


def _caps(task: Task) -> Floats:
    return np.array([cap for _, cap in _bounded(task)])


@dataclass(slots=True)
class _Partial:
    """P partial plans: node, level and first block of the piece that comes, what has been used, and sums so far.

    Parameters
    ----------
    node, begin, level, parts, exits, until
        P: integers; `until` is the last block that the partition may have.
    used
        P x groups.
    costs, rights, keys
        P x R, P and P x width.
    """

    node: Ints
    begin: Ints
    level: Ints
    parts: Ints
    exits: Ints
    until: Ints
    used: Bools
    costs: Floats
    rights: Floats
    keys: Ints

    def at(self, rows: Ints | Bools) -> _Partial:
        """Return copies of some rows."""
        return _Partial(*(getattr(self, each.name)[rows] for each in fields(self)))


class _Plans:
    """The plans at one threshold."""

    def __init__(self, task: Task, layout: Layout, index: int) -> None:
        self.space, self.layout, self.index = task.space, layout, index
        self.costs = [costs for costs, _ in _bounded(task)]
        self.tied = task.ties is not None
        self.shares: Shares = shares_at(task.space, index)

    def grown(self) -> Iterator[tuple[Floats, Floats, Ints]]:
        """Yield costs (P x R), accuracies and keys of all plans, by the number of pieces."""
        rows = self._roots()
        while len(rows.node):
            yield self._ended(rows)
            rows = self._onward(rows)

    def _roots(self) -> _Partial:
        space = self.space
        codec, node = np.nonzero(np.isfinite(self.costs[0].first) & space.linked[space.problem.source])
        count = len(node)
        keys = np.zeros((count, self.layout.width), np.int64)
        keys[:, 1 + self.layout.most] = node
        if self.layout.codecs_at >= 0:
            keys[:, self.layout.codecs_at] = codec
        used = np.zeros((count, space.required.shape[1]), bool)
        used[np.arange(count), space.group[node]] = True
        zeros = np.zeros(count, np.int64)
        costs = np.stack([each.first[codec, node] for each in self.costs], axis=1)
        rights = 0.0 - 1.0 * self.shares.input_drops[codec, node]
        return _Partial(node, zeros, zeros, zeros + 1, zeros, space.furthest[node, 0], used, costs, rights, keys)

    def _weights(self, levels: Ints) -> Floats:
        """Return P x R: what the terms of each measure count at these levels."""
        return np.stack([each.weigh(self.shares.stay)[levels] for each in self.costs], axis=1)

    def _passed(self, rows: _Partial, ends: Ints, asks: Bools, own: Floats, leave: Floats) -> Floats:
        """Return P x R: costs once a piece is passed, or ended (see `tiercut.solvers.kernels.step_kernels.passed`)."""
        totals = np.empty_like(rows.costs)
        for r, each in enumerate(self.costs):
            place = (rows.node, rows.begin, ends)
            piece = np.where(asks, each.span[place], each.bare[place])
            weight = 1.0 if each.whole else own[:, r]
            totals[:, r] = rows.costs[:, r] + weight * piece + leave[:, r] * each.result[ends, rows.node]
        return totals

    def _answered(self, rows: _Partial, ends: Ints, thresholds: Ints, leave: Floats) -> Floats:
        table = self.shares.accuracy
        row = rows.level if len(table) > 1 else np.zeros_like(rows.level)
        return rows.rights + leave * table[row, ends, np.clip(thresholds, 0, table.shape[2] - 1)]

    def _ended(self, rows: _Partial) -> tuple[Floats, Floats, Ints]:
        """Return the plans that end with the next piece."""
        space, layout = self.space, self.layout
        complete = rows.parts >= space.fewest
        for one in space.required:
            complete &= (rows.used & one).any(axis=1)
        if self.index > 0:
            complete &= rows.exits > 0
        blocks = np.arange(len(space.can_end))
        may = space.can_end & (blocks >= rows.begin[:, None]) & (blocks <= rows.until[:, None])
        at, ends = np.nonzero(may & complete[:, None])
        rows = rows.at(at)
        own, last = self._weights(rows.level), np.full(len(ends), self.shares.accuracy.shape[2])
        totals = self._passed(rows, ends, np.ones(len(ends), bool), own, own)
        rights = self._answered(rows, ends, last, self.shares.stay[rows.level])
        keys, every = rows.keys, np.arange(len(ends))
        keys[:, 0], keys[every, rows.parts], keys[:, -1] = rows.parts, ends + 1, self.index
        if layout.exits_at >= 0:
            keys[every, layout.exits_at + rows.exits] = ends + 1
        if self.tied:
            keys[:, -2] = np.ascontiguousarray(totals[:, 1]).view(np.int64)
        return totals, rights, keys

    def _onward(self, rows: _Partial) -> _Partial:
        """Return the partial plans with one piece more."""
        space, shares, layout = self.space, self.shares, self.layout
        blocks = np.arange(len(space.can_end))
        may = (blocks >= rows.begin[:, None]) & (blocks <= rows.until[:, None]) & (blocks < len(blocks) - 1)
        may &= space.inside | (rows.parts < space.most)[:, None]
        at, ends, options = np.nonzero(may[:, :, None] & (space.jump[rows.level] >= 0))
        rows, asks = rows.at(at), space.option_exit[options]
        after = space.jump[rows.level, ends, options].astype(np.int64)
        own, then = self._weights(rows.level), self._weights(after)
        rows.costs = self._passed(rows, ends, asks, own, own - then)
        leave = shares.stay[rows.level] - shares.stay[after]
        rows.rights = self._answered(rows, ends, space.option_threshold[options], leave)
        rows.exits += asks
        every = np.flatnonzero(asks)
        if layout.exits_at >= 0:
            rows.keys[every, layout.exits_at + rows.exits[every] - 1] = ends[every] + 1
        if layout.thresholds_at >= 0:
            thresholds = space.option_threshold[options[every]]
            rows.keys[every, layout.thresholds_at + rows.exits[every] - 1] = thresholds
        rows.begin, rows.level = ends + 1, after
        going = _joined(rows.at(asks), self._crossed(rows)) if space.inside else self._crossed(rows)
        able = going.costs[:, 0] < inf
        return going if able.all() else going.at(able)

    def _crossed(self, rows: _Partial) -> _Partial:
        """Return the partial plans that go on with a node of another group."""
        space, layout = self.space, self.layout
        may = space.linked[rows.node] & ~rows.used[:, space.group] & (space.rank >= space.rank[rows.node][:, None])
        at, node = np.nonzero(may & (rows.parts < space.most)[:, None])
        codecs = len(self.costs[0].send)
        at, node, codec = np.repeat(at, codecs), np.repeat(node, codecs), np.tile(np.arange(codecs), len(at))
        rows = rows.at(at)
        weights, every = self._weights(rows.level), np.arange(len(at))
        for r, each in enumerate(self.costs):
            rows.costs[:, r] += weights[:, r] * each.send[codec, rows.begin - 1, rows.node, node]
        rows.rights = rows.rights - self.shares.stay[rows.level] * self.shares.drops[codec, rows.begin - 1]
        rows.keys[every, rows.parts] = rows.begin
        rows.keys[every, 1 + layout.most + rows.parts] = node
        if layout.codecs_at >= 0:
            rows.keys[every, layout.codecs_at + rows.parts] = codec
        rows.used[every, space.group[node]] = True
        rows.node, rows.parts, rows.until = node, rows.parts + 1, space.furthest[node, rows.begin]
        return rows


def _joined(one: _Partial, other: _Partial) -> _Partial:
    return _Partial(*(np.concatenate([getattr(each, at.name) for each in (one, other)]) for at in fields(one)))
