"""Column generation for streams that share the machines, and the whole choice among what it finds.

1. Each stream's best plan by itself; where all go together, that is the answer.
2. The relaxed choice among the plans that are known (`master`) says what each limit is worth, and the labels then find
   plans that are better at that price (`columns`), until nothing better comes. Where known plans do not go together,
   limits may be exceeded at a penalty until they do; where none that do are found, the least factor of all limits says
   whether there are any. What plans cost at any prices bounds all joint plans from below (Lagrange), which proves how
   good the choice is. Prices are taken between the best known and the newest ones (Pessoa et al., Automation and
   Combination of Linear-Programming Based Stabilization Techniques in Column Generation, 2018, section 2).
3. A whole choice among the plans that were found. In long networks these are first joined by plans that take a little
   less of the limits than the relaxed choice, and by those that others of the same network found; a first choice is
   made by exchanges (`swapping`). Both are heuristics, as diving is, of restricted masters (Sadykov et al., Primal
   Heuristics for Branch and Price: The Assets of Diving Methods, INFORMS Journal on Computing 31, 2019), and prove
   nothing.
4. Where value and bound differ, the joint plans are split in two by what a stream's plans may take of a limit
   (`branches`), and both parts are looked through likewise, those with the least bound first. What ends before that is
   proved says how far value and bound are apart.
"""

from __future__ import annotations

import time
from dataclasses import replace
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from tiercut.clock import paused, seconds_left, time_limit
from tiercut.optimizer import SLACK
from tiercut.solvers.exhaustive.uncompiled import leave_to_kernels
from tiercut.solvers.joint.branches import Branch, split
from tiercut.solvers.joint.generating import Generation, Relaxed
from tiercut.solvers.joint.master import Choice, Master, choose_whole, goal_value, undominated
from tiercut.solvers.joint.swapping import exchanged
from tiercut.solvers.joint.task import JointOutcome, Shortage
from tiercut.stages import stage as at_stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiercut.solvers.interface import Options, Status
    from tiercut.solvers.joint.columns import Column, Pricers
    from tiercut.solvers.joint.task import JointTask

__all__ = ["solve_jointly"]

_SAME = 1e-9  # value and bound that differ by this share are one
_LITTLE = 1e-10  # what a latency is left above or below another
_NEAR = 0.02  # by which share a cap may be above one that is too low to be tried itself
_PRICED = 5000  # plans of streams, after which the gap that is left is what is said
_LISTED = 2000  # plans of a stream that are all listed where the first part leaves a gap
_FEW = 400  # plans among which a whole choice is made for every part, else for each so many of them
_SELDOM = 10
_EARLY, _LONG_S = 0.1, 60.0  # share of the time for a first choice, and the time where it is longer
_BEGUN = 0.2  # share of the time in which plans are found to begin with, and again in which these are made to fit
_CHEAP = (0.1, 0.2, 0.3, 0.5)  # of the gap: how much dearer than the best plans may be that are first chosen among
_LEAST_S = 2.0  # seconds that a whole choice is given in any case
_LOADED_S = 0.01  # of a search whose kernels are to be loaded
_PENALTIES = (5.0, 7.0, 10.0, 16.0, 25.0, 40.0, 100.0, 1000.0)  # of limits exceeded once, in relaxed values
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


