"""The plans that the search with constraint models has found, priced in floating point, with their paths."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer import TOLERANCE, evaluate_tables, price
from tiercut.solvers.cp_sat.decision_graph import COST, LOSS, decision_along

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tiercut.optimizer import Decision
    from tiercut.solvers.cp_sat.bounds import Relaxation
    from tiercut.solvers.cp_sat.decision_graph import Network
    from tiercut.solvers.task import Task

    Floats = NDArray[np.float64]

__all__ = ["Plans", "Priced", "holds"]

_ROOM = 256  # plans for which there is room to begin with


@dataclass(frozen=True, slots=True)
class Priced:
    """A plan in floating point: ``values`` as the rows of the network."""

    decision: Decision
    latency: float
    values: tuple[float, ...]

    @property
    def front_order(self) -> tuple[Any, ...]:
        """What is compared along a frontier, the least first."""
        return self.values[COST], self.values[LOSS], self.latency, self.decision.order


def holds(plan: Priced, caps: Floats, strict: int | None) -> bool:
    """Return whether a plan is within caps, strictly so in one row."""
    within = all(value <= cap for value, cap in zip(plan.values, caps.tolist(), strict=True))
    return within and (strict is None or plan.values[strict] < caps[strict])


class Best:
    """The values in a row of the best plans seen so far that hold some caps.

    Attributes
    ----------
    nth
        That of the `top`-th best; inf while there are fewer.
    """

    def __init__(self, row: int, caps: Floats, strict: int | None, top: int) -> None:
        self._row, self._caps, self._strict, self._top = row, caps.copy(), strict, top
        self._values: list[float] = []
        self._seen: set[Decision] = set()
        self.nth = inf

    def see(self, plan: Priced | None) -> None:
        """Take a plan into account, once."""
        if plan is None or not plan.values[self._row] < self.nth:
            return
        if holds(plan, self._caps, self._strict) and plan.decision not in self._seen:
            self._seen.add(plan.decision)
            insort(self._values, plan.values[self._row])
            if len(self._values) >= self._top:
                self.nth = self._values[self._top - 1]


class Plans:
    """The constraints of a task, and the plans that hold them, as found so far.

    Parameters
    ----------
    task
        What is to be found.

    Attributes
    ----------
    caps
        Greatest value of each row of a network.
    goal, top
        The row that is minimised, and how many plans are wanted.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.space = task, task.space
        self.front, self.top = task.front, task.top
        self.goal = LOSS if task.by_accuracy else COST
        self.caps = np.array([task.cap, -task.floor, *(constraint.cap for constraint in task.constraints)])
        self.pool: dict[Decision, Priced] = {}
        self.paths: dict[Decision, tuple[int, frozenset[int]]] = {}
        self._plans: list[Priced] = []
        self._values = np.empty((_ROOM, len(self.caps)))
        self.scored = 0

    def order(self, plan: Priced) -> tuple[Any, ...]:
        """Return what is compared among plans, the least first."""
        cost, loss = plan.values[COST], plan.values[LOSS]
        if self.goal == LOSS:
            return loss, cost, plan.decision.order
        return cost, plan.latency, loss, plan.decision.order

    def answer(self) -> tuple[Decision, ...]:
        """Return the best plans found, or those that no other dominates, in order."""
        if not self.front:
            return tuple(plan.decision for plan in sorted(self.pool.values(), key=self.order)[: self.top])
        kept, least = [], inf
        for plan in sorted(self.pool.values(), key=lambda plan: plan.front_order):
            if plan.values[LOSS] < least - TOLERANCE:
                kept.append(plan.decision)
            least = min(least, plan.values[LOSS])
        return tuple(kept)

    def price(self, decision: Decision) -> Priced:
        """Return the plan in floating point."""
        task, problem = self.task, self.space.problem
        plan = price(problem, decision)
        cost = plan.latency_s if task.ties is None else evaluate_tables(problem, decision, task.measure)
        constraints = (evaluate_tables(problem, decision, constraint.measure) for constraint in task.constraints)
        self.scored += 1
        return Priced(decision, plan.latency_s, (cost, -(plan.accuracy or 0.0), *constraints))

    def offer(self, network: Network, path: Iterable[int]) -> Priced | None:
        """Price the plan of a path; keep and return it if it holds the bounds of the question."""
        arcs = frozenset(path)
        decision = decision_along(self.space, network, arcs)
        plan = self.pool.get(decision) or self.price(decision)
        if not holds(plan, self.caps, None):
            return None
        self.keep(plan)
        self.paths[decision] = (network.index, arcs)
        return plan

    def keep(self, plan: Priced) -> None:
        """Keep a plan, once."""
        if plan.decision in self.pool:
            return
        if len(self.pool) == len(self._values):
            self._values = np.resize(self._values, (2 * len(self._values), len(self.caps)))
        self._values[len(self.pool)] = plan.values
        self.pool[plan.decision] = plan
        self._plans.append(plan)

    @property
    def values(self) -> Floats:
        """K x R: the values of the plans that are kept."""
        return self._values[: len(self.pool)]

    def least_loss(self, cost: float) -> float:
        """Return the least loss of accuracy among the plans up to a cost."""
        return float(self.values[self.values[:, COST] <= cost, LOSS].min())

    def best(self, row: int, caps: Floats, strict: int | None) -> Best:
        """Return the `top` best plans in a row that are known and hold some caps."""
        best, values = Best(row, caps, strict, self.top), self.values
        within = (values <= caps).all(axis=1)
        if strict is not None:
            within &= values[:, strict] < caps[strict]
        held = np.flatnonzero(within)
        for place in held[np.argsort(values[held, row], kind="stable")][: self.top]:
            best.see(self._plans[place])
        return best

    def known(self, relaxed: Relaxation, strict: int | None) -> list[frozenset[int]]:
        """Return the paths of the plans of a threshold that are known and hold the caps."""
        index, caps = relaxed.network.index, relaxed.caps
        of_index = [(self.pool[each], path) for each, (where, path) in self.paths.items() if where == index]
        return [path for plan, path in of_index if holds(plan, caps, strict)]
