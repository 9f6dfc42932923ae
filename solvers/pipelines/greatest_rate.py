"""The plan with the greatest sustainable rate where machines are too many for labels, and how far from the best it is.

Without early exits a plan is a row of machines, each with the blocks that follow those of the one before, and its rate
is that of the busiest. Whether any row holds a limit on the seconds of each is asked of a relaxation, by dynamic
programming over sets of machines (`tiercut.solvers.pipelines.pipeline_kernels`): what no row can hold bounds that of
all plans. Plans are found by a beam search that knows links and coding, and by the relaxation itself; all are priced by
the tables. The limit is halved in on between the two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from tiercut.clock import seconds_left
from tiercut.optimizer import PLAIN, Decision, evaluate_tables
from tiercut.solvers.base import Found
from tiercut.solvers.first_plan import first_plan
from tiercut.solvers.parallel import Ending, run_jobs
from tiercut.solvers.pipelines.pipeline_kernels import beam, furthest_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.interface import Options
    from tiercut.solvers.task import Task

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["NEAR", "better_of", "finds_row", "greatest_rate", "load_kernels"]

_MOST_GROUPS = 24  # 16 million sets
_LEAST_GROUPS, _LEAST_BLOCKS = 9, 13  # fewer are for labels, which find the best plan itself
_CLOSE = 0.001  # of the best rate, at which halving ends
NEAR = 0.009
"""The share of the best rate that is proved first; where that fails, labels may do better."""
_WIDTHS = (50, 500)
_STEPS = 12
_NOISE = 1e-9  # of the work of the longest block, below which there is none
_SLACK = 1e-9  # of a limit


def finds_row(task: Task) -> bool:
    """Return whether a task is for this search: the greatest rate of many machines, samples all going to the end."""
    space = task.space
    groups = len(set(space.group.tolist()))
    # In whatever order they may stand: where all are of ranks of their own, labels need not tell sets of them apart.
    free = max(len(set(space.group[space.rank == rank].tolist())) for rank in set(space.rank.tolist()))
    return (
        bool(task.costs.others)
        and task.kind == "solve"
        and not task.by_accuracy
        and not task.constraints
        and task.cap == inf
        and task.floor == -inf
        and space.exits == "final"
        and space.codec_choices.tolist() == [PLAIN]
        and not len(space.required)
        and space.fewest <= 1
        and space.most >= min(groups, int(space.can_cut.sum()) + 1)
        and len(space.accuracy) >= _LEAST_BLOCKS
        and free >= _LEAST_GROUPS
        and groups <= _MOST_GROUPS
    )


@cache
def load_kernels() -> None:
    """Compile the kernels, or load what was compiled."""
    one, group = np.ones(1), np.zeros(1, np.int64)
    furthest_blocks(np.ones((1, 2), np.int64), group, np.array([1.0, 0.0]), one, np.zeros(1, np.int64))
    tables = np.ones((1, 1, 1)), np.zeros(1), np.zeros((1, 1, 1)), np.zeros((2, 2, 1))
    beam(*tables, group, one, 1.0, 2)


def greatest_rate(task: Task, options: Options) -> Found:
    """Return the best plan found, and how much less than its seconds any other's busiest may take at most."""
    search = _Rows(task)
    stop = np.zeros(1, np.int64)
    ending = run_jobs([lambda: search.run(stop)], [stop], options, lambda: (0, 0), threads=1)
    if search.best is None:
        return Found(decisions=(), reason=ending or "no plan was found", scored=search.asked)
    gap = max(1.0 - search.bound / search.seconds, 0.0) if search.seconds > 0 else 0.0
    reason = ending if ending == Ending.INTERRUPTED else f"the proof ends {100 * gap:.2g} % from the greatest rate"
    return Found(decisions=(search.best,), reason=reason, scored=search.asked, gap=gap)


@dataclass(frozen=True, slots=True)
class _Loads:
    """What pieces and what crosses links keep busy: the tables of `beam`, in seconds of a frame."""

    pieces: Floats
    first: Floats
    send: Floats
    own: Floats


