"""Any bound with a proof: one constraint model for each threshold, solved by OR-tools' CP-SAT.

A plan is a path through the network of its lane (`tiercut.solvers.cp_network`); whatever is bounded is a sum along it.

1. The labels solver, told nothing of the bounds that it lacks, gives a plan to begin with, if it happens to hold them.
2. Bounds by dynamic programming (`tiercut.solvers.cp_bounds`) leave out most arcs, and come across good plans.
3. CP-SAT finds the best of what is left, and proves it (`tiercut.solvers.cp_model`).

CP-SAT reckons in integers, so nothing rests on its word alone: every plan is priced again in floating point, one that
misses a bound is cut off, and all that may be as good as the best but for the rounding are listed and compared. With
more of these than are listed, an answer is the best but for the error of the scaling, 2^-44 of the largest number in a
measure for each step of the plan.

NOTE: one worker by default. It gives the same plan every time, and for models as small as step 2 leaves them it is the
quickest; several take turns at fixed points (`interleave_search`), which keeps their answers the same too.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer.bounds import side_bounds
from tiercut.optimizer.frontier import TOLERANCE
from tiercut.optimizer.measures import measure
from tiercut.optimizer.outcome import Outcome, Status
from tiercut.optimizer.pricing import evaluate, evaluate_tables, price
from tiercut.solvers.cp_bounds import bound_arcs
from tiercut.solvers.cp_model import build_model
from tiercut.solvers.cp_network import COST, CROSS, ENTER, LOSS, PIECE, Network, decision_along, network_of
from tiercut.solvers.options import Options
from tiercut.solvers.shared import watch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from tiercut.optimizer.plan import Decision
    from tiercut.optimizer.query import Query
    from tiercut.optimizer.space import Space

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["export_model", "solve"]

_MOST_TIED = 500  # plans as good as the best that are listed
_SCOUTED = 3000  # arcs beyond which any plan at all is looked for before the best
_HINT_S = 2.0  # seconds that the labels solver is given


def solve(space: Space, query: Query, options: Options) -> Outcome:
    """Return the best plan under any bounds, the N best, or the frontier, with a proof.

    Parameters
    ----------
    space
        The decisions that count.
    query
        Objective, bounds and kind of answer.
    options
        Workers (1 by default), seed, time limit and progress: lanes done, and lanes.

    Returns
    -------
    Outcome
        ``optimal``; ``feasible`` where the time limit or an interrupt ended the work early.
    """
    began = time.perf_counter()
    search = _Search(space, query, options)
    finished = _watched(search)
    decisions = search.answer()
    status: Status = "feasible" if not finished else "optimal" if decisions else "infeasible"
    seconds = time.perf_counter() - began
    reason = "" if finished else "stopped before the end"
    return Outcome("cp-sat", True, status, decisions, seconds, search.scored, reason)


def export_model(space: Space, query: Query, path: Path | str, lane: int = 0) -> None:
    """Write the model of one lane, no arc left out, as the text of a ``CpModelProto``.

    Parameters
    ----------
    space, query
        The question.
    path
        File to write.
    lane
        Index of the lane (threshold).
    """
    search = _Search(space, query, Options())
    network = search.network(lane)
    model = build_model(space, network, np.arange(len(network.tail)), search.caps, objective=search.goal, named=True)
    Path(path).write_text(str(model.cp.proto), encoding="utf-8")


def _watched(search: _Search) -> bool:
    """Run a search in a thread of its own; return whether it came to its end."""
    stop = np.zeros(1, np.int64)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(search.run, stop)
        try:
            finished = watch([running], [stop], search.options, lambda: (search.done, len(search.space.lanes)))
        finally:
            stop[0] = 1
            while wait([running], timeout=0.02).not_done:
                search.halt()
    running.result()
    return finished


@dataclass(frozen=True, slots=True)
class _Priced:
    """A plan in floating point: ``values`` as the rows of the network."""

    decision: Decision
    latency: float
    values: tuple[float, ...]

    @property
    def front_order(self) -> tuple[Any, ...]:
        return self.values[COST], self.values[LOSS], self.latency, self.decision.order


class _StoppedError(Exception):
    """Raised to unwind when the work is to end early."""


class _Search:
    """One question under way: its bounds, and the plans that hold them, as found so far."""

    def __init__(self, space: Space, query: Query, options: Options) -> None:
        self.space, self.query, self.options = space, query, options
        self.sides = side_bounds(space, query)
        self.measure = measure(space.problem, query.additive)
        self.costs = space.costs(self.measure)
        self.front = query.kind == "frontier"
        self.goal = LOSS if query.objective == "accuracy" and not self.front else COST
        self.top = query.top if query.kind == "rank" else 1
        cap = query.latency_cap if query.additive == "latency" else inf
        self.caps = np.array([cap, -query.accuracy_floor, *(side.cap for side in self.sides)])
        self.pool: dict[Decision, _Priced] = {}
        self.paths: dict[Decision, tuple[int, frozenset[int]]] = {}
        self.scored, self.done = 0, 0
        self.solver: Any = None
        self.stop = np.zeros(1, np.int64)

    def network(self, lane: int) -> Network:
        return network_of(self.space, lane, self.costs, self.sides, every_option=self.query.kind == "rank")

    def order(self, plan: _Priced) -> tuple[Any, ...]:
        """Return what is compared among plans, the least first."""
        cost, loss = plan.values[COST], plan.values[LOSS]
        if self.goal == LOSS:
            return loss, cost, plan.decision.order
        return cost, plan.latency, loss, plan.decision.order

    def answer(self) -> tuple[Decision, ...]:
        """Return the best plans found, or those that no other beats, in order."""
        if not self.front:
            return tuple(plan.decision for plan in sorted(self.pool.values(), key=self.order)[: self.top])
        kept, least = [], inf
        for plan in sorted(self.pool.values(), key=lambda plan: plan.front_order):
            if plan.values[LOSS] < least - TOLERANCE:
                kept.append(plan.decision)
            least = min(least, plan.values[LOSS])
        return tuple(kept)

    # Pricing

    def price(self, decision: Decision) -> _Priced:
        """Return the plan in floating point."""
        problem = self.space.problem
        plan = price(problem, decision)
        cost = plan.latency_s if self.query.additive == "latency" else evaluate(problem, decision, self.query.additive)
        sides = (evaluate_tables(problem, decision, side.measure) for side in self.sides)
        self.scored += 1
        return _Priced(decision, plan.latency_s, (cost, -(plan.accuracy or 0.0), *sides))

    def offer(self, network: Network, path: Iterable[int], caps: Floats, strict: int | None) -> _Priced | None:
        """Price the plan of a path, and keep it; return it if it holds the caps of the question and these."""
        arcs = frozenset(path)
        decision = decision_along(self.space, network, arcs)
        plan = self.pool.get(decision) or self.price(decision)
        if not holds(plan, self.caps, None):
            return None
        self.pool[decision] = plan
        self.paths[decision] = (network.lane, arcs)
        return plan if holds(plan, caps, strict) else None

    def walks(self, network: Network, path: Sequence[int]) -> bool:
        """Return whether a path keeps the rules that its network does not know."""
        space, kinds = self.space, network.kind[path]
        groups = space.group[network.node[path][(kinds == ENTER) | (kinds == CROSS)]].tolist()
        options = network.option[path][kinds == PIECE]
        used = sum(1 << group for group in set(groups))
        asked = network.lane == 0 or bool(space.option_exit[options].any())
        counted = space.fewest <= len(groups) <= space.most and len(set(groups)) == len(groups)
        return asked and counted and all(used & mask for mask in space.required.tolist())

    # CP-SAT

    def halt(self) -> None:
        """End the work of CP-SAT early; called from another thread."""
        if self.solver is not None:
            self.solver.stop_search()

    def solve(self, model: Any, callback: Any = None, **parameters: Any) -> tuple[Any, Any]:
        """Return CP-SAT's status and the solver."""
        from ortools.sat.python import cp_model

        solver: Any = cp_model.CpSolver()
        workers = self.options.workers or 1
        given = {"num_workers": workers, "interleave_search": workers > 1, "random_seed": self.options.seed % 2**31}
        for name, value in {**given, "catch_sigint_signal": False, **parameters}.items():
            setattr(solver.parameters, name, value)
        self.solver = solver
        if self.stop[0]:
            raise _StoppedError
        status = solver.solve(model.cp, callback)
        if status == cp_model.MODEL_INVALID:
            raise RuntimeError(f"CP-SAT does not take the model: {model.cp.validate()}")
        return status, solver

    def bounded(self, network: Network, row: int, caps: Floats, strict: int | None) -> Floats:
        """Return a lower bound for each arc, and keep the plans that come up."""
        best = [caps[row]]

        def look(path: list[int]) -> float:
            plan = self.offer(network, path, caps, strict) if self.walks(network, path) else None
            if plan is not None:
                best[0] = min(best[0], plan.values[row])
            return float(best[0])

        bounds = bound_arcs(network, row, caps, float(caps[row]), look)
        caps[row] = best[0]
        return bounds

    def least(
        self,
        network: Network,
        row: int,
        caps: Floats,
        strict: int | None = None,
        without: Sequence[frozenset[int]] = (),
    ) -> _Priced | None:
        """Return the plan of the lane that is least in a row; `caps` are lowered to it."""
        from ortools.sat.python import cp_model

        without = list(without)
        aim = caps[row]
        if without:
            bounds = bound_arcs(network, row, caps, float(aim), lambda _: inf)
        else:
            bounds = self.bounded(network, row, caps, strict)
        while True:
            arcs = np.flatnonzero(bounds <= caps[row])
            if not len(arcs):
                return None
            scouting = len(arcs) > _SCOUTED and caps[row] == inf
            objective = None if scouting else row
            model = build_model(self.space, network, arcs, caps, objective=objective, strict=strict, without=without)
            status, solver = self.solve(model, stop_after_first_solution=scouting)
            path = self.path_of(model, solver, status)
            plan = None if path is None else self.offer(network, path, caps, strict)
            if self.stop[0] or status == cp_model.UNKNOWN:
                raise _StoppedError
            if path is None:
                return None
            if plan is None:
                without.append(path)
            elif scouting:
                caps[row] = plan.values[row]
                bounds = np.maximum(bounds, bound_arcs(network, row, caps, float(caps[row]), lambda _: inf))
            else:
                caps[row] = plan.values[row]
                return plan

    @staticmethod
    def path_of(model: Any, solver: Any, status: Any) -> frozenset[int] | None:
        from ortools.sat.python import cp_model

        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        return frozenset(
            arc for arc, taken in zip(model.arcs.tolist(), model.taken, strict=True) if solver.boolean_value(taken)
        )

    def tied(self, network: Network, row: int, caps: Floats, strict: int | None = None) -> bool:
        """Keep every plan of the lane that holds the caps; return whether these were all there are."""
        from ortools.sat.python import cp_model

        bounds = bound_arcs(network, row, caps, float(caps[row]), lambda _: inf)
        model = build_model(
            self.space, network, np.flatnonzero(bounds <= caps[row]), caps, objective=None, strict=strict
        )
        offer, count = self.offer, 0

        class Listed(cp_model.CpSolverSolutionCallback):  # type: ignore[misc]
            def on_solution_callback(self) -> None:
                nonlocal count
                count += 1
                pairs = zip(model.arcs.tolist(), model.taken, strict=True)
                offer(network, (arc for arc, taken in pairs if self.boolean_value(taken)), caps, strict)
                if count >= most:
                    self.stop_search()

        most = max(_MOST_TIED, self.top)
        if len(model.arcs):
            self.solve(model, Listed(), num_workers=1, interleave_search=False, enumerate_all_solutions=True)
        if self.stop[0]:
            raise _StoppedError
        return count < most

    # The question, lane by lane

    def run(self, stop: Ints) -> None:
        """Answer the question, until told to stop."""
        self.stop = stop
        try:
            self.begin()
            networks = [self.network(lane) for lane in range(len(self.space.lanes))]
            for network in sorted(networks, key=self.floor):
                self.lane_frontier(network) if self.front else self.lane_best(network)
                self.done += 1
        except _StoppedError:
            pass

    def floor(self, network: Network) -> float:
        """Return a lower bound on the objective of a lane."""
        free = np.full(len(self.caps), inf)
        return float(bound_arcs(network, self.goal, free, inf, lambda _: inf).min(initial=inf))

    def begin(self) -> None:
        """Take over what the labels solver says of the question without the bounds that it lacks."""
        from tiercut.solvers import labels, registry

        query = replace(self.query, bounds=())
        if query.additive != "latency":
            query = replace(query, max_latency_s=None)
        if self.front or not registry.needs(self.space, query) <= registry.SOLVERS["labels"].supports:
            return
        limit = min(_HINT_S, self.options.time_limit_s or _HINT_S)
        for decision in labels.solve(
            self.space, query, replace(self.options, time_limit_s=limit, progress=None)
        ).decisions:
            plan = self.price(decision)
            if holds(plan, self.caps, None):
                self.pool[decision] = plan

    def cutoff(self) -> float:
        """Return the value of the N-th best plan so far."""
        if len(self.pool) < self.top:
            return inf
        return sorted(plan.values[self.goal] for plan in self.pool.values())[self.top - 1]

    def lane_best(self, network: Network) -> None:
        """Find the best plans of a lane, as far as they are among the best of all."""
        goal = self.goal
        if self.top < self.space.decisions:
            for _ in range(self.top):
                caps = self.caps.copy()
                caps[goal] = min(caps[goal], self.cutoff())
                known = [path for lane, path in self.paths.values() if lane == network.lane] if self.top > 1 else []
                if self.least(network, goal, caps, without=known) is None:
                    break
        caps = self.caps.copy()
        caps[goal] = min(caps[goal], self.cutoff())
        rows = (COST,) if goal == LOSS else (COST, LOSS)
        complete = (goal != LOSS or self.top > 1) and self.tied(network, goal, caps)
        for row in rows:
            if complete or self.top > 1:
                break
            if row != goal:
                self.least(network, row, caps)
            complete = self.tied(network, row, caps)

    def lane_frontier(self, network: Network) -> None:
        """Find the points of a lane that nothing beats, from the cheapest on."""
        strict, caps = None, self.caps.copy()
        while True:
            caps[COST] = self.caps[COST]
            if self.least(network, COST, caps, strict) is None:
                return
            self.tied(network, COST, caps, strict)
            caps[LOSS] = min(plan.values[LOSS] for plan in self.pool.values() if plan.values[COST] <= caps[COST])
            strict = LOSS


def holds(plan: _Priced, caps: Floats, strict: int | None) -> bool:
    """Return whether a plan is within caps, strictly so in one row."""
    within = all(value <= cap for value, cap in zip(plan.values, caps.tolist(), strict=True))
    return within and (strict is None or plan.values[strict] < caps[strict])
