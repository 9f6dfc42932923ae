"""Column generation for streams that share the machines, and the whole choice among what it finds.

1. Each stream's best plan by itself; where all go together, that is the answer.
2. The relaxed choice among the plans that are known (`master`) says what each limit is worth, and the labels then find
   plans that are better at that price (`columns`); first until limits can be kept at all, then until nothing better
   comes. What plans cost at any prices bounds all joint plans from below (Lagrange), which proves how good the choice
   is. Prices are taken between the best known and the newest ones (Pessoa et al., Automation and Combination of
   Linear-Programming Based Stabilization Techniques in Column Generation, 2018, section 2).
3. A whole choice among the plans that were found.
4. A plan whose cost is further above its stream's least than value and bound are apart is in no better joint plan. So
   where value and bound differ, all plans within that are listed, and the best choice among those is the best of all.
   Where they are too many, the gap is what is said.
"""

from __future__ import annotations

import time
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from tiercut.clock import paused, seconds_left
from tiercut.optimizer import SLACK
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
_STAY = 0.5  # how far prices stay at the best known ones
_BETTER = 1e-10  # by which share a plan must be cheaper to count as better
_BORROWED = 2  # plans of the pool that a stream takes at a time
_OFFERED = 40  # plans of a stream among which a whole choice is looked for first
_LISTED = 2000  # plans of a stream that are listed at most
_ALL_LISTED = 20_000
_LEAST_S = 2.0  # seconds that a whole choice is given in any case
_UP = "the time was up"


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
        search.load()
    began, interrupted = time.perf_counter(), False
    try:
        search.run()
    except KeyboardInterrupt:
        interrupted, search.reason = True, "interrupted before the end"
    return search.outcome(time.perf_counter() - began, interrupted=interrupted)


