"""The choice among plans that are known: relaxed by GLOP, which says what limits are worth, and whole by SCIP.

All limits are scaled so that 1 is what they allow.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from tiercut.errors import QuestionError
from tiercut.optimizer import SLACK
from tiercut.solvers.joint.columns import Multipliers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiercut.solvers.joint.columns import Column
    from tiercut.solvers.joint.task import Floats

    Bools = NDArray[np.bool_]

__all__ = ["Choice", "Master", "Stage", "choose_whole", "goal_value", "undominated"]

Stage: TypeAlias = Literal["mean", "worst", "served", "short"]
"""A goal; or ``short``: the least factor of all limits with which there is a joint plan."""

_NODES = 3000
_OVER = 1e-9  # above a limit by more is above it
_MOST_CUTS = 50


def _linear_solver(kind: str) -> Any:
    if "tensorflow" in sys.modules and "ortools" not in sys.modules:
        raise QuestionError(
            "several sources need OR-tools, which cannot be loaded after TensorFlow; import "
            "ortools.linear_solver.pywraplp before TensorFlow, or ask in a process of its own"
        )
    from ortools.linear_solver import pywraplp

    found = pywraplp.Solver.CreateSolver(kind)
    if found is None:
        raise QuestionError(f"this build of OR-tools has no {kind}; install the package ortools from its own wheels")
    return found


class Master:
    """The relaxed choice: a share of each plan, shares of a stream's plans adding up to 1.

    Parameters
    ----------
    stage
        What is minimised.
    weights
        S: of the streams, adding up to 1.
    limits
        How many limits there are.
    optional
        S: which streams may be left out; None: none.
    most
        How much of each limit may be taken.
    """

    def __init__(
        self, stage: Stage, weights: Floats, limits: int, optional: Bools | None = None, most: float = 1.0
    ) -> None:
        self.optional = np.zeros(len(weights), bool) if optional is None else optional
        self.stage, self.weights = stage, weights
        self.solver = _linear_solver("GLOP")
        self.goal = self.solver.Objective()
        self.goal.SetMinimization()
        count = len(weights)
        self.picks = [self.solver.Constraint(1.0, 1.0) for _ in range(count)]
        free = -self.solver.infinity()
        self.most = most + SLACK
        self.limits = [self.solver.Constraint(free, 0.0 if stage == "short" else self.most) for _ in range(limits)]
        self.lates = [self.solver.Constraint(free, 0.0) for _ in range(count)] if stage == "worst" else []
        self.shares: list[dict[int, tuple[Column, Any]]] = [{} for _ in range(count)]
        self.left: dict[int, Any] = {}
        self.over: list[Any] = []
        self.penalty = 0.0
        self.exceeds = False  # whether the last choice is above a limit, as it may be where these are loosened
        self.changed, self.solved = True, False
        if stage in ("worst", "short"):
            top = self._variable(1.0)
            for row in self.lates or self.limits:
                row.SetCoefficient(top, -1.0)
        for place in np.flatnonzero(self.optional).tolist():
            self.left[place] = self._variable(float(weights[place]) if stage == "served" else 0.0)
            self.picks[place].SetCoefficient(self.left[place], 1.0)

    def _variable(self, cost: float) -> Any:
        made = self.solver.NumVar(0.0, self.solver.infinity(), "")
        self.goal.SetCoefficient(made, cost)
        return made

    def add(self, place: int, column: Column) -> bool:
        """Take a plan of a stream into account; return whether it is new."""
        if id(column) in self.shares[place]:
            return False
        made = self._variable(float(self.weights[place]) * column.latency_s if self.stage == "mean" else 0.0)
        self.shares[place][id(column)] = column, made
        self.changed = True
        self.picks[place].SetCoefficient(made, 1.0)
        if self.lates:
            self.lates[place].SetCoefficient(made, column.latency_s)
        for row, load in zip(self.limits, column.loads, strict=True):
            if load:
                row.SetCoefficient(made, float(load))
        return True

    def loosen(self, penalty: float) -> None:
        """Let limits be exceeded, at a penalty for each time of what one allows; 0: no more."""
        if not self.over:
            self.over = [self._variable(penalty) for _ in self.limits]
            for row, made in zip(self.limits, self.over, strict=True):
                row.SetCoefficient(made, -1.0)
        for made in self.over:
            self.goal.SetCoefficient(made, penalty)
            made.SetUb(self.solver.infinity() if penalty else 0.0)
        self.penalty = penalty

    def solve(self) -> tuple[float, Multipliers, Floats]:
        """Return the least value, what plans are to be priced by, and what each stream's best plan may cost (S)."""
        status = self.solver.Solve()
        self.changed, self.solved = False, status == self.solver.OPTIMAL
        count = len(self.weights)
        if not self.solved:
            return inf, Multipliers(np.zeros(count), np.zeros(len(self.limits))), np.zeros(count)
        self.exceeds = any(made.solution_value() > _OVER for made in self.over)
        prices = np.maximum([-row.dual_value() for row in self.limits], 0.0)
        late = self.weights if self.stage == "mean" else np.zeros(count)
        if self.lates:
            late = np.maximum([-row.dual_value() for row in self.lates], 0.0)
            late = late / late.sum() if late.sum() > 0 else self.weights
        if self.stage == "short" and prices.sum() > 0:
            prices = prices / prices.sum()
        own = np.array([row.dual_value() for row in self.picks])
        return float(self.goal.Value()), Multipliers(late, prices.reshape(len(self.limits))), own

    @property
    def mixed(self) -> tuple[list[list[tuple[Column, float]]], Floats]:
        """The plans that the last choice takes of each stream, with their shares; and by how much each is left out.

        Nothing where there is no choice.
        """
        if self.changed:
            self.solve()
        if not self.solved:
            return [[] for _ in self.shares], np.zeros(len(self.weights))
        shares = [[(column, float(made.solution_value())) for column, made in own.values()] for own in self.shares]
        left = np.zeros(len(self.weights))
        for place, made in self.left.items():
            left[place] = made.solution_value()
        return shares, left

    @property
    def latest(self) -> float:
        """The greatest latency of the plans that the last choice takes, however little; inf without a choice."""
        taken = [column.latency_s for own in self.mixed[0] for column, share in own if share > _OVER]
        return max(taken, default=inf)

    def least(self, values: Floats) -> Floats:
        """Return the least that each stream adds, from what its cheapest plan costs: it may also be left out."""
        left = self.weights if self.stage == "served" else np.zeros(len(values))
        return np.where(self.optional, np.minimum(values, left), values)

    def allowed(self, at: Multipliers) -> float:
        """Return what is taken off the sum of what streams add: no joint plan is below the difference."""
        return 0.0 if self.stage == "short" else self.most * float(at.limits.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A whole choice: a column for each stream (None: not served), and whether it is proved to be the best of those.

    Without a choice `picked` is empty, and `proved` says whether there is none.
    """

    picked: tuple[Column | None, ...]
    value: float
    proved: bool


def goal_value(stage: Stage, weights: Floats, picked: Sequence[Column | None]) -> float:
    """Return what a choice is worth; of ``served`` the weight that is left out."""
    if stage == "served":
        return sum((float(w) for w, each in zip(weights, picked, strict=True) if each is None), start=0.0)
    seconds = [(float(w), each.latency_s) for w, each in zip(weights, picked, strict=True) if each is not None]
    if stage == "worst":
        return max((latency for _, latency in seconds), default=0.0)
    if stage == "short":
        return float(sum((each.loads for each in picked if each is not None), np.zeros(1)).max())
    return sum(w * latency for w, latency in seconds)


def choose_whole(  # noqa: PLR0912 a model, row by row
    stage: Stage,
    weights: Floats,
    columns: Sequence[Sequence[Column]],
    limits: int,
    seconds: float = inf,
    bound: float = 0.0,
) -> Choice:
    """Return the best whole choice among columns.

    What SCIP returns is added up again here. Where it uses a tolerance of its own to exceed a limit, that choice is
    forbidden and the next best is looked for.

    Parameters
    ----------
    stage, weights, limits
        As `Master` takes them.
    columns
        Of each stream.
    seconds
        After which to stop.
    bound
        For ``worst``: a latency of which it is known that no choice is quicker, so that it makes no difference below.
    """
    solver = _linear_solver("SCIP")
    solver.SetSolverSpecificParametersAsString(
        f"numerics/feastol = 1e-9\nlimits/nodes = {_NODES}\nmisc/catchctrlc = FALSE"
    )
    if seconds < inf:
        solver.SetTimeLimit(max(int(seconds * 1000), 1))
    goal = solver.Objective()
    goal.SetMinimization()
    # SCIP's tolerances are absolute: latencies are counted in thousandths of what they are at least.
    quickest = [min((column.latency_s for column in own), default=0.0) for own in columns]
    least = max(quickest, default=0.0) if stage == "worst" else float(np.dot(weights, quickest))
    unit = 1e3 / least if least > 0 else 1.0
    free = -solver.infinity()
    bounds = [solver.Constraint(free, 0.0 if stage == "short" else 1.0 + SLACK) for _ in range(limits)]
    top = None
    if stage in ("worst", "short"):
        top = solver.NumVar(0.0, solver.infinity(), "")
        goal.SetCoefficient(top, 1.0)
    if stage == "short":
        for row in bounds:
            row.SetCoefficient(top, -1.0)
    made: list[list[Any]] = []
    for weight, own in zip(weights, columns, strict=True):
        pick = solver.Constraint(1.0, 1.0)
        late = solver.Constraint(free, 0.0) if stage == "worst" else None
        if late is not None:
            late.SetCoefficient(top, -1.0)
        if stage == "served":
            left = solver.BoolVar("")
            goal.SetCoefficient(left, float(weight))
            pick.SetCoefficient(left, 1.0)
        made.append([])
        for column in own:
            one = solver.BoolVar("")
            made[-1].append(one)
            pick.SetCoefficient(one, 1.0)
            if stage == "mean":
                goal.SetCoefficient(one, unit * float(weight) * column.latency_s)
            if late is not None:
                late.SetCoefficient(one, unit * max(column.latency_s, bound))
            for row, load in zip(bounds, column.loads, strict=True):
                if load:
                    row.SetCoefficient(one, float(load))
    for _ in range(_MOST_CUTS):
        status = solver.Solve()
        if status not in (solver.OPTIMAL, solver.FEASIBLE):
            return Choice((), inf, status == solver.INFEASIBLE)
        chosen = [next((at for at, one in enumerate(ones) if one.solution_value() > 0.5), None) for ones in made]
        picked = tuple(None if at is None else own[at] for at, own in zip(chosen, columns, strict=True))
        loads = sum((each.loads for each in picked if each is not None), np.zeros(limits))
        if stage == "short" or bool((loads <= 1.0 + SLACK).all()):
            return Choice(picked, goal_value(stage, weights, picked), status == solver.OPTIMAL)
        taken = [ones[at] for at, ones in zip(chosen, made, strict=True) if at is not None]
        cut = solver.Constraint(free, len(taken) - 1.0)
        for one in taken:
            cut.SetCoefficient(one, 1.0)
    return Choice((), inf, False)


def undominated(columns: Sequence[Column]) -> list[Column]:
    """Return the columns that no other is as good as in latency and in what it takes of every limit."""
    if not columns:
        return []
    table = np.array([(column.latency_s, *column.loads) for column in columns])
    order = np.lexsort(table.T[::-1])
    kept: list[int] = []
    for at in order:
        if not kept or not (table[kept] <= table[at]).all(axis=1).any():
            kept.append(int(at))
    return [columns[at] for at in kept]