class _Rows:
    """One search: what is known of the least seconds that the busiest machine or link can do with."""

    def __init__(self, task: Task) -> None:
        self.task, self.space = task, task.space
        self.tables = (task.measure, *task.measure.others)  # of nodes first, of links then
        self.group = np.unique(self.space.group, return_inverse=True)[1].astype(np.int64)
        self.blocks = len(self.space.accuracy)
        self.busy = self._busy()
        self.loads = self._loads()
        self.work, self.power = self._work()
        self.best: Decision | None = None
        self.seconds, self.asked = inf, 0
        for decision in first_plan(task):
            self.offer(decision)
        power = float(self.power.sum())
        self.bound = float(self.work[0]) / power * (1 - _SLACK) if power > 0 else 0.0  # blocks divided at will

    def _loads(self) -> _Loads:
        space, tables = self.space, self.tables
        nodes, apart = len(space.group), ~np.eye(len(space.group), dtype=bool)
        own = np.zeros((2, self.blocks + 1, nodes))
        for v in range(nodes):
            send = np.where(space.linked & apart, tables[v].send, 0.0)
            own[0, 1:, v] = send[:, v, :].max(axis=1)
            own[1, 1:, v] = send[:, :, v].max(axis=1)
            own[1, 0, v] = tables[v].first[v]
        first, send = np.zeros(nodes), np.zeros((self.blocks, nodes, nodes))
        for link in tables[nodes:]:
            np.maximum(first, link.first, out=first)
            np.maximum(send, link.send, out=send)
        first[~space.linked[space.problem.source]] = inf
        send[:, ~(space.linked & apart & (space.rank[:, None] <= space.rank))] = inf
        may = space.allowed & (np.arange(self.blocks) <= space.furthest[:, :, None])
        may &= np.append(space.can_cut[:-1], True) & np.triu(np.ones((self.blocks, self.blocks), bool))
        return _Loads(np.where(may, self.busy, inf), first, send, own)

    def _busy(self) -> Floats:
        """Return M x N x N: what the pieces of a node keep it busy, whether they are allowed or not."""
        nodes = range(len(self.space.group))
        busy = np.stack([self.tables[v].bare[v] for v in nodes])
        busy[:, :, -1] = [self.tables[v].span[v, :, -1] for v in nodes]
        return busy

    def _work(self) -> tuple[Floats, Floats]:
        """Return what is left to do after so many blocks, and how much of that each group does in a second, at most."""
        added = np.diff(self.busy, axis=2, prepend=0.0)
        each = np.arange(self.blocks)
        added[:, each, each] = self.busy[:, each, each]
        added[:, np.tri(self.blocks, k=-1, dtype=bool)] = inf
        work = np.maximum(added.min(axis=(0, 1)), 0.0)  # the least that a block adds to a piece
        work[work <= _NOISE * work.max()] = 0.0  # the rest of a difference
        done = np.append(0.0, np.cumsum(work))
        # Whatever the work is taken to be: no piece does more of it in its seconds than this.
        holds, may = np.maximum(done[1:] - done[:-1, None], 0.0), np.isfinite(self.loads.pieces)
        speed = np.divide(
            holds, self.busy, out=np.where(holds > 0, np.full_like(self.busy, inf), 0.0), where=self.busy > 0
        )
        power = np.zeros(self.group.max() + 1)
        np.maximum.at(power, self.group, np.where(may, speed, 0.0).max(axis=(1, 2)))
        return np.append(np.cumsum(work[::-1])[::-1], 0.0), power

    def offer(self, decision: Decision) -> None:
        """Keep a plan if it is one, and the best so far."""
        if not self._holds(decision):
            return
        seconds = evaluate_tables(self.space.problem, decision, self.task.measure)
        if seconds < self.seconds:
            self.best, self.seconds = decision, seconds

    def _holds(self, decision: Decision) -> bool:
        """Return whether a row is a plan of the space: what is relaxed need not be."""
        nodes, ends = np.array(decision.placement), np.array(decision.partition)
        begins = np.append(0, ends[:-1])
        if (begins >= ends).any() or len(set(self.group[nodes].tolist())) < len(nodes):
            return False
        crossed = self.loads.send[ends[:-1] - 1, nodes[:-1], nodes[1:]]
        there = np.isfinite(self.loads.pieces[nodes, begins, ends - 1]).all() and np.isfinite(crossed).all()
        return bool(there and np.isfinite(self.loads.first[nodes[0]]) and len(nodes) <= self.space.most)

    def run(self, stop: Ints) -> None:
        """Find good plans, then bound all others; until the two meet, or stopped."""
        if self.best is None:  # no machine does it all: any row, to begin with
            tables = self.loads.pieces, self.loads.first, self.loads.send, self.loads.own, self.loads.own
            self.look(sum(float(each[np.isfinite(each)].max(initial=0.0)) for each in tables), _WIDTHS[-1])
            if self.best is None:
                return
        for wide in _WIDTHS:
            low = self.bound
            for _ in range(_STEPS):
                if stop[0] or seconds_left() <= 0 or self.seconds - low <= _CLOSE * self.seconds / 2:
                    break
                limit = (low + self.seconds) / 2
                before = self.seconds
                self.look(limit, wide)
                if self.seconds >= before:
                    low = limit
        self.narrow(stop)

    def narrow(self, stop: Ints) -> None:
        """Bound what any plan can do with: first just below the best plan, then halfway to what is proved."""
        low, high = self.bound, self.seconds * (1.0 - _CLOSE)
        share = NEAR
        for _ in range(_STEPS):
            if stop[0] or seconds_left() <= 0 or high - low <= _CLOSE * self.seconds:
                return
            limit = max(self.seconds * (1.0 - share), (low + high) / 2) if share == NEAR else (low + high) / 2
            share = 0.0
            if self.prove(limit, stop):
                self.bound = low = max(self.bound, limit)
            else:  # the relaxation holds it; plans may not
                high = min(limit, self.seconds * (1.0 - _CLOSE))

    def look(self, limit: float, wide: int) -> None:
        """Look for a plan whose busiest takes no longer than a limit."""
        loads = self.loads
        tables = loads.pieces, loads.first, loads.send, loads.own
        nodes, ends = beam(*tables, self.group, self.power, limit, wide)
        self.asked += 1
        if len(ends):
            self.offer(Decision(tuple(ends.tolist()), tuple(nodes.tolist()), (self.blocks,)))

    def prove(self, limit: float, stop: Ints) -> bool:
        """Return whether no plan's busiest takes as little as a limit; where one seems to, it is offered."""
        pieces, blocks = self.loads.pieces, self.blocks
        slack = limit * (1 + _SLACK)  # for sums that were taken in another order
        ends = np.append(self.loads.send.min(axis=(1, 2))[:-1] <= slack, True)
        fits = (pieces <= slack) & ends
        done = np.where(fits.any(axis=2), blocks - np.argmax(fits[:, :, ::-1], axis=2), 0)
        # A node that goes on from more blocks gets no less far, in the relaxation.
        reach = np.maximum.accumulate(np.concatenate([done, np.zeros((len(done), 1), int)], axis=1), axis=1)
        self.asked += 1
        row = furthest_blocks(reach.astype(np.int64), self.group, self.work, self.power * slack, stop)
        if stop[0]:
            return False
        at, last = 0, []
        for v in row.tolist():
            at = int(reach[v, at])
            last.append(at)
        if last:
            self.offer(Decision(tuple(last), tuple(row.tolist()), (blocks,)))
        return not last


def better_of(task: Task, row: Found, found: Found) -> Found:
    """Return the better of what `greatest_rate` found, with its gap, and of what another search found after it."""
    if found.reason == Ending.INTERRUPTED:
        return replace(row, reason=found.reason)
    old, new = (
        min((evaluate_tables(task.space.problem, each, task.measure) for each in one.decisions), default=inf)
        for one in (row, found)
    )
    if new >= old or row.gap is None:
        return row
    return replace(found, gap=max(1.0 - (1.0 - row.gap) * old / new, 0.0))
