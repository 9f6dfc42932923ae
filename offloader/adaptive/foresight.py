"""Plans that change at the right moment, as what becomes of links and nodes is known beforehand: what others aim at."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.offloader.adaptive.asking import Solver
from tiercut.offloader.adaptive.fleet import Fleet, Ready, same_plan
from tiercut.offloader.adaptive.mover import Move
from tiercut.offloader.disturbed.trace_file import Moment
from tiercut.offloader.local.driver import Driver
from tiercut.optimizer import DOWN, Plan, build_problem, decide_again, itinerary
from tiercut.profiling import Profile
from tiercut.topologies import Topology

__all__ = ["Foresight", "Turn", "foreseen"]

_AGAIN_S = 0.25
_EARLY, _SURE_S = 1.25, 0.01
"""A plan that gets worse is left by frames that are due so many times its longest way, and so many seconds, before; one
that gets better is taken by those that are due so many seconds after."""


@dataclass(frozen=True, slots=True)
class Turn:
    """When another plan is to take over.

    Parameters
    ----------
    at_s
        When the first frame by it is due, in seconds from when the first of all is.
    plan, why
        Which, and what changes then.
    """

    at_s: float
    plan: Plan
    why: str


def foreseen(
    moments: Sequence[Moment], first: Plan, topology: Topology, profile: Profile, solver: Solver, rate: float | None
) -> tuple[Turn, ...]:
    """Return the best plan of every time, and when to change to it.

    A plan that gets worse is left so early that its last frame still ends in time; one that gets better is taken once
    it is.

    Parameters
    ----------
    moments
        What is true when.
    first
        The plan to begin with.
    topology, profile
        What is true before.
    solver, rate
        Who knows the best plan under conditions, and the frames per second that it keeps up with, if it must.
    """
    turns, now, before = list[Turn](), first, topology
    for moment in moments:
        said = {name: value for name, value in moment.conditions.items() if name != DOWN}
        down = moment.conditions.get(DOWN, ())
        plan, _ = solver(said, down, None if rate is None else rate)
        plan = plan or solver(said, down, None)[0] or now
        if not same_plan(plan, now):
            at_s = max(moment.at_s - _lead_s(now, before, moment, profile), turns[-1].at_s if turns else 0.0)
            what = ", ".join(f"{name} {value}" for name, value in moment.changes)
            turns.append(Turn(at_s, plan, f"known: {what}"))
            now = plan
        before = moment.topology
    return tuple(turns)


def _lead_s(plan: Plan, before: Topology, moment: Moment, profile: Profile) -> float:
    """Return how long before a moment the last frame by a plan is to be due; less than 0: after it."""
    was = build_problem(before, profile)
    path = itinerary(was, decide_again(was, plan))
    ways = {(hop.sender, hop.receiver) for step in path.steps for hop in path.hops(step)}
    then = build_problem(moment.topology, profile)
    worse = itinerary(then, decide_again(then, plan)).latency_s > path.latency_s
    if worse or moment.nodes & set(plan.placement) or ways & moment.cut:
        return _EARLY * max(path.path_seconds) + _SURE_S
    return -_SURE_S


class Foresight:
    """Moves a driver from plan to plan, frame by frame, at times that are known.

    Parameters
    ----------
    driver, fleet
        What frames go by, and where plans are loaded.
    turns
        When another plan takes over; all are ready.
    moments
        What is true when.
    now
        The plan to begin with.
    """

    def __init__(
        self, driver: Driver, fleet: Fleet, turns: Sequence[Turn], moments: Sequence[Moment], now: Ready
    ) -> None:
        self._driver, self._fleet, self._turns, self._moments = driver, fleet, list(turns), list(moments)
        self.now = now
        self.moves: list[Move] = []
        self.origin_ns: int | None = None
        self._down = frozenset[str]()
        self._away, self._back = dict[str, float](), dict[str, float]()  # since which moment, of each node
        self._lock, self._closed = threading.Lock(), threading.Event()

    def start(self) -> None:
        """Let frames that a plan loses go by the plan of then."""
        self._driver.rescue = lambda number, _: number != self.now.number

    def close(self) -> None:
        """End; what an agent is being told is not waited for."""
        self._closed.set()

    def turn(self, tensors: Mapping[str, NDArray[Any]], due_s: float) -> None:
        """Take over by the plan that is the best for a frame that is due so many seconds after the first one."""
        del tensors
        begun_ns = time.perf_counter_ns()
        with self._lock:
            while self._moments and self._moments[0].at_s <= due_s:
                moment = self._moments.pop(0)
                for node in moment.nodes - self._down:
                    if self._back.get(node, -inf) < moment.at_s:  # a stop may be shorter than frames are apart
                        self._away[node] = moment.at_s
                self._down = moment.nodes
            due = [each for each in self._turns if each.at_s <= due_s]
            while due and self._away.keys() & set(
                due[-1].plan.placement
            ):  # a machine that is to be there, and is not yet
                due.pop()
            self._turns = self._turns[len(due) :]
            ready = self._fleet.find(due[-1].plan) if due else None
        if ready is None or ready is self.now:
            return
        decided_ns = time.perf_counter_ns()
        self._driver.use(ready.number)
        switch_s = (time.perf_counter_ns() - decided_ns) / 1e9
        deciding_s = (decided_ns - begun_ns) / 1e9
        self.moves.append(Move(due_s, self.now.plan, ready.plan, due[-1].why, deciding_s, switch_s))
        self.now = ready

    def returned(self, node: str, at_s: float) -> None:
        """Take it that the agent of a node is there again since a moment, and tell it what it forgot."""
        if not self._told(node, at_s):
            threading.Thread(target=self._tell_again, args=(node, at_s), daemon=True, name="telling").start()

    def _tell_again(self, node: str, at_s: float) -> None:
        """Tell an agent what it forgot, again and again, until it takes it, goes away once more, or all ends."""
        while not self._closed.wait(_AGAIN_S):
            if self._away.get(node, -inf) > at_s or self._told(node, at_s):
                return

    def _told(self, node: str, at_s: float) -> bool:
        """Tell an agent what it forgot, and return whether it took that."""
        try:
            self._fleet.load_again(node)
        except QuestionError:
            return False
        with self._lock:
            self._back[node] = at_s
            if self._away.get(node, inf) < at_s:
                del self._away[node]
        return True
