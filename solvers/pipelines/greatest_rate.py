"""The plan with the greatest sustainable rate where machines are too many for labels, and how far from the best it is.

Without early exits a plan is a row of machines, each with the blocks that follow those of the one before, and its rate
is that of the busiest. Whether any row holds a limit on the seconds of each is asked of a relaxation, by dynamic
programming over sets of machines (`tiercut.solvers.pipelines.pipeline_kernels`): what no row can hold bounds that of
all plans. Plans are found by a beam search that knows links and coding, and by the relaxation itself; all are priced by
the tables. The limit is halved in on between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from tiercut.clock import seconds_left
from tiercut.optimizer import PLAIN, Decision, admits, evaluate_tables
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

__all__ = ["finds_row", "greatest_rate", "load_kernels"]

_MOST_GROUPS = 24  # 16 million sets
_LEAST_GROUPS = 8  # fewer are for labels, which find the best plan itself
_CLOSE = 0.001  # of the best rate, at which halving ends
_NEAR = 0.009  # of it, what is proved first
_WIDTHS = (50, 500)
_STEPS = 12


def finds_row(task: Task) -> bool:
    """Return whether a task is for this search: the greatest rate of many machines, samples all going to the end."""
    space = task.space
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
        and space.most >= len(set(space.group.tolist()))
        and _LEAST_GROUPS < len(set(space.group.tolist())) <= _MOST_GROUPS
    )


@cache
def load_kernels() -> None:
    """Compile the kernels, or load what was compiled."""
    one, group = np.ones(1), np.zeros(1, np.int64)
    furthest_blocks(np.ones((1, 2), np.int64), group, np.array([1.0, 0.0]), one, np.zeros(1, np.int64))
    tables = np.ones((1, 1, 1)), np.zeros(1), np.zeros((1, 1, 1)), np.zeros((2, 2, 1))
    beam(*tables, np.ones((1, 1), bool), group, one, 1.0, 2)


def greatest_rate(task: Task, options: Options) -> Found:
    """Return the best plan found, and in the reason how much greater any other's rate may be at most."""
    search = _Rows(task)
    stop = np.zeros(1, np.int64)
    ending = run_jobs([lambda: search.run(stop)], [stop], options, lambda: (0, 0), threads=1)
    found = () if search.best is None else (search.best,)
    gap = (search.seconds - search.bound) / search.seconds if search.seconds > 0 else 0.0
    reason = f"no plan's rate is greater by more than {100 * gap / max(1.0 - gap, 1e-9):.2f} %, as is proved"
    return Found(decisions=found, reason=ending if ending == Ending.INTERRUPTED else reason, scored=search.asked)


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
        self.loads = self._loads()
        self.group = np.unique(self.space.group, return_inverse=True)[1].astype(np.int64)
        self.blocks = len(self.space.accuracy)
        self.work, self.power = self._work()
        self.best: Decision | None = None
        self.seconds, self.asked = inf, 0
        for decision in first_plan(task):
            self.offer(decision)
        total = self.work[0] / self.power.sum() if self.power.sum() > 0 else 0.0
        self.bound = float(total)  # blocks divided at will

    def _loads(self) -> _Loads:
        task, nodes = self.task, len(self.space.group)
        blocks = len(self.space.accuracy)
        pieces = np.full((nodes, blocks, blocks), 0.0)
        first, send = np.zeros(nodes), np.zeros((blocks, nodes, nodes))
        own = np.zeros((2, blocks + 1, nodes))
        apart = ~np.eye(nodes, dtype=bool)
        for costs in (task.costs, *task.costs.others):
            load = costs.bare.copy()
            load[:, :, -1] = costs.span[:, :, -1]
            busy = (np.where(np.isfinite(load), load, 0.0) > 0).any(axis=(1, 2))
            pieces = np.maximum(pieces, load)
            if not busy.any():  # a link, or a node that takes no time
                first, send = np.maximum(first, costs.first[0]), np.maximum(send, costs.send[0])
                continue
            for v in np.flatnonzero(busy):
                coded = np.where(np.isfinite(costs.send[0]), costs.send[0], 0.0)
                own[0, 1:, v] = np.maximum(own[0, 1:, v], coded[:, v, apart[v]].max(axis=1, initial=0.0))
                own[1, 1:, v] = np.maximum(own[1, 1:, v], coded[:, apart[v], v].max(axis=1, initial=0.0))
                own[1, 0, v] = costs.first[0, v]
        allowed = self.space.allowed & (np.arange(blocks) <= self.space.furthest[:, :, None])
        pieces = np.where(allowed, pieces, inf)
        pieces[:, :, :-1][:, :, ~self.space.can_cut[: blocks - 1]] = inf
        return _Loads(pieces, first, send, own)

    def _work(self) -> tuple[Floats, Floats]:
        """Return what is left to do after so many blocks, and how much of that each group does in a second, at most."""
        nodes, blocks = len(self.space.group), self.blocks
        each = np.array([[self.loads.pieces[v, i, i] for i in range(blocks)] for v in range(nodes)])
        alone = self._alone(each)
        work = alone.min(axis=0)
        work = np.where(np.isfinite(work), work, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            speed = np.where(work > 0, work / alone, 0.0).max(axis=1)
        power = np.zeros(self.group.max() + 1)
        np.maximum.at(power, self.group, np.where(np.isfinite(speed), speed, inf))
        return np.append(np.cumsum(work[::-1])[::-1], 0.0), power

    def _alone(self, each: Floats) -> Floats:
        """Return the least that a block adds to a piece on a node, as pieces may take less than their blocks."""
        load = self.task.costs
        tables = [np.where(np.isfinite(one.bare), one.bare, 0.0) for one in (load, *load.others)]
        total = np.maximum.reduce(tables)
        least = np.where(np.isfinite(each), each, inf)
        for i in range(self.blocks):
            for begin in range(i):
                least[:, i] = np.minimum(least[:, i], total[:, begin, i] - total[:, begin, i - 1])
        return np.maximum(least, 0.0)

    def offer(self, decision: Decision) -> None:
        """Keep a plan if it is the best so far."""
        if not admits(self.space, decision):
            return
        seconds = evaluate_tables(self.space.problem, decision, self.task.measure)
        if seconds < self.seconds:
            self.best, self.seconds = decision, seconds

    def run(self, stop: Ints) -> None:
        """Find good plans, then bound all others; until the two meet, or stopped."""
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
        share = _NEAR
        for _ in range(_STEPS):
            if stop[0] or seconds_left() <= 0 or high - low <= _CLOSE * self.seconds:
                return
            limit = max(self.seconds * (1.0 - share), (low + high) / 2) if share == _NEAR else (low + high) / 2
            share = 0.0
            if self.prove(limit, stop):
                self.bound = low = max(self.bound, limit)
            else:  # the relaxation holds it; plans may not
                high = min(limit, self.seconds * (1.0 - _CLOSE))

    def look(self, limit: float, wide: int) -> None:
        """Look for a plan whose busiest takes no longer than a limit."""
        loads = self.loads
        tables = loads.pieces, loads.first, loads.send, loads.own
        nodes, ends = beam(*tables, self.space.linked, self.group, self.power, limit, wide)
        self.asked += 1
        if len(ends):
            self.offer(Decision(tuple(ends.tolist()), tuple(nodes.tolist()), (self.blocks,)))

    def prove(self, limit: float, stop: Ints) -> bool:
        """Return whether no plan's busiest takes as little as a limit; where one seems to, it is offered."""
        pieces, blocks = self.loads.pieces, self.blocks
        send = np.where(self.space.linked, self.loads.send, inf)
        send[:, range(len(self.group)), range(len(self.group))] = inf
        ends = np.append(send.min(axis=(1, 2))[:-1] <= limit, True)
        fits = (pieces <= limit) & ends
        done = np.where(fits.any(axis=2), blocks - np.argmax(fits[:, :, ::-1], axis=2), 0)
        # A node that goes on from more blocks gets no less far, in the relaxation.
        reach = np.maximum.accumulate(np.concatenate([done, np.zeros((len(done), 1), int)], axis=1), axis=1)
        self.asked += 1
        row = furthest_blocks(reach.astype(np.int64), self.group, self.work, self.power * limit * (1 + 1e-9), stop)
        if stop[0]:
            return False
        at, last = 0, []
        for v in row.tolist():
            at = int(reach[v, at])
            last.append(at)
        if last:
            self.offer(Decision(tuple(last), tuple(row.tolist()), (blocks,)))
        return not last
