"""The search for the best plans of each threshold: what CP-SAT solves, and what it is spared."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.solvers.cp_sat.bounds import ROUNDS, Relaxation
from tiercut.solvers.cp_sat.decision_graph import COST, CROSS, END, ENTER, LOSS, PIECE, Network, network_of
from tiercut.solvers.cp_sat.model import build_model
from tiercut.solvers.cp_sat.plans import Plans, holds
from tiercut.solvers.parallel import Ending
from tiercut.solvers.registry import find, needs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiercut.solvers.cp_sat.bounds import Look
    from tiercut.solvers.interface import Options
    from tiercut.solvers.task import Task

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Search", "without_constraints"]

_MOST_TIED = 500  # plans as good as the best that are listed
_PATIENCE = 3  # plans as good as the best known that are looked for one by one
_SCOUTED = 3000  # arcs beyond which any plan at all is looked for before the best
_FEW = 300  # arcs that CP-SAT gets at once
_AGAIN = 10  # rounds of the bounds for later points of a frontier, as they begin with the last ones
_FEW_PATHS = 200  # paths that are looked at one by one, if there are no more: that takes as long as a model
_MANY_PATHS = 5000  # the same, in place of a list by CP-SAT
_STEPS_A_PATH = 200  # arcs that are tried for each of them
_BEAMS = (20, 100, 300)  # widths of the searches for good plans
_PARAMETERS = {
    "catch_sigint_signal": False,  # Ctrl-C is Python's to see
    "linearization_level": 2,  # the relaxed flow says most,
    "add_lp_constraints_lazily": False,  # and as a whole
    # NOTE Presolve finds now and then (3 of 390 random questions, OR-tools 9.15) that a model has no solution while the
    # one that the search finds without it satisfies every constraint in exact integers, also where no coefficient
    # exceeds 2^30. Without its look for constraints that include each other that was not seen again; all the same it
    # is off unless it is wanted.
    "presolve_inclusion_work_limit": 0,
}
_HINT_S = 2.0  # seconds that the labels solver gets


class StoppedError(Exception):
    """Raised to unwind when the work is to end early."""


def without_constraints(task: Task) -> Task | None:
    """Return what the labels solver is asked to begin with; None if it does not support that either."""
    relaxed = replace(task, constraints=())
    return relaxed if needs(relaxed) <= find("labels").features else None


class Search:
    """One search: its constraints, and the plans that hold them, as found so far."""

    def __init__(self, task: Task, options: Options) -> None:
        self.task, self.space, self.options = task, task.space, options
        self.plans = Plans(task)
        self.done, self.reason = 0, ""
        self.solver: Any = None
        self.stop = np.zeros(1, np.int64)

    def network(self, index: int) -> Network:
        """Return the graph of a threshold."""
        task = self.task
        return network_of(self.space, index, task.costs, task.constraints, every_option=task.kind == "rank")

    def admits(self, network: Network, path: Sequence[int]) -> bool:
        """Return whether a path keeps the rules that its network does not know."""
        space, kinds = self.space, network.kind[path]
        groups = space.group[network.node[path][(kinds == ENTER) | (kinds == CROSS)]].tolist()
        options = network.option[path][kinds == PIECE]
        evaluated = network.index == 0 or bool(space.option_exit[options].any())
        counted = space.fewest <= len(groups) <= space.most and len(set(groups)) == len(groups)
        used = bool(space.required[:, groups].any(axis=1).all())
        return evaluated and counted and used and self._fits(network, path)

    def _fits(self, network: Network, path: Sequence[int]) -> bool:
        """Return whether no partition goes further than its node has room for."""
        nodes, ends, kinds = network.node[path], network.end[path], network.kind[path]
        arriving, running = (kinds == ENTER) | (kinds == CROSS), (kinds == PIECE) | (kinds == END)
        begins = np.zeros(len(self.space.group), np.int64)
        begins[nodes[arriving]] = ends[arriving] + 1
        furthest = self.space.furthest[nodes[running], begins[nodes[running]]]
        return bool((ends[running] <= furthest).all())

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
        settings = {"num_workers": workers, "interleave_search": workers > 1, "random_seed": self.options.seed % 2**31}
        settings["cp_model_presolve"] = self.options.presolve
        for name, value in {**settings, **_PARAMETERS, **parameters}.items():
            setattr(solver.parameters, name, value)
        self.solver = solver
        if self.stop[0]:
            raise StoppedError
        status = solver.solve(model.cp, callback)
        if status == cp_model.MODEL_INVALID:
            raise RuntimeError(f"CP-SAT does not take the model: {model.cp.validate()}")
        return status, solver

    def relaxed(self, network: Network, row: int, caps: Floats) -> Relaxation:
        """Return the relaxation of a threshold, bounded by a first shortest path."""
        relaxed = Relaxation(self.space, network, row, caps)
        relaxed.measure(relaxed.prices)
        return relaxed

    def sweep(self, relaxed: Relaxation, caps: Floats, strict: int | None = None, rounds: int = ROUNDS) -> float:
        """Find the best plans of a threshold in a row; return the value of the `top`-th of all that hold the caps."""
        network, row = relaxed.network, relaxed.objective
        without, ties, best = list[frozenset[int]](), 0, self.plans.best(row, caps, strict)

        def look(path: list[int]) -> float:
            if self.stop[0]:
                raise StoppedError
            if self.admits(network, path):
                best.see(self.plans.offer(network, path))
            return best.nth

        relaxed.cut(best.nth)
        if relaxed.closed or self._few(relaxed, look, strict, _FEW_PATHS):
            return best.nth
        relaxed.tighten(look, rounds)
        for width in _BEAMS:
            if len(relaxed.arcs) > _FEW:
                relaxed.search(look, width)
                relaxed.tighten(look)
        done = relaxed.closed or self._few(relaxed, look, strict, _FEW_PATHS)
        while not done and len(relaxed.arcs) and ties <= _PATIENCE:
            path = self.better(relaxed, strict, without)
            if path is None:
                break
            plan, before = self.plans.offer(network, path), float(relaxed.caps[row])
            if plan is None or not holds(plan, caps, strict):
                without.append(path)
                continue
            ties += plan.values[row] >= before
            best.see(plan)
            relaxed.cut(best.nth)
            if relaxed.caps[row] < before and len(relaxed.arcs) > _SCOUTED:
                relaxed.tighten(look)
        if ties > _PATIENCE and not self._few(relaxed, look, strict, _MANY_PATHS):
            self.list_all(relaxed, strict)
            best = self.plans.best(row, caps, strict)
        return best.nth

    def _few(self, relaxed: Relaxation, look: Look, strict: int | None, most: int) -> bool:
        """Look at all paths that are left, the best first, if they are no more than so many; return whether they were.

        Those behind the best known are not looked at.
        """
        paths = relaxed.paths(most, most * _STEPS_A_PATH, strict, self.stop)
        if self.stop[0]:
            raise StoppedError
        for path in paths or ():
            if not relaxed.of_interest(relaxed.value(path)):
                break
            relaxed.cut(look(path))
        return paths is not None

    def better(
        self, relaxed: Relaxation, strict: int | None, without: Sequence[frozenset[int]]
    ) -> frozenset[int] | None:
        """Return a plan that is not known and may be as good as the best known; None: there is none."""
        from ortools.sat.python import cp_model

        network, row = relaxed.network, relaxed.objective
        known = [] if row == strict else self.plans.known(relaxed, strict)
        scouting = len(relaxed.arcs) > _SCOUTED and relaxed.caps[row] == inf
        goal, caps = None if scouting else row, relaxed.caps
        model = build_model(
            self.space, network, relaxed.arcs, caps, objective=goal, strict=strict, without=without, known=known
        )
        if model.known:
            model.hint(model.known[-1])
        status, solver = self.solve(model, stop_after_first_solution=scouting)
        path = self.path_of(model, solver, status)
        if self.stop[0] or status == cp_model.UNKNOWN:
            if path is not None:
                self.plans.offer(network, path)
            raise StoppedError
        if path is None and model.known:
            raise StoppedError("CP-SAT does not see a plan that is known")
        return path if path is None or scouting or solver.objective_value <= model.above else None

    @staticmethod
    def path_of(model: Any, solver: Any, status: Any) -> frozenset[int] | None:
        """Return the arcs of CP-SAT's plan, if it has one."""
        from ortools.sat.python import cp_model

        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        return frozenset(
            arc for arc, taken in zip(model.arcs.tolist(), model.taken, strict=True) if solver.boolean_value(taken)
        )

    def list_all(self, relaxed: Relaxation, strict: int | None = None) -> None:
        """Keep all plans of the threshold that hold the caps, or as many as there is room for."""
        from ortools.sat.python import cp_model

        network, offer, most, count = relaxed.network, self.plans.offer, max(_MOST_TIED, 2 * self.plans.top), 0
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
            raise StoppedError

    # The task, threshold by threshold

    def run(self, stop: Ints) -> None:
        """Search all thresholds, until stopped."""
        self.stop = stop
        try:
            self.begin()
            networks = [self.network(index) for index in range(len(self.space.threshold_indices))]
            for network in sorted(networks, key=self.floor):
                self.frontier_at(network) if self.plans.front else self.best_at(network)
                self.done += 1
        except StoppedError as stopped:
            self.reason = str(stopped) or Ending.STOPPED

    def floor(self, network: Network) -> float:
        """Return a lower bound on the objective of a threshold."""
        free = np.full(len(self.plans.caps), inf)
        return float(self.relaxed(network, self.plans.goal, free).bounds.min(initial=inf))

    def begin(self) -> None:
        """Take over what the labels solver finds for the task without the constraints that it does not support."""
        relaxed, labels = without_constraints(self.task), find("labels")
        if relaxed is None:
            return
        limit = _HINT_S if self.options.time_limit_s is None else min(_HINT_S, self.options.time_limit_s)
        for decision in labels.solve(relaxed, replace(self.options, time_limit_s=limit, progress=None)).decisions:
            plan = self.plans.price(decision)
            if holds(plan, self.plans.caps, None):
                self.plans.keep(plan)

    def best_at(self, network: Network) -> None:
        """Find the best plans of a threshold, as far as they are among the best of all."""
        if self.plans.top >= self.space.decisions:
            self.list_all(self.relaxed(network, self.plans.goal, self.plans.caps))
        elif self.plans.goal == COST or self.plans.top > 1:
            self.sweep(self.relaxed(network, self.plans.goal, self.plans.caps), self.plans.caps)
        else:
            # Many plans are equally accurate; only the least costly of them are of interest.
            caps = self.plans.caps.copy()
            caps[LOSS] = min(caps[LOSS], self.sweep(self.relaxed(network, LOSS, caps), caps, LOSS))
            self.sweep(self.relaxed(network, COST, caps), caps)

    def frontier_at(self, network: Network) -> None:
        """Find the points of a threshold that no other dominates, from the cheapest on.

        What bounds an arc where plans may be less accurate bounds it from there on, so bounds and prices stay.
        """
        strict, caps = None, self.plans.caps.copy()
        relaxed, rounds = self.relaxed(network, COST, caps), ROUNDS
        while (cost := self.sweep(relaxed, caps, strict, rounds)) < inf:
            if self.stop[0]:  # which a sweep over plans that are all known does not look at
                raise StoppedError
            caps[LOSS] = self.plans.least_loss(cost)
            if strict is None and not isfinite(self.plans.caps[LOSS]):
                relaxed = self.relaxed(network, COST, caps)
            else:
                relaxed.lower(LOSS, caps[LOSS], self.plans.caps[COST])
                rounds = _AGAIN
            strict = LOSS
