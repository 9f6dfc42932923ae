"""Exact answers without enumeration: labels that only grow while a relaxed bound lets them.

For a fixed threshold, what the rest of a plan costs and gains depends on the number of blocks done, the node that goes
on and the nodes used; not on the past. So partial plans (*labels*: cost and accuracy so far) compete at such a state.

1. Plans with one or two partitions are enumerated; they give a first frontier, or the N-th best cost so far.
2. Forward, *without* the rule that a node is used once: how little may a label have cost at (block, node)? And
   backward: how much, with so much accuracy gained, if its best completion is to be of interest? These small dynamic
   programs have no node sets. Along a frontier both are counted less what the accuracy gained is worth there.
3. Forward, labels grow from the source. One that exceeds its budget, or is dominated by another at the same block and
   node that has used no other nodes, is pruned. Almost nothing survives both.
4. Where a threshold of a frontier makes more labels than that, budgets get finer (`trials`). Where these are too many
   too, or it is another question, the threshold is *hard*: the few labels of each (block, node) that are furthest below
   their bounds give better plans to begin with, and the backward program is run again for each set of nodes used; then
   step 3 again. Along a frontier a few slopes take the place of cells (`line_kernels`); where they let too many labels
   pass, as for other questions, each set has a row of budgets, so that only cells are relaxed.
Thresholds are independent but for the frontier they share; threads take them one by one.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, cached_property
from math import inf
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.clock import paused, seconds_left
from tiercut.memory import freed_given_back
from tiercut.optimizer import PLAIN, admits, evaluate_tables, plain_part, price, without_repeats
from tiercut.solvers.base import BaseSolver, Found
from tiercut.solvers.encoding import Layout, key_of
from tiercut.solvers.first_plan import first_plan
from tiercut.solvers.interface import Options
from tiercut.solvers.kept import Keeper
from tiercut.solvers.kernels.arguments import rules_of, shares_at, tables_of
from tiercut.solvers.labels import budget_kernels, cell_kernels, grow_kernels
from tiercut.solvers.labels.bounds import (
    BUDGET_ROOM,
    NO_LINES,
    SET_CELLS,
    Bounds,
    Thread,
    accuracies_of,
    begin_with_two,
    cells_for,
    critical_groups,
    lines_fit,
    lines_for,
    lines_serve,
    no_budgets,
    sets_of,
    slope_along,
)
from tiercut.solvers.labels.front import PointLabels
from tiercut.solvers.labels.trials import LINES_COST, Grain, Trials, grains_of
from tiercut.solvers.parallel import Ending, share_out, thread_count
from tiercut.solvers.pipelines.greatest_rate import NEAR, better_of, finds_row, greatest_rate, load_kernels
from tiercut.solvers.states import follows_of, states_of
from tiercut.solvers.task import bounded_goals
from tiercut.solvers.warm_up import Sort, tiny_tasks
from tiercut.stages import stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tiercut.optimizer import Space
    from tiercut.solvers.task import Goals, Task

    Plans = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]

__all__ = ["Labels", "load_lines"]

_CELLS, _FEW_CELLS = 256, 128  # of accuracy; the latter where labels cost less than the table of budgets
_MANY_CELLS = 1024  # where each exit has a threshold, of which there are a great many ways with few states
_FINE = 16_384  # cells by which whole plans are compared with what is known
_ROOM = 8_000_000  # labels of one threshold, about 1 GB; more end the work with what is proved so far
_LABEL_BYTES = 120  # cost, accuracy, tie, place in its line, ten columns, and a word of the groups used
_LEAST_ROOM, _FIRST_ROOM = 1 << 10, 1 << 18  # labels for which there is room at first
_MORE = 8  # how many times that there is when it is too few
_PATIENCE = 20_000  # labels of one threshold beyond which it is hard, where budgets by sets of nodes cost no more
_CELLS_A_LABEL = 10_000  # cells of such budgets that are worked out in the time of a label
_PASSES = 2  # over the thresholds that are hard for lack of known plans
_BEAM = 5  # labels of a state and node that give hard thresholds plans to begin with
_LINED_LABELS = 100_000  # labels of a hard threshold, at least, that lines may let pass
_LINED_TABLES = 4  # and in the time of how many tables of budgets, before these take their place
_EACH, _ENDLESS = 4, 1 << 62  # of so many hard thresholds one is looked ahead in; and no end of labels
_SINGLE = 1e30  # costs as large as this, or as small as its inverse, go into no budgets
_TINY = 100_000  # such steps below which the table of budgets costs more than labels do
_MUCH = 50_000_000  # from which on a search takes tens of megabytes, which its answer does not need
_SMALL = 300_000  # steps of the backward program below which threads cost more than they bring


class Labels(BaseSolver):
    """The exact frontier, the best plan, or the N best.

    Parameters
    ----------
    room
        Labels of one threshold, at most, where several measures are compared or bounded; None: what memory is for.
    """

    name = "labels"
    exact = True
    about = "grows what a bound lets pass"
    features = frozenset(
        ("frontier", "rank", "free", "per-exit", "codec", "constraints", "many", "peak", "tail", "leavers")
    )

    def __init__(self, room: int | None = None) -> None:
        self._room = room

    def _load(self, task: Task) -> None:
        if _in_one_piece(task):
            return
        if finds_row(task):
            load_kernels()
            return
        _load_kernels("plain" if _goals(task) is None else "many")

    def _search(self, task: Task, options: Options) -> Found:
        if _in_one_piece(task):
            return Found(decisions=first_plan(task))
        return _row(task, options, self._room) if finds_row(task) else _found(task, options, self._room)


def _in_one_piece(task: Task) -> bool:
    """Return whether plans are single look-ups, for which the tables of all links would be laid out in vain."""
    space = task.space
    return bool(task.costs.others) and task.kind == "solve" and space.most == 1 and space.exits == "final"


def _row(task: Task, options: Options, room: int | None) -> Found:
    """Return what a search for many machines finds, or labels where it proves too little."""
    row = greatest_rate(task, options)
    if row.reason == Ending.INTERRUPTED or (row.gap is not None and row.gap <= NEAR) or seconds_left() <= 0:
        return row
    with paused():
        _load_kernels("many")
    found = _found(task, options, room)
    return better_of(task, row, found) if found.reason and row.decisions else found


@cache
def _load_kernels(sort: Sort) -> None:
    for task in tiny_tasks(sort):
        _found(task, Options(workers=1), few=0)


@cache
def load_lines() -> None:
    """Load the kernel that hard thresholds of a frontier need besides."""
    search = _Search(tiny_tasks("plain")[0])
    plans = np.array([1.0, 2.0]), np.array([0.0, search.reach[1]]), np.zeros((2, search.layout.width), np.int64)
    search.known.offer(*plans)
    search._lined_bounds(0, search._thread())


def _found(task: Task, options: Options, room: int | None = None, **few: int) -> Found:
    goals = _goals(task)
    return _Search(task).answer(options) if goals is None else PointLabels(task, goals, room, **few).found(options)


def _goals(task: Task) -> Goals | None:
    """Return what labels of several measures compare and bound; None where cost and accuracy are all."""
    return bounded_goals(task) if task.goals is None and (task.constraints or task.costs.others) else task.goals


class _Search:
    """One search: its tables, what is known so far, and what the threads have found."""

    def __init__(self, task: Task) -> None:
        self.task, self.space = task, task.space
        space = task.space
        self.layout = Layout.of(space)
        self.states = states_of(space)
        self.front, self.by_accuracy, self.top = task.front, task.by_accuracy, task.top
        self.costs = task.costs
        self.ties = tables_of(task.ties)  # the latency, which decides among plans of equal cost
        self.future = follows_of(space)
        counts = self.front or self.by_accuracy or task.floor > -inf
        room = BUDGET_ROOM // (len(self.states.begins) * len(space.group))
        most = _MANY_CELLS if space.per_exit else _CELLS if self.steps >= _TINY else _FEW_CELLS
        self.cells = int(np.clip(room, 32, most)) if counts and space.exits != "final" else 4
        self.bounds = (task.cap, task.floor)
        jump = without_repeats(space).jump if self.front or self.top == 1 else space.jump
        self.rules, self.tables = rules_of(space)._replace(jump=jump), tables_of(task.costs)
        plain = space.codec_choices.tolist() == [PLAIN]
        self.stretches = budget_kernels.stretches_of(self.tables, self.rules, self.states, plain=plain)
        self.limited = space.most < len(set(space.group.tolist()))
        least, most_right, falls, rises = accuracies_of(space)
        self.reach = (least - falls, most_right + rises)
        self.scale = (min(-falls, 0.0), max(self.reach[1], 1e-9))  # what cells divide: labels begin with nothing
        self.divided = budget_kernels.Cells(*self.scale, least, most_right)
        self.known = self._keeper()
        self.found = self._keeper()
        self.ended: list[tuple[NDArray[Any], ...]] = []  # along a frontier, what labels of each threshold end in
        self.labels, self.room, self.memory = 0, _FIRST_ROOM, 0
        self.done = False  # whether what is known from the beginning on is the answer
        self.relaxed = sets_of(space, ())
        self.trials = Trials()
        self.grain, self.finished = 0, 0
        self.lock = Lock()

    @property
    def steps(self) -> int:
        """Pieces that the backward program looks at."""
        space = self.space
        return len(self.states.begins) * len(space.group) * len(space.accuracy) * len(space.threshold_indices)

    def _keeper(self) -> Keeper:
        return Keeper.of(self.task, self.layout)

    def answer(self, options: Options) -> Found:
        """Return the decisions that are wanted, or those known where the search is stopped."""
        self.begin()
        with freed_given_back(much=self.steps >= _MUCH):
            ending = self.run(options)
        return Found(
            decisions=self.result(finished=not ending).decisions(self.space, self.layout),
            reason=ending,
            scored=self.labels,
            memory_bytes=self.memory,
        )

    @property
    def slope(self) -> float:
        """What accuracy costs along the frontier that is known, its steep part aside; 0 for other questions."""
        return slope_along(*self.known.held[:2]) if self.front else 0.0

    def begin(self) -> None:
        """Find plans to begin with: those with one or two partitions, or the answer in the plain part of the space.

        Where no plan has more partitions, and the best are wanted, that is the answer.
        """
        simple = plain_part(self.space)
        if simple is not None:
            self._borrow(simple)
        elif begin_with_two(self.task, self.known, self.bounds) and not self.front and self.task.ties is None:
            self.done, self.labels = True, int(self.known.progress[1])

    def _borrow(self, simple: Space) -> None:
        """Answer the same task with exits at cuts, one threshold and no codecs, and price the plans here."""
        inner = _Search(self.task.within(simple))
        inner.begin()
        ending = inner.run(Options(workers=1))
        space, tables = self.space, self.task.measure
        for decision in inner.result(finished=not ending).decisions(simple, inner.layout):
            chosen = decision
            if space.per_exit and decision.threshold is not None:
                each = (decision.threshold,) * (len(decision.exits) - 1)
                chosen = replace(decision, threshold=None, thresholds=each)
            cost = evaluate_tables(space.problem, chosen, tables)
            right = price(space.problem, chosen).accuracy or 0.0
            if cost <= self.bounds[0] and right >= self.bounds[1] and admits(space, chosen):
                key = key_of(space, self.layout, chosen)[None]
                self.known.offer(np.array([cost]), np.array([right]), key)

    def run(self, options: Options) -> str:
        """Grow the labels of all thresholds, and of those that are hard once more; return why not all was done."""
        if self.done:
            self.found = self.known
            return ""
        tried: Sequence[int] = range(len(self.space.threshold_indices))
        for _ in range(_PASSES if self.front else 1):
            self.trials = Trials(tried)
            ending = self._share(self._grow, tried, options)
            hard = self.trials.hard
            if ending or not 0 < len(hard) < len(tried):
                break
            tried = hard  # once more: of those that were not hard more plans are known
        if hard and not ending:
            if self.lined:
                with paused(), stage("loading or compiling kernels", alone=True):
                    load_lines()
                ending = self._share(self._look_ahead, hard[::_EACH], options)
            if ending != Ending.INTERRUPTED:
                ending = self._share(self._grow_fully, hard, options)
        return ending

    def _share(self, work: Callable[[int, Thread], None], indices: Sequence[int], options: Options) -> str:
        """Let threads take thresholds one by one; return why not all was done, empty where it was."""
        small = self.steps * len(self.space.option_exit) < _SMALL
        threads = [self._thread() for _ in range(thread_count(options, len(indices), small=small))]
        stops = [thread.stop for thread in threads]
        for stop in stops:
            stop[0] = seconds_left() <= 0  # no time at all: what is known at the beginning is the answer

        def done() -> tuple[int, int]:
            return self.finished, len(self.space.threshold_indices)  # hard ones count when they are done

        ending = share_out(indices, work, threads, stops, options, done, small=small)
        self.memory = max(self.memory, sum(thread.most for thread in threads))
        room = f"out of room for labels ({_ROOM:,} for one threshold)"
        return room if any(stop[grow_kernels.FULL] for stop in stops) else ending

    def _thread(self) -> Thread:
        best = np.full(self.top, inf) if not self.front and not self.by_accuracy else np.empty(0)
        return Thread(best, np.zeros(3, np.int64))

    @property
    def lined(self) -> bool:
        """Whether lines bound the labels of hard thresholds: along a frontier, where sets of nodes are many."""
        serve = self.front and lines_serve(self.known.held[1], self.reach[1])
        return serve and lines_fit(self.space, len(self.states.begins))

    @cached_property
    def whole(self) -> budget_kernels.Sets:
        """All sets of groups."""
        return sets_of(self.space, sorted(set(self.space.group.tolist())))

    @cached_property
    def fully(self) -> budget_kernels.Sets:
        """The sets of groups for which there is room in a table of budgets."""
        return sets_of(self.space, critical_groups(self.space, len(self.states.begins), self.cells))

    @cached_property
    def grains(self) -> tuple[Grain, ...]:
        """With what a threshold is tried before it counts as hard, from coarse to fine."""
        if not self.front:
            return (Grain(self.relaxed, self.cells),)
        least = _PATIENCE * _CELLS_A_LABEL // self._pieces
        return grains_of(self.space, self.tables, len(self.states.begins), self.cells, least)

    @property
    def _pieces(self) -> int:
        """Pieces that the backward program of a threshold looks at, about."""
        return max(self.steps // len(self.space.threshold_indices) // 2 * len(self.space.option_exit), 1)

    def _patience(self, least: int, cells: int) -> int:
        """Labels that take as long as a backward program of so many cells a state and node, and so many at least."""
        return max(least, self._pieces * cells // _CELLS_A_LABEL)

    def _grow(self, index: int, thread: Thread) -> None:
        """Grow the labels of one threshold, and offer what is found to the others; or find out that it is hard.

        A grain that lets more labels pass than the next takes to work out gives way to it, here and from here on.
        """
        lined, last = self.lined, len(self.grains) - 1
        if lined and self.trials.is_after_hard(index):
            self.trials.note(index, hard=True)
            return
        hard = LINES_COST * len(self.whole.sizes) if lined else min(self.cells, SET_CELLS) * len(self.fully.sizes)
        full = True
        while full:
            at = self.grain
            bounds = self._bounds(index, self.grains[at], thread)
            patience = self._patience(_PATIENCE, hard if at == last else self.grains[at + 1].size)
            found = self._grown(index, thread, bounds, patience=patience)
            full = bool(thread.stop[grow_kernels.FULL]) and not thread.stop[0]
            thread.stop[grow_kernels.FULL] = 0  # also of one that is stopped: it ran out of patience, not of room
            if full:
                self._know(*(found if lined or at < last else self._grown(index, thread, bounds, beam=_BEAM)))
                if at == last:
                    break
                self.grain = max(self.grain, at + 1)
        if not full:
            self._take(found, thread)
        self.trials.note(index, hard=full)

    def _look_ahead(self, index: int, thread: Thread) -> None:
        """Grow few labels of a hard threshold, for plans to begin with."""
        bounds = self._lined_bounds(index, thread)
        if bounds is not None:
            self._know(*self._grown(index, thread, bounds, beam=_BEAM))

    def _grow_fully(self, index: int, thread: Thread) -> None:
        """Grow the labels of a hard threshold."""
        bounds = self._lined_bounds(index, thread) if self.lined else None
        if bounds is not None:
            patience = self._patience(_LINED_LABELS, _LINED_TABLES * SET_CELLS * len(self.fully.sizes))
            found = self._grown(index, thread, bounds, patience=patience)
            done = not thread.stop[grow_kernels.FULL] or thread.stop[0]
            thread.stop[grow_kernels.FULL] = 0
            if done:
                self._take(found, thread)
                return
            self._know(*found)
        cells = cells_for(self.space, len(self.states.begins), len(self.fully.sizes), self.cells)
        self._take(self._grown(index, thread, self._bounds(index, Grain(self.fully, cells), thread)), thread)

    def _bounds(self, index: int, grain: Grain, thread: Thread) -> Bounds:
        """Return what labels of a threshold may cost, by the groups they have used that are told apart."""
        sets, cells = grain
        slope, allowed, allowed_ends, cap = self._allowed(cells)
        most = cell_kernels.most_finite(allowed)
        if most > _SINGLE or 0 < most < 1 / _SINGLE:  # budgets in single precision would prune what they must not
            slope, allowed = 0.0, np.full_like(allowed, inf)
        shares = shares_at(self.space, index)
        weight = self.costs.weigh(shares.stay)
        given = (self.divided, self.rules, self.tables, self.stretches, shares, weight, self.states, sets)
        filled = budget_kernels.Budgets(*budget_kernels.budgets(allowed, slope, *given, thread.stop))
        return Bounds(slope, allowed_ends, cap, shares, weight, sets, filled, NO_LINES)

    def _lined_bounds(self, index: int, thread: Thread) -> Bounds | None:
        """Return the same by lines, for all sets of groups; None where some plan of interest may cost anything."""
        _, _, allowed_ends, cap = self._allowed(1)
        with self.lock:
            costs, rights = (each.copy() for each in self.known.held[:2])
        if not lines_serve(rights, self.reach[1]) or not 1 / _SINGLE < costs[-1] < _SINGLE:
            return None
        shares = shares_at(self.space, index)
        weight = self.costs.weigh(shares.stay)
        given = (self.rules, self.tables, shares, weight, self.states, self.whole, thread.stop)
        lines = lines_for(costs, rights, self.scale[1], given)
        near = np.ones((len(self.space.group), len(self.states.begins), self.stretches.back.shape[1]), bool)
        return Bounds(0.0, allowed_ends, cap, shares, weight, self.whole, no_budgets(near), lines)

    def _grown(self, index: int, thread: Thread, bounds: Bounds, *, patience: int = _ENDLESS, beam: int = 0) -> Plans:
        """Return the plans that labels of one threshold end in; not all for a beam, nor where the stop says `FULL`."""
        best, stop, before = thread.best, thread.stop, thread.best.copy()
        keep = 1 if self.front else self.top
        while True:
            room = min(self.room, max(patience, _LEAST_ROOM))
            limits = grow_kernels.Limits(
                self.limited, self.future, bounds.slope, *self.scale, bounds.allowed_ends.copy(), *self.bounds, keep,
                bounds.cap, beam,
            )  # fmt: skip
            found, rights, keys, count = grow_kernels.grow_labels(
                index, self.layout.places, self.layout.width, self.rules, self.tables, self.ties, bounds.shares,
                bounds.weight, self.states, bounds.sets, bounds.budgets, bounds.lines, limits, best, room, patience,
                stop,
            )  # fmt: skip
            full = bool(stop[grow_kernels.FULL])
            if full or beam:
                best[:] = before  # what is found again must not count twice
            if not full or room == _ROOM or patience < _ENDLESS or stop[0]:
                break
            # Once more from the beginning, with more room.
            stop[grow_kernels.FULL] = 0
            self.room = min(_MORE * room, _ROOM)
        with self.lock:
            self.labels += int(stop[1])
        thread.most = max(thread.most, bounds.bytes + _LABEL_BYTES * int(min(stop[1], room)))
        return found[:count], rights[:count], keys[:count]

    def _take(self, plans: Plans, thread: Thread) -> None:
        """Take over the plans of a threshold that is done, or has no room to be."""
        if thread.stop[grow_kernels.FULL]:
            thread.stop[0] = 1
        with self.lock:
            self.finished += 1
            (self.known if self.front else self.found).offer(*plans)
            if self.front:
                self.ended.append(tuple(each.copy() for each in plans))  # they are the beginnings of long arrays

    def _know(self, *plans: Any) -> None:
        """Begin with these plans too, each once."""
        with self.lock:
            if self.front:
                self.known.offer(*plans)
                return
            fresh, more = self._keeper(), self._keeper()
            more.offer(*plans)
            fresh.merge_once((self.known, more), but_tie=True)
            self.known = fresh

    def _allowed(self, cells: int) -> tuple[float, NDArray[np.float64], NDArray[np.float64], float]:
        """Return the slope, what plans may cost by accuracy, less that slope and as it is, and the N-th best cost."""
        (cap, floor), none = self.bounds, np.empty(0)
        with self.lock:
            known, slope = self.known, self.slope
            count, full = known.count, known.count == self.top
            costs, rights = known.costs[:count].copy(), known.accuracies[:count].copy()
        best = inf
        if self.front:
            floor = max(floor, self.reach[0] - 1e-12)
        else:
            if self.by_accuracy:
                floor = max(floor, rights[-1] - 1e-15) if full else floor
            else:
                best = cap = min(cap, costs[-1]) if full else cap
            costs, rights, count = none, none, 0

        def allowances(slope: float, cells: int) -> NDArray[np.float64]:
            known = (costs, rights, count, cap, floor, self.reach[1])
            return cell_kernels.allowances(*known, slope, self.scale[0], self.scale[1], cells)

        return slope, allowances(slope, cells), allowances(0.0, _FINE), best

    def result(self, *, finished: bool) -> Keeper:
        """Return the plans found; those of the beginning count too where the search did not come to its end."""
        if self.ended:  # at once: one threshold after the other would move all that was found before
            self.found.offer(*(np.concatenate(each) for each in zip(*self.ended, strict=True)))
            self.ended.clear()
        if finished:
            return self.found
        fresh = self._keeper()
        fresh.merge_once((self.found, self.known), but_tie=True)
        return fresh
