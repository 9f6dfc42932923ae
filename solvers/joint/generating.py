"""The plans that a relaxed choice needs: column generation, with prices between the best known and the newest ones."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tiercut.clock import seconds_left
from tiercut.optimizer import SLACK
from tiercut.solvers.joint.columns import Multipliers, Pricers
from tiercut.solvers.joint.master import Choice, Master, goal_value
from tiercut.stages import stage as at_stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.optimizer import Decision
    from tiercut.solvers.interface import Options
    from tiercut.solvers.joint.branches import Branch
    from tiercut.solvers.joint.columns import Column
    from tiercut.solvers.joint.master import Stage
    from tiercut.solvers.joint.task import Floats, JointTask

__all__ = ["Generation", "Relaxed"]

_SAME = 1e-9  # value and bound that differ by this share are one
_CLOSE = 1e-7  # relaxed value and bound at which prices are no longer improved
_PROVED = 1e-4  # and where it is proved that limits cannot be kept
_TOO_MUCH = 0.2  # and where limits are still exceeded, to ask whether they have to be
_STAY = 0.5  # how far prices stay at the best known ones
_ROUGH = 0.02  # by which share prices may be off at first
_WARM = 1e-3  # relaxed value and bound at which rough prices are no longer improved
_LEFT = (0.997, 0.99)  # how much of each limit is taken where room is left for whole plans
_NEARER = 4  # times that plans are looked for close to those that are known
_TAIL = 0.05  # of the gap of the whole choice, or of so much where there is none, is not made smaller at first
_NO_CHOICE = 0.02
_FINER = 0.1  # and of the gap, later
_BETTER = 1e-10  # by which share a plan must be cheaper to count as better
_LENT = 40  # plans of the pool that a stream takes before a whole choice
_BORROWED = 2  # plans of the pool that a stream takes at a time
_DEAR = 10.0  # penalty of a limit that is exceeded once, in what the goal is at least
_MOST_FAILED = 4  # times in one part that the relaxed choice is not solved: once loosened and filled it can be
_FAILED = "the relaxed choice could not be solved"
_UP = "the time was up"
_UNPROVED = "the best plan of a source could not be proved"


class Relaxed(NamedTuple):
    """What comes of a relaxed choice: a bound on the joint plans in a part of them (inf: there are none)."""

    bound: float
    master: Master

    @property
    def mixed(self) -> tuple[list[list[tuple[Column, float]]], Floats]:
        """As `Master.mixed`."""
        return self.master.mixed


class Generation:
    """What is known of the plans of all streams, and how more of them are found."""

    def __init__(self, task: JointTask, options: Options) -> None:
        self.task, self.options, self.goal = task, options, task.goal
        self.pricers = Pricers(task, options)
        weights = np.array([stream.weight for stream in task.streams])
        self.weights: Floats = weights / weights.sum()
        self.limits = len(task.rows)
        self.best = Choice((), inf, proved=False)
        self.start = 0.0  # the goal if streams did not share anything
        self.prices = np.zeros(self.limits)  # at which the last bound was had
        self.factor = 1.0  # of all limits, below which no streams go together
        self.expected = 0.0  # such a factor, of plans that are not all there are
        self.until = 0.0  # seconds left at which no more plans are found to begin with
        self.coarse = False  # whether plans are first to be chosen among before prices are exact
        self.rounds, self.reason = 0, ""
        self.centre: Multipliers | None = None  # prices to begin with

    def _adopt(self, found: Relaxed) -> None:
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

    def _warm(
        self, stage: Stage, branch: Branch, rough: Pricers, within: float = _ROUGH, *, most: float = 1.0
    ) -> Master:
        """Find plans to begin with among some of all: quick, but nothing is proved by them.

        Parameters
        ----------
        stage, branch
            What is minimised, and where.
        rough
            Who prices some of the plans.
        within
            By which share prices may be off.
        most
            How much of each limit may be taken.
        """
        master = self._master(stage, branch, most)
        if stage == "mean":
            master.loosen(self._penalty)
        low, centre = -inf, self.centre if stage == self.goal else None
        while seconds_left() > max(self._reserve, self.until):
            value, newest, own = master.solve()
            if value == inf:
                break
            if self._borrow(master, branch, newest, own):
                continue
            if value - low <= _WARM * abs(value):
                break
            at = newest if centre is None else newest.towards(centre, _STAY)
            found = rough.cheapest(at, branch, within)
            if not all(each.proved for each in found):
                break
            least = master.least(np.array([each.value for each in found]))
            if (new := float(least.sum() - master.allowed(at))) > low:
                low, centre = new, at
            columns = [[] if each.decision is None else [each.decision] for each in found]
            if not self._add(master, branch, columns, newest, own):
                if at is newest:
                    break
                centre = None
        if stage == self.goal and most == 1.0:
            self.centre = centre
        if stage == "short" and centre is not None:
            self.prices = centre.limits
        return master

    def _nearer(self, stage: Stage, branch: Branch, master: Master) -> Master:
        """Make the plans of a relaxed choice better by others close to them, until little comes of it."""
        value = inf
        for _ in range(_NEARER):
            before, value = value, master.solve()[0]
            if value == inf or before - value <= _WARM * abs(value):
                break
            master = self._warm(stage, branch, self._near(master), _WARM)
        return master

    def _near(self, master: Master) -> Pricers:
        """Return what prices plans close to those of a relaxed choice."""
        return self.pricers.near([[column.decision for column, share in own if share > 0] for own in master.mixed[0]])

    def _leave_room(self, branch: Branch, master: Master) -> None:
        """Find plans that take a little less of each limit than the relaxed choice, so that whole ones fit."""
        near = self._near(master)
        masters = [master, *(self._warm(self.goal, branch, near, _WARM, most=most) for most in _LEFT)]
        for each in masters:
            _, at, _ = each.solve()
            for place, pricer in enumerate(self.pricers.each):
                pricer.borrowed(float(at.latency[place]), at.limits, inf, _LENT, branch.cap)

    def _master(self, stage: Stage, branch: Branch, most: float = 1.0) -> Master:
        """Return a relaxed choice among the plans of a part that are known."""
        optional = np.array([self.goal == "served" and each not in branch.served for each in range(len(self.weights))])
        optional |= np.array([not branch.served.get(each, True) for each in range(len(self.weights))])
        master = Master(stage, self.weights, self.limits, optional, most)
        self._seed(master, branch)
        return master

    def _generate(self, stage: Stage, branch: Branch, *, first: bool = False) -> Relaxed:  # noqa: PLR0911, PLR0912 one loop, many ends
        """Find the plans that a relaxed choice in a part of the joint plans needs; or those of the first there is."""
        master = self._master(stage, branch)
        bound, failed = -inf, 0
        centre = self.centre if stage == self.goal and not branch.rules and not branch.served else None
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
                    return Relaxed(bound, master)
                if stage != "short" and not master.over:
                    master.loosen(self._penalty)
                elif master.over and not master.penalty:
                    return Relaxed(bound, master)
                elif not self._fill(master, branch):
                    return Relaxed(bound if self.reason else inf, master)
                continue
            if value <= 1.0 + SLACK if stage == "short" else first and not master.exceeds:
                return Relaxed(bound, master)
            if self._borrow(master, branch, newest, own):
                continue
            if stage == "short" and first and bound > 1.0 + SLACK:
                return Relaxed(bound, master)
            if value - bound > self._close(master, branch, value, bound):
                if seconds_left() <= self._reserve:
                    self.reason = _UP
                    return Relaxed(bound, master)
                at = newest if centre is None else newest.towards(centre, _STAY)
                if stage == "short":  # finer than what is to be proved: that more is needed than there is
                    within = min(within, 0.5 * (value - 1.0))
                found = self.pricers.cheapest(at, branch, within)
                self.rounds += 1
                if not all(each.proved for each in found):
                    self.reason = self._unproved
                    return Relaxed(bound, master)
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
                return Relaxed(inf, master)
            if not master.exceeds or not (first or self._is_better(bound)):
                return Relaxed(bound, master)
            if self._short(branch, first=first):
                return Relaxed(inf, master)
            if self.reason:
                return Relaxed(bound, master)
            self._seed(master, branch)
            master.loosen(0.0)

    def _close(self, master: Master, branch: Branch, value: float, bound: float) -> float:
        """Return by how much relaxed value and bound may differ where prices are no longer improved."""
        if master.stage == "short":
            return _PROVED * value if bound > 1.0 + SLACK else max(_CLOSE * abs(value), SLACK)
        if master.exceeds:
            asked = self.expected > 1.0 and not (branch.rules or branch.served)
            return inf if asked else _TOO_MUCH * abs(value)
        exact = 0.5 * _SAME * abs(value)
        if not self.coarse or bound == -inf:
            return exact
        return max(exact, _TAIL * (self.best.value - bound if self.best.picked else _NO_CHOICE * abs(value)))

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
    def _unproved(self) -> str:
        """Why a price is not proved."""
        return _UP if seconds_left() <= 0 else _UNPROVED

    def _is_better(self, bound: float) -> bool:
        """Return whether there may be a better choice above a bound."""
        return bound < inf and (not self.best.picked or self.best.value - bound > _SAME * abs(self.best.value))


def _below(least: float) -> float:
    """Return what a plan must cost less than to be better than one that costs so much."""
    return float(least - _BETTER * max(abs(least), 1e-3))
