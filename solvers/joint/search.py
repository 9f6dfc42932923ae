"""Column generation for streams that share the machines, and the whole choice among what it finds.

1. Each stream's best plan by itself; where all go together, that is the answer.
2. The relaxed choice among the plans that are known (`master`) says what each limit is worth, and the labels then find
   plans that are better at that price (`columns`), until nothing better comes. Where known plans do not go together,
   limits may be exceeded at a penalty until they do; where none that do are found, the least factor of all limits says
   whether there are any. What plans cost at any prices bounds all joint plans from below (Lagrange), which proves how
   good the choice is. Prices are taken between the best known and the newest ones (Pessoa et al., Automation and
   Combination of Linear-Programming Based Stabilization Techniques in Column Generation, 2018, section 2).
3. A whole choice among the plans that were found.
4. Where value and bound differ, the joint plans are split in two by what a stream's plans may take of a limit
   (`branches`), and both parts are looked through likewise, those with the least bound first. What ends before that is
   proved says how far value and bound are apart.
"""

from __future__ import annotations

import time
from dataclasses import replace
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tiercut.clock import paused, seconds_left, time_limit
from tiercut.optimizer import SLACK
from tiercut.solvers.joint.branches import Branch, split
from tiercut.solvers.joint.columns import Multipliers, Pricers
from tiercut.solvers.joint.master import Choice, Master, choose_whole, goal_value, undominated
from tiercut.solvers.joint.task import JointOutcome, Shortage
from tiercut.stages import stage as at_stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.optimizer import Decision
    from tiercut.solvers.interface import Options, Status
    from tiercut.solvers.joint.columns import Column
    from tiercut.solvers.joint.master import Stage
    from tiercut.solvers.joint.task import Floats, JointTask

__all__ = ["solve_jointly"]

_SAME = 1e-9  # value and bound that differ by this share are one
_CLOSE = 1e-7  # relaxed value and bound at which prices are no longer improved
_PROVED = 1e-4  # and where it is proved that limits cannot be kept
_TOO_MUCH = 0.2  # and where limits are still exceeded, to ask whether they have to be
_STAY = 0.5  # how far prices stay at the best known ones
_ROUGH = 0.02  # by which share prices may be off at first
_FINER = 0.1  # and of the gap, later
_LITTLE = 1e-10  # what a latency is left above or below another
_NEAR = 0.02  # by which share a cap may be above one that is too low to be tried itself
_BETTER = 1e-10  # by which share a plan must be cheaper to count as better
_BORROWED = 2  # plans of the pool that a stream takes at a time
_DEAR = 10.0  # penalty of a limit that is exceeded once, in what the goal is at least
_PRICED = 5000  # plans of streams, after which the gap that is left is what is said
_LISTED = 2000  # plans of a stream that are all listed where the first part leaves a gap
_FEW = 400  # plans among which a whole choice is made for every part, else for each so many of them
_SELDOM = 10
_LEAST_S = 2.0  # seconds that a whole choice is given in any case
_LOADED_S = 0.01  # of a search whose kernels are to be loaded
_MOST_FAILED = 4  # times in one part that the relaxed choice is not solved: once loosened and filled it can be
_FAILED = "the relaxed choice could not be solved"
_UP = "the time was up"
_UNPROVED = "the best plan of a source could not be proved"
_CLOSED = "a choice within tolerances could not be taken as it is"


def solve_jointly(task: JointTask, options: Options) -> JointOutcome:
    """Return a plan for each stream.

    Parameters
    ----------
    task
        What is asked.
    options
        Threads, and the time limit that `tiercut.clock` counts.

    Returns
    -------
    JointOutcome
        ``optimal`` where it is proved to be the best; ``feasible`` with the gap that is left; ``infeasible`` where it
        is proved that there is none; ``stopped`` where none was found.

    Raises
    ------
    QuestionError
        If no solver answers the question of one stream.
    """
    with paused():
        search = _Search(task, options)
    began, interrupted = time.perf_counter(), False
    try:
        with paused():
            search.load()
        began = time.perf_counter()
        search.run()
    except KeyboardInterrupt:
        interrupted, search.reason = True, "interrupted before the end"
    return search.outcome(time.perf_counter() - began, interrupted=interrupted)


