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
from tiercut.solvers.cp_bounds import Relaxation
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
_PATIENCE = 3  # plans as good as the best known that are looked for one by one
_SCOUTED = 3000  # arcs beyond which any plan at all is looked for before the best
_FEW = 300  # arcs that CP-SAT is given at once
_BEAMS = (20, 100, 300)  # widths of the searches for good plans
_PARAMETERS = {
    "catch_sigint_signal": False,  # Ctrl-C is Python's to see
    "linearization_level": 2,  # the relaxed flow says most
    "cp_model_presolve": False,  # of models that have solutions it now and then finds that they have none
}
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
    _watched(search)
    decisions = search.answer()
    status: Status = "feasible" if search.reason else "optimal" if decisions else "infeasible"
    seconds = time.perf_counter() - began
    return Outcome("cp-sat", True, status, decisions, seconds, search.scored, search.reason)


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


def _watched(search: _Search) -> None:
    """Run a search in a thread of its own, which can be told to stop."""
    stop = np.zeros(1, np.int64)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(search.run, stop)
        try:
            watch([running], [stop], search.options, lambda: (search.done, len(search.space.lanes)))
        finally:
            stop[0] = 1
            while wait([running], timeout=0.02).not_done:
                search.halt()
    running.result()


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
        self.scored, self.done, self.reason = 0, 0, ""
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

    def offer(self, network: Network, path: Iterable[int]) -> _Priced | None:
        """Price the plan of a path; keep and return it if it holds the bounds of the question."""
        arcs = frozenset(path)
        decision = decision_along(self.space, network, arcs)
        plan = self.pool.get(decision) or self.price(decision)
        if not holds(plan, self.caps, None):
            return None
        self.pool[decision] = plan
        self.paths[decision] = (network.lane, arcs)
        return plan

    def nth(self, row: int, caps: Floats, strict: int | None) -> float:
        """Return the value in a row of the `top`-th best plan that is known and holds some caps."""
        values = [plan.values[row] for plan in self.pool.values() if holds(plan, caps, strict)]
        return sorted(values)[self.top - 1] if len(values) >= self.top else inf

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
        for name, value in {**given, **_PARAMETERS, **parameters}.items():
            setattr(solver.parameters, name, value)
        self.solver = solver
        if self.stop[0]:
            raise _StoppedError
        status = solver.solve(model.cp, callback)
        if status == cp_model.MODEL_INVALID:
            raise RuntimeError(f"CP-SAT does not take the model: {model.cp.validate()}")
        return status, solver

    def relaxed(self, network: Network, row: int, caps: Floats) -> Relaxation:
        """Return the relaxation of a lane, bounded by a first shortest path."""
        made = Relaxation(self.space, network, row, caps)
        made.measure(made.prices)
        return made

    def sweep(self, network: Network, row: int, caps: Floats, strict: int | None = None) -> float:
        """Find the best plans of a lane in a row, and return the value of the `top`-th of all that hold the caps."""
        relaxed, without, ties = self.relaxed(network, row, caps), list[frozenset[int]](), 0

        def look(path: Iterable[int]) -> float:
            if self.walks(network, list(path)):
                self.offer(network, path)
            return self.nth(row, caps, strict)

        relaxed.cut(self.nth(row, caps, strict))
        relaxed.tighten(look)
        for width in _BEAMS:
            if len(relaxed.arcs) > _FEW:
                relaxed.search(look, width)
                relaxed.tighten(look)
        while len(relaxed.arcs) and ties <= _PATIENCE:
            before = float(relaxed.caps[row])
            path = self.better(relaxed, caps, strict, without)
            if path is None:
                return self.nth(row, caps, strict)
            plan = self.offer(network, path)
            if plan is None or not holds(plan, caps, strict):
                without.append(path)
            relaxed.cut(self.nth(row, caps, strict))
            if relaxed.caps[row] == before:
                ties += 1
            elif len(relaxed.arcs) > _SCOUTED:
                relaxed.tighten(look)
        if ties > _PATIENCE:
            self.list_all(relaxed, strict)
        return self.nth(row, caps, strict)

    def better(
        self, relaxed: Relaxation, caps: Floats, strict: int | None, without: Sequence[frozenset[int]]
    ) -> frozenset[int] | None:
        """Return a plan that is not known and may be as good as the best known; None: there is none."""
        from ortools.sat.python import cp_model

        network, row = relaxed.network, relaxed.objective
        within = relaxed.caps if row != strict else caps
        known = [
            path
            for decision, (lane, path) in self.paths.items()
            if lane == network.lane and holds(self.pool[decision], within, strict)
        ]
        scouting = len(relaxed.arcs) > _SCOUTED and relaxed.caps[row] == inf
        arguments = {"strict": strict, "without": without, "known": known, "objective": None if scouting else row}
        model = build_model(self.space, network, relaxed.arcs, relaxed.caps, **arguments)
        if known:
            model.hint(known[-1])
        status, solver = self.solve(model, stop_after_first_solution=scouting)
        path = self.path_of(model, solver, status)
        if self.stop[0] or status == cp_model.UNKNOWN:
            if path is not None:
                self.offer(network, path)
            raise _StoppedError
        if path is None and known and row != strict:
            raise _StoppedError("CP-SAT does not see a plan that is known")
        return path if path is None or scouting or solver.objective_value <= model.above else None

    @staticmethod
    def path_of(model: Any, solver: Any, status: Any) -> frozenset[int] | None:
        from ortools.sat.python import cp_model

        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        return frozenset(
            arc for arc, taken in zip(model.arcs.tolist(), model.taken, strict=True) if solver.boolean_value(taken)
        )

    def list_all(self, relaxed: Relaxation, strict: int | None = None) -> None:
        """Keep all plans of the lane that hold the caps, or as many as there is room for."""
        from ortools.sat.python import cp_model

        network, offer, most, count = relaxed.network, self.offer, max(_MOST_TIED, 2 * self.top), 0
        model = build_model(self.space, network, relaxed.arcs, relaxed.caps, objective=None, strict=strict)
        pairs = list(zip(model.arcs.tolist(), model.taken, strict=True))

        class Listed(cp_model.CpSolverSolutionCallback):  # type: ignore[misc]
            def on_solution_callback(self) -> None:
                nonlocal count
                count += 1
                offer(network, [arc for arc, taken in pairs if self.boolean_value(taken)])
                if count >= most:
                    self.stop_search()

        if pairs:
            self.solve(model, Listed(), num_workers=1, interleave_search=False, enumerate_all_solutions=True)
        if self.stop[0]:
            raise _StoppedError

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
        except _StoppedError as stopped:
            self.reason = str(stopped) or "stopped before the end"

    def floor(self, network: Network) -> float:
        """Return a lower bound on the objective of a lane."""
        free = np.full(len(self.caps), inf)
        return float(self.relaxed(network, self.goal, free).bounds.min(initial=inf))

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

    def lane_best(self, network: Network) -> None:
        """Find the best plans of a lane, as far as they are among the best of all."""
        if self.top >= self.space.decisions:
            self.list_all(self.relaxed(network, self.goal, self.caps))
        elif self.goal == COST or self.top > 1:
            self.sweep(network, self.goal, self.caps)
        else:
            # Many plans are equally accurate; only the least costly of them are of interest.
            caps = self.caps.copy()
            caps[LOSS] = min(caps[LOSS], self.sweep(network, LOSS, caps, LOSS))
            self.sweep(network, COST, caps)

    def lane_frontier(self, network: Network) -> None:
        """Find the points of a lane that nothing beats, from the cheapest on."""
        strict, caps = None, self.caps.copy()
        while (cost := self.sweep(network, COST, caps, strict)) < inf:
            caps[LOSS] = min(plan.values[LOSS] for plan in self.pool.values() if plan.values[COST] <= cost)
            strict = LOSS


def holds(plan: _Priced, caps: Floats, strict: int | None) -> bool:
    """Return whether a plan is within caps, strictly so in one row."""
    within = all(value <= cap for value, cap in zip(plan.values, caps.tolist(), strict=True))
    return within and (strict is None or plan.values[strict] < caps[strict])
