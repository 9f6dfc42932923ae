"""Which plan is the best now, by asking a solver again as conditions move: never on the way of a frame.

Between two answers the best of all plans that were answered counts, priced under the conditions of now, which takes
microseconds. The solver is asked in a thread of its own once a condition has moved by more than a tenth since it was
asked last; a plan that it names is made ready on its agents before it counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tiercut.errors import TiercutError
from tiercut.offloader.adaptive.fleet import same_plan
from tiercut.offloader.adaptive.priced import Priced
from tiercut.optimizer import Plan

__all__ = ["Asked", "Asking", "Solver"]

_MOVED = 0.1
"""Share by which a condition must have moved before the solver is asked anew: measurements differ by as much."""

_LINK_SHARE, _SLOWER, _CUT = 10, 5, 1.0
"""Neighbouring conditions: a link at a tenth of its bandwidth, or at a byte per second, a node five times as slow."""


class Solver(Protocol):
    """Who knows the best plan under conditions."""

    def __call__(
        self, values: Mapping[str, float], down: Collection[str], rate: float | None
    ) -> tuple[Plan | None, bool]:
        """Return it, and whether what was solved before proved it.

        None where there is no plan. `rate`: frames per second that it must keep up with; None: any.
        """
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to the solver, and what it took.

    Parameters
    ----------
    at_s
        When it was asked, in seconds from when the first frame was due; below 0: before.
    took_s
        Until the answer.
    proved
        Whether what had been solved before proved the answer, without solving.
    plan
        The answer; None where no plan meets the question.
    """

    at_s: float
    took_s: float
    proved: bool
    plan: Plan | None


class Asking:
    """A policy that asks a solver.

    Parameters
    ----------
    solver
        Who is asked.
    now
        The conditions that are followed, by name, as they are to begin with, in inner units.
    priced
        Prices plans under them.
    rate
        Frames per second that plans must keep up with; None: any.
    down
        Nodes that may go down: what is the best without each is asked beforehand.
    """

    def __init__(
        self,
        solver: Solver,
        now: Mapping[str, float],
        priced: Priced,
        *,
        rate: float | None = None,
        down: Sequence[str] = (),
    ) -> None:
        self._solver, self._now, self._priced, self._rate = solver, dict(now), priced, rate
        self.conditions = tuple(now)
        self.asked: list[tuple[int, Asked]] = []  # with when, by `time.monotonic_ns`
        self._plans: dict[frozenset[str], list[Plan]] = {}
        self._at: dict[frozenset[str], dict[str, float]] = {}
        self._wanted: tuple[dict[str, float], frozenset[str]] | None = None
        self._news = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        for values, gone in self._neighbours(down):
            self._keep(self._ask(values, gone), gone)
        self._at[frozenset()] = dict(now)

    def _neighbours(self, down: Sequence[str]) -> list[tuple[dict[str, float], frozenset[str]]]:
        """Return the conditions of now, and what is next to them: one thing worse."""
        found = [(self._now, frozenset[str]())]
        for name, value in self._now.items():
            worse = (value / _LINK_SHARE, _CUT) if name.startswith("bandwidth(") else (value * _SLOWER,)
            found += [(self._now | {name: each}, frozenset()) for each in worse]
        return found + [(self._now, frozenset([node])) for node in down]

    @property
    def plans(self) -> tuple[Plan, ...]:
        """All that were answered, each once, those with nothing down first."""
        found: list[Plan] = []
        for plan in (each for plans in list(self._plans.values()) for each in list(plans)):
            if not any(same_plan(plan, other) for other in found):
                found.append(plan)
        return tuple(found)

    def choices(self, values: Mapping[str, float], avoid: Collection[str] = ()) -> list[tuple[Plan, float]]:
        """Return the plans that may run without some nodes, each with its latency in seconds."""
        gone = frozenset(avoid)
        if gone not in self._plans:  # nobody thought of that: the frames that wait for an answer wait for this one
            self._keep(self._ask(values, gone), gone)
            self._at[gone] = dict(values)
        return [(plan, self._priced.seconds(plan, values)) for plan in list(self._plans[gone])]

    def latency_of(self, plan: Plan, values: Mapping[str, float]) -> float | None:
        """Return the latency of any plan in seconds."""
        return self._priced.seconds(plan, values)

    # What goes on beside the frames.

    def start(self, prepare: Callable[[Plan], object]) -> None:
        """Ask, from now on, whenever `heed` says that conditions moved.

        Parameters
        ----------
        prepare
            Makes a plan ready, before it counts; it may raise what `TiercutError` stands for where that is not
            possible.
        """
        self._thread = threading.Thread(target=self._follow, args=(prepare,), daemon=True, name="asking")
        self._thread.start()

    def heed(self, values: Mapping[str, float], avoid: Collection[str] = ()) -> None:
        """Take the conditions of now; returns at once."""
        gone = frozenset(avoid)
        if not self._moved(values, self._at.get(gone, {})):
            return
        with self._news:
            self._wanted = dict(values), gone
            self._news.notify()

    def close(self) -> None:
        """Ask no longer; a question that is under way ends by itself."""
        with self._news:
            self._closed = True
            self._news.notify()
        if self._thread is not None:
            self._thread.join(2.0)

    def _follow(self, prepare: Callable[[Plan], object]) -> None:
        while True:
            with self._news:
                while self._wanted is None and not self._closed:
                    self._news.wait()
                if self._closed or self._wanted is None:
                    return
                (values, gone), self._wanted = self._wanted, None
            try:
                plan = self._ask(values, gone)
            except TiercutError:
                plan = None  # it is asked again when conditions move on
            self._at[gone] = values
            if plan is None or any(same_plan(plan, each) for each in self._plans.get(gone, ())):
                continue
            try:
                prepare(plan)
            except TiercutError:
                continue  # its agents do not take it now: it is asked for again when conditions move on
            self._keep(plan, gone)

    @staticmethod
    def _moved(values: Mapping[str, float], before: Mapping[str, float]) -> bool:
        """Return whether a condition is another one than when the solver was asked."""
        for name, value in values.items():
            was = before.get(name)
            if was is None or not was / (1 + _MOVED) <= value <= was * (1 + _MOVED):
                return True
        return False

    def _ask(self, values: Mapping[str, float], gone: frozenset[str]) -> Plan | None:
        """Ask for the best plan that keeps up with the rate; where none does, for the best of all.

        The best of all plans is the answer where it keeps up, whichever others do: so what was solved without a rate
        proves answers with one too.
        """
        at_ns, begun_ns = time.monotonic_ns(), time.perf_counter_ns()
        plan, proved = self._solver(values, gone, None)
        if plan is not None and self._rate is not None and self._priced.rate(plan, values) < self._rate:
            bounded, proved = self._solver(values, gone, self._rate)
            plan = bounded or plan
        took_s = (time.perf_counter_ns() - begun_ns) / 1e9
        self.asked.append((at_ns, Asked(0.0, took_s, proved, plan)))
        return plan

    def _keep(self, plan: Plan | None, gone: frozenset[str]) -> None:
        held = self._plans.setdefault(gone, [])
        if plan is not None and not any(same_plan(plan, each) for each in held):
            held.append(plan)