class _Relaxed(NamedTuple):
    """What comes of a relaxed choice: a bound on the joint plans in a part of them (inf: there are none)."""

    bound: float
    master: Master

    @property
    def mixed(self) -> tuple[list[list[tuple[Column, float]]], Floats]:
        """As `Master.mixed`."""
        return self.master.mixed


class _Search:
    """One search, and the best choice that is known."""

    def __init__(self, task: JointTask, options: Options) -> None:
        self.task, self.options, self.goal = task, options, task.goal
        self.pricers = Pricers(task, options)
        weights = np.array([stream.weight for stream in task.streams])
        self.weights: Floats = weights / weights.sum()
        self.limits = len(task.rows)
        self.best = Choice((), inf, proved=False)
        self.start = 0.0  # the goal if streams did not share anything
        self.bound = -inf
        self.closed = inf  # least bound of parts that could be neither split nor taken whole
        self.prices = np.zeros(self.limits)  # at which the last bound was had
        self.shortage: Shortage | None = None
        self.factor = 1.0  # of all limits, below which no streams go together
        self.rounds, self.reason, self.chosen_of = 0, "", 0

    def load(self) -> None:
        """Load OR-tools, and the kernels that price plans."""
        Master("short", self.weights, self.limits)
        with time_limit(_LOADED_S):
            self.pricers.each[0].cheapest(1.0, np.zeros(self.limits))
            if self.goal == "worst":
                self.pricers.each[0].cheapest(0.0, np.ones(self.limits), cap=0.0)

    def run(self) -> None:
        """Go through the steps until nothing is left to be done, or the time is up."""
        with at_stage("best plans of sources by themselves"):
            if self._start():
                return
        whole = Branch(self.bound)
        self._branch(whole)
        if self.best.picked:
            self._quicken()
        elif self.bound == inf:
            self._say_short(self.factor)

    def _start(self) -> bool:
        """Take each stream's best plan by itself, which no joint plan beats; return whether that is all."""
        alone = self.pricers.alone()
        if any(each.status not in ("optimal", "infeasible") for each in alone):
            self.reason = self._unproved
            return True
        picked = tuple(
            pricer.column(own.decisions[0]) if own.decisions else None
            for pricer, own in zip(self.pricers.each, alone, strict=True)
        )
        names = tuple(stream.name for stream, column in zip(self.task.streams, picked, strict=True) if column is None)
        if names and (self.goal != "served" or len(names) == len(picked)):
            self.shortage, self.bound = Shortage(names), inf
            return True
        self.bound = self.start = goal_value(self.goal, self.weights, picked)
        loads = sum((each.loads for each in picked if each is not None), np.zeros(self.limits))
        if not (loads <= 1.0 + SLACK).all():
            return False
        self.best = Choice(picked, self.bound, proved=True)
        return True

    def _branch(self, whole: Branch) -> None:
        """Look through the joint plans part by part, those with the least bound first, until nothing better is left."""
        waiting, taken = [(whole.bound, 0, whole)], 0
        with at_stage("pricing plans by what they take of shared machines"):
            while waiting and not self.reason:
                _, _, branch = heappop(waiting)
                if not self._is_better(branch.bound):
                    continue
                found = self._least_worst(branch) if self.goal == "worst" else self._generate(self.goal, branch)
                bound = max(branch.bound, found.bound)
                if bound < inf:
                    self._choose(bound, often=taken % _SELDOM == 0 or bool(self.reason))
                if branch is whole and self._try_all(bound):
                    return
                parts = split(replace(branch, bound=bound), *found.mixed, self.prices) if bound < inf else ()
                if not parts and not self.reason and bound < inf:
                    self._adopt(found)
                    if self._is_better(bound):
                        self.closed = min(self.closed, bound)
                if self.reason or (parts and not self._is_better(bound)):
                    parts = (replace(branch, bound=bound),) if self.reason else ()
                for part in parts:
                    taken += 1
                    heappush(waiting, (part.bound, taken, part))
                self.bound = max(self.bound, min((self.closed, *(each[0] for each in waiting))))
                if waiting and self._priced_enough():
                    self._choose(self.bound, often=True)
        if not waiting and not self.reason:
            self.bound = self.best.value  # inf: there is no joint plan
            if self._is_better(self.closed):
                self.reason = _CLOSED
        self.bound = min(self.bound, self.best.value, self.closed)

    def _try_all(self, bound: float) -> bool:
        """Choose among all plans of all streams, where these are few; return whether that is proved to be the best."""
        if bound == inf or self.reason or not self._is_better(bound):
            return False
        if not all(pricer.list_all(_LISTED) for pricer in self.pricers.each):
            return False
        every = [undominated(list(pricer.columns.values())) for pricer in self.pricers.each]
        found = choose_whole(self.goal, self.weights, every, self.limits, self._for_choice, bound)
        if found.picked and found.value < self.best.value:
            self.best = found
        if found.proved:
            self.bound = self.best.value
        return found.proved

    def _adopt(self, found: _Relaxed) -> None:
        """Take a relaxed choice that is a whole one."""
        shares, left = found.mixed
        if any(not own and gone <= 0.5 for own, gone in zip(shares, left, strict=True)):
            return
        picked = tuple(
            None if gone > 0.5 else max(own, key=lambda each: each[1])[0]
            for own, gone in zip(shares, left, strict=True)
        )
        loads = sum((each.loads for each in picked if each is not None), np.zeros(self.limits))
        value = goal_value(self.goal, self.weights, picked)
        if (loads <= 1.0 + SLACK).all() and value < self.best.value:
            self.best = Choice(picked, value, proved=False)

    @property
    def _unproved(self) -> str:
        """Why a price is not proved."""
        return _UP if seconds_left() <= 0 else _UNPROVED

    def _priced_enough(self) -> bool:
        """Return whether so many plans were priced that it ends, which is then the reason."""
        if self.pricers.looked <= _PRICED:
            return False
        self.reason = f"{_PRICED:,} plans were priced"
        return True

    def _is_better(self, bound: float) -> bool:
        """Return whether there may be a better choice above a bound."""
        return bound < inf and (not self.best.picked or self.best.value - bound > _SAME * abs(self.best.value))

    def _least_worst(self, branch: Branch) -> _Relaxed:
        """Find the least latency within which all streams of a part have plans that go together, by halving.

        Mixes of plans hide slow ones, so the relaxed choice by the worst latency says little. Instead no plan is
        slower than a cap, and the least cap that leaves a relaxed choice is looked for: some plan's own latency.
        """
        low, high, best = branch.bound, self.best.value, None
        cap = low * (1 + _LITTLE)
        while True:
            found = self._generate("mean", replace(branch, cap=cap), first=True)
            if self.reason or (found.bound < inf and found.master.exceeds):
                return _Relaxed(low, best or found.master)
            if found.bound == inf:
                if cap >= high * (1 - _LITTLE):  # nothing is better than what is known, or than this mix
                    return _Relaxed(inf if best is None else high, best or found.master)
                low = cap
            else:
                best, high = found.master, min(high, found.master.latest)
                if high <= low * (1 + _LITTLE):
                    return _Relaxed(low, best)
            if self._priced_enough():
                return _Relaxed(low, best or found.master)
            far = best is not None and high > (1 + _NEAR) * low
            cap = 0.5 * (low + high) if far else high * (1 - _LITTLE)

    def _generate(self, stage: Stage, branch: Branch, *, first: bool = False) -> _Relaxed:  # noqa: PLR0911, PLR0912, PLR0915 one loop, many ends
        """Find the plans that a relaxed choice in a part of the joint plans needs; or those of the first there is."""
        optional = np.array([self.goal == "served" and each not in branch.served for each in range(len(self.weights))])
        optional |= np.array([not branch.served.get(each, True) for each in range(len(self.weights))])
        master = Master(stage, self.weights, self.limits, optional)
        self._seed(master, branch)
        bound, centre, failed = -inf, None, 0
        within = 0.0 if branch.rules or branch.served else _ROUGH  # parts begin with what the whole has found
        if stage == "short" and self.prices.sum() > 0:
            # Where limits alone count, and few of them, many plans cost nothing: slow to tell apart.
            centre = Multipliers(np.zeros(len(self.weights)), self.prices / self.prices.sum())
        while True:
            value, newest, own = master.solve()
            if value == inf:
                failed += 1
                if failed > _MOST_FAILED:
                    self.reason = _FAILED
                    return _Relaxed(bound, master)
                if stage != "short" and not master.over:
                    master.loosen(self._penalty)
                elif master.over and not master.penalty:
                    return _Relaxed(bound, master)
                elif not self._fill(master, branch):
                    return _Relaxed(bound if self.reason else inf, master)
                continue
            if value <= 1.0 + SLACK if stage == "short" else first and not master.exceeds:
                return _Relaxed(bound, master)
            if self._borrow(master, branch, newest, own):
                continue
            close = 0.5 * _SAME * abs(value)
            if stage == "short":
                close = _PROVED * value if bound > 1.0 + SLACK else max(_CLOSE * abs(value), SLACK)
                if first and bound > 1.0 + SLACK:
                    return _Relaxed(bound, master)
            elif master.exceeds:
                close = _TOO_MUCH * abs(value)
            if value - bound > close:
                if seconds_left() <= self._reserve:
                    self.reason = _UP
                    return _Relaxed(bound, master)
                at = newest if centre is None else newest.towards(centre, _STAY)
                found = self.pricers.cheapest(at, branch, within)
                self.rounds += 1
                if not all(each.proved for each in found):
                    self.reason = self._unproved
                    return _Relaxed(bound, master)
                least = master.least(np.array([each.value for each in found]))
                if (new := float(least.sum() - master.allowed(at))) > bound:
                    bound, centre, self.prices = new, at, at.limits
                columns = [[] if each.decision is None else [each.decision] for each in found]
                within = min(within, _FINER * (value - bound) / abs(value)) if bound > 0 else within
                if self._add(master, branch, columns, newest, own):
                    continue
                if at is not newest or within:
                    # Prices between the two, or rough ones, said nothing new: the newest themselves are next.
                    centre, within = None, 0.0 if at is newest else within
                    continue
            if stage == "mean" and bound > branch.cap * (1 + _SAME):  # as if a mean were above the greatest of all
                return _Relaxed(inf, master)
            if not master.exceeds or not (first or self._is_better(bound)):
                return _Relaxed(bound, master)
            if self._short(branch, first=first):
                return _Relaxed(inf, master)
            if not self._seed(master, branch):  # nothing new came of it: it ended early
                return _Relaxed(bound, master)
            master.loosen(0.0)

    @property
    def _penalty(self) -> float:
        """What it costs to exceed a limit once, in units of the goal."""
        return _DEAR * (self.start if self.start > 0 else 1.0)

    def _short(self, branch: Branch, *, first: bool) -> bool:
        """Return whether limits cannot be kept together in a part of the joint plans, not even by mixing plans."""
        with at_stage("looking for plans that go together"):
            factor = self._generate("short", branch, first=first and branch.cap < inf).bound
        if not branch.rules and not branch.served and branch.cap == inf:
            self.factor = factor
        return factor > 1.0 + SLACK

    def _seed(self, master: Master, branch: Branch) -> bool:
        """Take all plans into account that are known; return whether any is new."""
        new = [
            master.add(place, column)
            for place, pricer in enumerate(self.pricers.each)
            for column in pricer.columns.values()
            if branch.admits(place, column)
        ]
        return any(new)

    def _fill(self, master: Master, branch: Branch) -> bool:
        """Give every stream a plan at least; return whether each that needs one has one."""
        found = self.pricers.cheapest(Multipliers(self.weights, np.zeros(self.limits)), branch)
        if not all(each.proved for each in found):
            self.reason = self._unproved
            return False
        for place, each in enumerate(found):
            if each.decision is not None:
                column = self.pricers.each[place].column(each.decision)
                if not master.add(place, column) and not master.optional[place]:
                    continue
            elif not master.optional[place]:
                return False
        return True

    def _add(
        self, master: Master, branch: Branch, found: Sequence[Sequence[Decision]], at: Multipliers, own: Floats
    ) -> bool:
        """Take plans into account; return whether any is better at some multipliers than what there was."""
        better = False
        for place, (pricer, decisions) in enumerate(zip(self.pricers.each, found, strict=True)):
            for column in map(pricer.column, decisions):
                cheaper = at.cost(place, column.latency_s, column.loads) < _below(own[place])
                better |= branch.admits(place, column) and master.add(place, column) and cheaper
        return better

    def _borrow(self, master: Master, branch: Branch, at: Multipliers, own: Floats) -> bool:
        """Take plans that other streams found where they are better for one; return whether there are any."""
        found = [
            pricer.borrowed(float(at.latency[place]), at.limits, _below(own[place]), _BORROWED, branch.cap)
            for place, pricer in enumerate(self.pricers.each)
        ]
        return self._add(master, branch, [[column.decision for column in each] for each in found], at, own)

    @property
    def _reserve(self) -> float:
        """Seconds that are kept for the whole choice."""
        limit = self.options.time_limit_s
        return 0.0 if limit is None else min(0.25 * limit, 8.0)

    @property
    def _apart(self) -> float:
        """By how much value and bound differ; 0 where it is nothing."""
        return self.best.value - self.bound if self._is_better(self.bound) else 0.0

    def _choose(self, bound: float, *, often: bool) -> None:
        """Choose among all plans that were found, where there are new ones, now and then where there are many."""
        count = sum(len(pricer.columns) for pricer in self.pricers.each)
        if count == self.chosen_of or not (often or count <= _FEW):
            return
        latest = self.best.value if self.goal == "worst" else inf  # a later one is of no use
        self.chosen_of = count
        every = [
            undominated([column for column in pricer.columns.values() if column.latency_s <= latest])
            for pricer in self.pricers.each
        ]
        with at_stage("choosing a plan for each source"):
            found = choose_whole(self.goal, self.weights, every, self.limits, self._for_choice, bound)
        if found.picked and found.value < self.best.value:
            self.best = found

    @property
    def _for_choice(self) -> float:
        """Seconds that a whole choice may take."""
        return max(seconds_left(), _LEAST_S)

    def _quicken(self) -> None:
        """Of plans that come to the same by the worst latency, or by who is served, take the quickest on the mean."""
        if self.goal == "mean":
            return
        most = self.best.value if self.goal == "worst" else inf
        served = [place for place, column in enumerate(self.best.picked) if column is not None]
        among = [
            undominated([column for column in self.pricers.each[place].columns.values() if column.latency_s <= most])
            for place in served
        ]
        found = choose_whole("mean", self.weights[served], among, self.limits, self._for_choice)
        if found.picked:
            by_place = dict(zip(served, found.picked, strict=True))
            picked = tuple(map(by_place.get, range(len(self.best.picked))))
            value = min(self.best.value, goal_value(self.goal, self.weights, picked))
            self.best = replace(self.best, picked=picked, value=value)

    def _say_short(self, factor: float) -> None:
        """Say which limits cannot be kept together, and with how much more there is a joint plan."""
        every = [undominated(list(pricer.columns.values())) for pricer in self.pricers.each]
        found = choose_whole("short", self.weights, every, self.limits, self._for_choice)
        order = np.argsort(-self.prices, kind="stable")
        tight = [int(at) for at in order if self.prices[at] > _SAME]
        loads = sum((column.loads for column in found.picked if column is not None), np.zeros(self.limits))
        if not tight and found.picked:
            tight = [int(np.argmax(loads))]
        places = tuple(self.task.rows[at] for at in tight)
        by_rates = bool((loads[len(self.task.limits) :] <= 1.0 + SLACK).all())
        self.bound = inf
        self.shortage = Shortage((), factor, found.value if found.picked else None, places, by_rates)

    def outcome(self, seconds: float, *, interrupted: bool) -> JointOutcome:
        """Return what was found."""
        picked = self.best.picked
        status: Status
        if interrupted:
            status = "interrupted"
        elif picked:
            status = "feasible" if self._apart else "optimal"
        else:
            status = "infeasible" if self.bound == inf else "stopped"
        value, bound = self.best.value, min(self.bound, self.best.value) if picked else self.bound
        if self.goal == "served":
            total = float(sum(stream.weight for stream in self.task.streams))
            value, bound = (total * (1.0 - each) for each in (value, bound))
        return JointOutcome(
            status=status,
            decisions=tuple(None if column is None else column.decision for column in picked),
            value=value,
            bound=bound if self._apart or not picked else value,
            seconds=seconds,
            columns=sum(len(pricer.columns) for pricer in self.pricers.each),
            rounds=self.rounds,
            shortage=self.shortage,
            reason=self.reason,
        )


def _below(least: float) -> float:
    """Return what a plan must cost less than to be better than one that costs so much."""
    return float(least - _BETTER * max(abs(least), 1e-3))