class _Search(Generation):
    """One search, and the best choice that is known."""

    def __init__(self, task: JointTask, options: Options) -> None:
        super().__init__(task, options)
        self.bound = -inf
        self.closed = inf  # least bound of parts that could be neither split nor taken whole
        self.shortage: Shortage | None = None
        self.chosen_of = 0

    def load(self) -> None:
        """Load OR-tools, and the kernels that price plans: many are priced, so NumPy is not asked first."""
        leave_to_kernels()
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
        if self.goal in ("mean", "served") and (rough := self.pricers.rough) is not None:
            with at_stage("pricing plans with a few cuts and thresholds"):
                self._begin(whole, rough)
                self.until = 0.0
        self._branch(whole)
        if self.best.picked:
            self._quicken()
        else:
            self._say_short(self.factor)

    def _begin(self, whole: Branch, rough: Pricers) -> None:
        """Find plans to begin with, and a first choice among them."""
        self.coarse = True
        limit = seconds_left() if seconds_left() < inf else 0.0
        self.until = (1.0 - _BEGUN) * limit
        assert self.goal in ("mean", "served")
        master = self._nearer(self.goal, whole, self._warm(self.goal, whole, rough))
        self.until = (1.0 - 2.0 * _BEGUN) * limit
        if self.goal == "mean" and master.exceeds:
            short = self._nearer("short", whole, self._master("short", whole))
            self.expected = short.solve()[0]
            if self.expected > 1.0:
                return
            master = self._nearer(self.goal, whole, self._master(self.goal, whole))
        self._whole_ones(whole, master)
        self._choose(self.bound, often=True, seconds=_EARLY * min(seconds_left(), _LONG_S))

    def _whole_ones(self, whole: Branch, master: Master) -> None:
        """Find plans for whole choices close to a relaxed one, and a first of these.

        It takes the plan of each stream that the relaxed one takes most of, and exchanges plans.
        """
        if not self._is_better(self.bound):
            return
        self._leave_room(whole, master)
        if self.goal != "mean" or not all(master.mixed[0]):
            return
        shares = [sorted(own, key=lambda each: -each[1]) for own in master.mixed[0]]
        every = [
            [own[0][0], *undominated(list(pricer.columns.values()))]
            for own, pricer in zip(shares, self.pricers.each, strict=True)
        ]
        value = master.solve()[0]
        picked = [0] * len(every)
        for times in _PENALTIES:
            picked = exchanged(self.weights, every, picked, times * value, _LEAST_S)
        columns = tuple(own[at] for own, at in zip(every, picked, strict=True))
        loads = sum((each.loads for each in columns), np.zeros(self.limits))
        value = goal_value(self.goal, self.weights, columns)
        if (loads <= 1.0 + SLACK).all() and value < self.best.value:
            self.best = Choice(columns, value, proved=False)

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
                coarse = self.coarse
                if coarse and bound < inf:
                    self._whole_ones(whole, found.master)
                self.coarse = False
                if bound < inf:
                    often = taken % _SELDOM == 0 or bool(self.reason)
                    self._choose(bound, often=often, cheap=found.master if coarse else None)
                if branch is whole and self._try_all(bound):
                    return
                for part in self._parts(replace(branch, bound=bound), found, coarse=coarse):
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

    def _parts(self, branch: Branch, found: Relaxed, *, coarse: bool) -> tuple[Branch, ...]:
        """Return what is to be looked through of a part whose relaxed choice was found."""
        if self.reason:
            return (branch,)
        if branch.bound == inf:
            return ()
        parts = split(branch, *found.mixed, self.prices, len(self.task.limits))
        if not parts:
            self._adopt(found)
            if coarse:
                return (branch,)  # once more, with exact prices
            if self._is_better(branch.bound):
                self.closed = min(self.closed, branch.bound)
        return parts if self._is_better(branch.bound) else ()

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

    def _priced_enough(self) -> bool:
        """Return whether so many plans were priced that it ends, which is then the reason."""
        if self.pricers.looked <= _PRICED:
            return False
        self.reason = f"{_PRICED:,} plans were priced"
        return True

    def _least_worst(self, branch: Branch) -> Relaxed:
        """Find the least latency within which all streams of a part have plans that go together, by halving.

        Mixes of plans hide slow ones, so the relaxed choice by the worst latency says little. Instead no plan is
        slower than a cap, and the least cap that leaves a relaxed choice is looked for: some plan's own latency.
        """
        low, high, best = branch.bound, self.best.value, None
        cap = low * (1 + _LITTLE)
        while True:
            found = self._generate("mean", replace(branch, cap=cap), first=True)
            if self.reason or (found.bound < inf and found.master.exceeds):
                return Relaxed(low, best or found.master)
            if found.bound == inf:
                if cap >= high * (1 - _LITTLE):  # nothing is better than what is known, or than this mix
                    return Relaxed(inf if best is None else high, best or found.master)
                low = cap
            else:
                best, high = found.master, min(high, found.master.latest)
                if high <= low * (1 + _LITTLE):
                    return Relaxed(low, best)
            if self._priced_enough():
                return Relaxed(low, best or found.master)
            far = best is not None and high > (1 + _NEAR) * low
            cap = 0.5 * (low + high) if far else high * (1 - _LITTLE)

    @property
    def _apart(self) -> float:
        """By how much value and bound differ; 0 where it is nothing."""
        return self.best.value - self.bound if self._is_better(self.bound) else 0.0

    def _choose(self, bound: float, *, often: bool, seconds: float = inf, cheap: Master | None = None) -> None:
        """Choose among all plans that were found, where there are new ones, now and then where there are many.

        With a relaxed choice, first among those that cost little more than its own at its prices.
        """
        count = sum(len(pricer.columns) for pricer in self.pricers.each)
        if count == self.chosen_of or not (often or count <= _FEW):
            return
        latest = self.best.value if self.goal == "worst" else inf  # a later one is of no use
        every = [
            undominated([column for column in pricer.columns.values() if column.latency_s <= latest])
            for pricer in self.pricers.each
        ]
        known = cheap if self.goal == "mean" and self.best.picked else None
        few = () if known is None else self._cheap(known, every)
        with at_stage("choosing a plan for each source"):
            for among in (*few, every):
                found = choose_whole(self.goal, self.weights, among, self.limits, min(self._for_choice, seconds), bound)
                if among is every:
                    self.chosen_of = count
                if found.picked and found.value < self.best.value:
                    self.best = found
                    break
                if seconds_left() <= 0:  # one choice beyond it is enough
                    break

    def _cheap(self, relaxed: Master, every: list[list[Column]]) -> Iterator[list[list[Column]]]:
        """Yield the plans that cost little more than those of a relaxed choice at its prices, then more of them."""
        value, at, own = relaxed.solve()
        for share in _CHEAP:
            most = own + share * max(self.best.value - value, 0.0)
            yield [
                [each for each in columns if at.cost(place, each.latency_s, each.loads) <= most[place]]
                for place, columns in enumerate(every)
            ]

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
        """Say which limits cannot be kept together, and what comes nearest: more of them, or fewer streams.

        Where it is not proved that there is no joint plan, the nearest may be one.
        """
        every = [undominated(list(pricer.columns.values())) for pricer in self.pricers.each]
        found = choose_whole("short", self.weights, every, self.limits, max(0.5 * self._for_choice, _LEAST_S))
        if found.picked and found.value <= 1.0 + SLACK and self.bound < inf:
            value = goal_value(self.goal, self.weights, found.picked)
            self.best = Choice(found.picked, value, proved=False)
            return
        together = choose_whole("served", self.weights, every, self.limits, _LEAST_S)
        order = np.argsort(-self.prices, kind="stable")
        tight = [int(at) for at in order if self.prices[at] > _SAME]
        loads = sum((column.loads for column in found.picked if column is not None), np.zeros(self.limits))
        if not tight and found.picked:
            tight = [int(np.argmax(loads))]
        places = tuple(self.task.rows[at] for at in tight)
        # The plan of each that takes least of what is dearest is known: it was priced.
        holders = tuple(
            pricer.stream.name
            for pricer in self.pricers.each
            if tight and all(column.loads[tight[0]] > 0 for column in pricer.columns.values())
        )
        self.shortage = Shortage(
            factor=factor,
            enough=found.value if found.picked else None,
            places=places,
            holders=holders,
            by_rates=bool((loads[len(self.task.limits) :] <= 1.0 + SLACK).all()),
            served=sum(column is not None for column in together.picked) or None,
        )

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
