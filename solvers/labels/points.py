"""Frontiers over two or three measures, exactly: every decision scored, or labels grown in all measures at once.

Trying everything is `tiercut.solvers.kernels.tree_kernels.walk_points`, lane by lane. Labels are as in
`tiercut.solvers.labels.solver`, but for what they are compared and pruned by:

1. Backward, without the rule that a node is used once: the least that the rest of a plan may have of each measure by
   itself, from (blocks done, level) and node on.
2. Labels with at most two partitions give first plans, thresholds one after the other.
3. All labels grow from the source. One whose own values and the least ahead of it come to what a known plan beats, or
   that another label at the same state and node beats in every measure, having used no other nodes, is dropped.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tiercut.optimizer.query import Query
from tiercut.solvers.encoding import Layout
from tiercut.solvers.interface import Options, Outcome, Status
from tiercut.solvers.kernels.tree_kernels import walk_points
from tiercut.solvers.parallel import cores, watch
from tiercut.solvers.states import states_of
from tiercut.solvers.task import Points, goals_of
from tiercut.solvers.warm_up import tiny_space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.space import Space

    Ints = NDArray[np.int64]

__all__ = ["solve_points"]

_ROOM = 6_000_000  # labels of one threshold, about 0.7 GB; more end the work with what is proved so far
_SMALL = 20_000  # decisions below which threads cost more than they bring


def solve_points(space: Space, query: Query, options: Options, how: Literal["labels", "exhaustive"]) -> Outcome:
    """Return the frontier over two or three measures.

    Parameters
    ----------
    space
        The decisions that count; at most 62 nodes (or tiers, where a tier is used once).
    query
        What is compared, and bounds of any sort.
    options
        Threads, time limit.
    how
        By which solver.

    Returns
    -------
    Outcome
        ``optimal``; ``feasible`` where the time limit, memory or an interrupt ended the work early.
    """
    _load_kernels(how)
    began = time.perf_counter()
    search = (_Labels if how == "labels" else _Everything)(space, query)
    finished = search.run(options)
    decisions = search.best.decisions(space, search.layout)
    status: Status = "feasible" if not finished else "optimal" if decisions else "infeasible"
    seconds = time.perf_counter() - began
    return Outcome(
        how, True, status, decisions, seconds, search.scored, "" if finished else search.reason, search.memory or None
    )


@cache
def _load_kernels(how: Literal["labels", "exhaustive"]) -> None:
    """Compile the kernels, or read them from the disk; what is measured begins after it."""
    query = Query(kind="frontier", over=("latency", "bytes", "accuracy"))
    (_Labels if how == "labels" else _Everything)(tiny_space(), query).run(Options(workers=1))


class _Search:
    """One question under way: its tables, and the plans that nothing beats so far; threads take lane by lane."""

    def __init__(self, space: Space, query: Query) -> None:
        self.space = space
        self.layout = layout = Layout.of(space)
        self.goals = goals_of(space, query)
        self.best = Points(self.goals, layout.width)
        self.scored, self.memory, self.threads = 0, 0, 1
        self.reason = "stopped before the end"
        self.lock = Lock()
        *tables, self.whole = self.goals.tables
        self.first, self.span, self.bare, self.send, self.result = tables
        self.places = (layout.exits_at, layout.thresholds_at, layout.codecs_at)
        self.rules = (space.group, space.rank, space.linked)
        self.wanted = (self.goals.compared, self.goals.ties, self.goals.caps)
        self.drops = space.drops

    def stay(self, lane: int) -> NDArray[np.float64]:
        """Return Q shares of those under way, in a lane."""
        return np.ascontiguousarray(self.space.stay[:, lane])

    def run(self, options: Options) -> bool:
        """Answer the question; return whether all was done."""
        return self.lanes(options, self.lane)

    def lanes(self, options: Options, work: Any) -> bool:
        """Let threads take the lanes one by one; return whether all of them were done."""
        lanes: SimpleQueue[int] = SimpleQueue()
        for lane in range(len(self.space.lanes)):
            lanes.put(lane)
        small = self.space.decisions < _SMALL and options.time_limit_s is None
        count = self.threads = 1 if small else min(options.workers or cores(), len(self.space.lanes))
        stops = [np.zeros(2, np.int64) for _ in range(count)]

        def take(stop: Ints) -> None:
            while not stop[0]:
                try:
                    lane = lanes.get_nowait()
                except Empty:
                    return
                work(lane, stop)

        if small:
            take(stops[0])
            finished = True
        else:
            with ThreadPoolExecutor(count) as pool:
                running = [pool.submit(take, stop) for stop in stops]
                finished = watch(running, stops, options, lambda: (self.scored, self.space.decisions))
            for each in running:
                each.result()
        if any(stop[0] == 2 for stop in stops):
            self.reason = f"out of room for labels ({_ROOM:,} for one threshold)"
        return finished and all(stop[0] == 0 for stop in stops)

    def lane(self, lane: int, stop: Ints) -> None:
        """Answer for one lane."""
        raise NotImplementedError

    def known(self) -> Points:
        """Return a copy of what is known."""
        with self.lock:
            return self.best.copy()

    def found(self, points: Points, scored: int, size: int = 0) -> None:
        """Take over what a lane found, and how many bytes its partial plans took."""
        with self.lock:
            self.scored += scored
            self.memory = max(self.memory, size * self.threads)
            self.best.merge(points)


class _Everything(_Search):
    def lane(self, lane: int, stop: Ints) -> None:
        space, before = self.space, int(stop[1])
        found = self.known()
        run: Any = walk_points
        head = (lane, space.problem.source, space.most, space.fewest, space.required_bits, *self.places)
        tables = (self.first, self.span, self.bare, self.send, self.result, self.whole, self.drops, self.stay(lane))
        exits = (space.accuracy, space.option_exit, space.option_threshold, space.jump, space.inside, space.can_end)
        compared, ties, caps = self.wanted
        found.take(
            run(*head, *tables, *exits, *self.rules, self.goals.turned, compared, ties, caps, *found.arrays, stop)
        )
        self.found(found, int(stop[1]) - before)


class _Labels(_Search):
    def __init__(self, space: Space, query: Query) -> None:
        super().__init__(space, query)
        self.states = states_of(space)
        bits = np.left_shift(1, space.group)
        follows = (space.rank[None, :] >= space.rank[:, None]) & (space.group[None, :] != space.group[:, None])
        self.future = np.array([np.bitwise_or.reduce(bits[row], initial=0) for row in follows])
        self.deepest = space.most

    def run(self, options: Options) -> bool:
        began, limit = time.perf_counter(), options.time_limit_s
        if self.space.most > 2 and self.space.fewest <= 2:
            self.deepest = 2
            if not self.lanes(options, self.lane):
                return False
            self.deepest = self.space.most
        if limit is not None:
            options = replace(options, time_limit_s=max(limit - (time.perf_counter() - began), 0.0))
        return self.lanes(options, self.lane)

    def lane(self, lane: int, stop: Ints) -> None:
        from tiercut.solvers.labels import front_kernels

        space, states, goals, stay = self.space, self.states, self.goals, self.stay(lane)
        shape = (len(states.begins), len(space.group), len(goals.turned))
        ahead, leaving = np.empty(shape), np.full(shape, np.inf)
        pieces = (self.span, self.bare, self.send, self.result, self.whole, self.drops)
        walk = (space.jump, states.number, states.begins, states.levels, space.inside, space.can_end, *self.rules)
        fill: Any = front_kernels.least_ahead
        fill(stay, space.accuracy, *pieces, space.option_exit, *walk, ahead, leaving)
        limited = self.deepest < len(set(space.group.tolist()))
        parts = (space.most, self.deepest, space.fewest, space.required_bits, limited)
        head = (lane, space.problem.source, *parts, *self.places)
        exits = (stay, space.accuracy, space.option_exit, space.option_threshold)
        compared, ties, caps = self.wanted
        found = self.known()
        grow: Any = front_kernels.grow_points
        bounds = (self.future, ahead, leaving, goals.turned, goals.loose, compared, ties, caps)
        found.take(grow(*head, self.first, *pieces, *exits, *walk, *bounds, *found.arrays, _ROOM, stop))
        size = ahead.nbytes + leaving.nbytes + int(stop[1]) * 8 * (len(goals.turned) + 10)
        self.found(found, int(stop[1]), size)