class _Search:
    """One search, and the best choice that is known."""

    def __init__(self, task: JointTask, options: Options) -> None:
        self.task, self.options, self.goal = task, options, task.goal
        self.pricers = Pricers(task, options)
        weights = np.array([stream.weight for stream in task.streams])
        self.weights: Floats = weights / weights.sum()
        self.limits = len(task.limits)
        self.best = Choice((), inf, proved=False)
        self.bound = -inf
        # The best prices, the least that each stream adds at these, and the bound that follows.
        self.held, self.least = Multipliers(self.weights, np.zeros(self.limits)), np.zeros(len(weights))
        self.proved = -inf
        self.shortage: Shortage | None = None
        self.rounds, self.reason = 0, ""

    def load(self) -> None:
        """Load OR-tools, and the kernels that price plans."""
        Master("short", self.weights, self.limits)
        first = self.pricers.each[0]
        first.cheapest(1.0, np.zeros(self.limits))

    def run(self) -> None:
        """Go through the steps until nothing is left to be done, or the time is up."""
        with at_stage("best plans of sources by themselves"):
            if self._start():
                return
        if self.goal != "served":
            free = self.held, self.least, self.proved
            with at_stage("looking for plans that go together"):
                least = self._generate("short")
            if least > 1.0 + SLACK:
                self._say_short(least)
                return
            self.held, self.least, self.proved = free
        if not self.reason:
            with at_stage("pricing plans by what they take of shared machines"):
                self.bound = max(self.bound, self._generate(self.goal))
        with at_stage("choosing a plan for each source"):
            self._choose()
            self._list()
            if self.best.picked:
                self._quicken()
            elif self.bound == inf:
                self._say_short(1.0)

    def _start(self) -> bool:
        """Take each stream's best plan by itself, which no joint plan beats; return whether that is all."""
        alone = self.pricers.alone()
        if any(each.status not in ("optimal", "infeasible") for each in alone):
            self.reason = _UP
            return True
        picked = tuple(
            pricer.column(own.decisions[0]) if own.decisions else None
            for pricer, own in zip(self.pricers.each, alone, strict=True)
        )
        names = tuple(
            stream.name for stream, column in zip(self.task.streams, picked, strict=True) if column is None
        )
        if names and (self.goal != "served" or len(names) == len(picked)):
            self.shortage, self.bound = Shortage(names), inf
            return True
        self.bound = goal_value(self.goal, self.weights, picked)
        if self.goal != "served":
            self.least = self.weights * [0.0 if each is None else each.latency_s for each in picked]
        self.proved = float(self.least.sum())
        loads = sum((each.loads for each in picked if each is not None), np.zeros(self.limits))
        if not (loads <= 1.0 + SLACK).all():
            return False
        self.best = Choice(picked, self.bound, proved=True)
        return True

    def _generate(self, stage: Stage) -> float:
        """Find the plans that a relaxed choice needs; return what no joint plan is below at this stage."""
        master = Master(stage, self.weights, self.limits)
        for place, pricer in enumerate(self.pricers.each):
            for column in pricer.columns.values():
                master.add(place, column)
        bound, centre = -inf, None
        while True:
            value, newest, own = master.solve()
            if value == inf or (stage == "short" and value <= 1.0 + SLACK):
                return bound
            if self._borrow(master, newest, own):
                continue
            if value - bound <= max(_CLOSE * abs(value), SLACK):
                return bound
            if seconds_left() <= self._reserve:
                self.reason = _UP
                return bound
            at = newest if centre is None else newest.towards(centre, _STAY)
            found = self.pricers.cheapest(at)
            self.rounds += 1
            if not all(each.proved for each in found):
                self.reason = _UP
                return bound
            least = master.least(np.array([each.value for each in found]))
            if (new := float(least.sum() - master.allowed(at))) > bound:
                bound, centre = new, at
                self.held, self.least, self.proved = at, least, new
            if not self._add(master, [each.decisions for each in found], newest, own):
                if at is newest:
                    return bound
                centre = None  # prices between the two said nothing new: the newest themselves are next

    def _add(self, master: Master, found: Sequence[Sequence[Decision]], at: Multipliers, own: Floats) -> bool:
        """Take plans into account; return whether any is better at some multipliers than what there was."""
        better = False
        for place, (pricer, decisions) in enumerate(zip(self.pricers.each, found, strict=True)):
            for column in map(pricer.column, decisions):
                cheaper = at.cost(place, column.latency_s, column.loads) < _below(own[place])
                better |= master.add(place, column) and cheaper
        return better

    def _borrow(self, master: Master, at: Multipliers, own: Floats) -> bool:
        """Take plans that other streams found where they are better for one; return whether there are any."""
        found = [
            pricer.borrowed(float(at.latency[place]), at.limits, _below(own[place]), _BORROWED)
            for place, pricer in enumerate(self.pricers.each)
        ]
        return self._add(master, [[column.decision for column in each] for each in found], at, own)

    @property
    def _reserve(self) -> float:
        """Seconds that are kept for the whole choice."""
        limit = self.options.time_limit_s
        return 0.0 if limit is None else min(0.25 * limit, 8.0)

    @property
    def _apart(self) -> float:
        """By how much value and bound differ; 0 where it is nothing."""
        apart = self.best.value - self.bound
        return apart if apart > _SAME * abs(self.best.value) else 0.0

    def _choose(self) -> None:
        """Choose among plans that were found: the cheapest at the best prices, and where that is nothing, all."""
        every = [list(pricer.columns.values()) for pricer in self.pricers.each]
        few = [
            sorted(own, key=lambda column, at=place: self.held.cost(at, column.latency_s, column.loads))[:_OFFERED]
            for place, own in enumerate(every)
        ]
        self._take(few)
        if not self.best.picked and any(len(own) > _OFFERED for own in every):
            self._take(every)

    def _take(self, columns: Sequence[Sequence[Column]]) -> Choice:
        """Choose among columns, keep what is better than the best so far, and return it."""
        among = [undominated(own) for own in columns]
        found = choose_whole(self.goal, self.weights, among, self.limits, max(seconds_left(), _LEAST_S))
        if found.picked and (not self.best.picked or found.value < self.best.value):
            self.best = found
        return found

    def _list(self) -> None:
        """Where value and bound differ, choose among all plans that a better joint plan could have."""
        apart = self.best.value - self.proved
        if self.reason or not self._apart or not all(pricer.can_list for pricer in self.pricers.each):
            return
        listed: list[list[Column]] = []
        for place, pricer in enumerate(self.pricers.each):
            cap = self.least[place] + apart + SLACK * max(1.0, apart)
            found = pricer.cheapest(float(self.held.latency[place]), self.held.limits, float(cap), _LISTED)
            full = len(found.decisions) == _LISTED or sum(map(len, listed)) + len(found.decisions) > _ALL_LISTED
            if full or not found.proved:
                return
            listed.append([pricer.column(each) for each in found.decisions])
        if self._take(listed).proved:
            self.bound = self.best.value

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
        found = choose_whole("mean", self.weights[served], among, self.limits, max(seconds_left(), _LEAST_S))
        if found.picked:
            picked = dict(zip(served, found.picked, strict=True))
            self.best = replace(self.best, picked=tuple(map(picked.get, range(len(self.best.picked)))))

    def _say_short(self, factor: float) -> None:
        """Say which limits cannot be kept together, and with how much more there is a joint plan."""
        every = [undominated(list(pricer.columns.values())) for pricer in self.pricers.each]
        found = choose_whole("short", self.weights, every, self.limits, max(seconds_left(), _LEAST_S))
        order = np.argsort(-self.held.limits, kind="stable")
        tight = [int(at) for at in order if self.held.limits[at] > _SAME]
        if not tight and found.picked:
            tight = [int(np.argmax(sum(column.loads for column in found.picked if column is not None)))]
        places = tuple(self.task.limits[at].place for at in tight)
        self.bound = inf
        self.shortage = Shortage((), factor, found.value if found.picked else None, places)

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
