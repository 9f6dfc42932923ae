"""What a frontier over two or three measures compares, as kernels see it, and the plans that nothing beats so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer.constraints import constraints_of
from tiercut.optimizer.measures.tables import measure
from tiercut.solvers.encoding import Layout, decision_of
from tiercut.solvers.kernels.tree_kernels import TOP, offer_points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.plan import Decision
    from tiercut.optimizer.query import Query
    from tiercut.optimizer.space import Costs, Space

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Goals", "Points", "goals_of"]

_NOISE = 1e-12  # of a sum that was taken in another order, as a share of it
_ACCURACY_NOISE = 1e-13
_ROWS = 64
_TABLES = ("first", "span", "bare", "send", "result")


@dataclass(frozen=True, slots=True, eq=False)
class Goals:
    """R additive measures and accuracy, in the order in which a point has them.

    Parameters
    ----------
    costs
        R: tables of the additive measures.
    turned
        R+1: which of them (R: accuracy, its sign turned) stands at each place of a point: what is compared, in the
        order in which the frontier is sorted; what decides among equals (latency, accuracy); what is only bounded.
    compared, ties
        How many there are of the first two sorts.
    caps
        R+1: greatest value at each place of a point, slack included.
    loose
        2 x (R+1): by which share of what is added, and by what, a lower bound at each place may be too high, because
        it is summed in another order. Nothing for whole numbers, which are summed exactly.
    """

    costs: tuple[Costs, ...]
    turned: Ints
    compared: int
    ties: int
    caps: Floats
    loose: Floats

    @property
    def tables(self) -> tuple[Any, ...]:
        """First, span, bare, send and result, the measures in the last axis, and which of them count pieces whole."""
        stacked = (np.stack([getattr(each, name) for each in self.costs], axis=-1) for name in _TABLES)
        return *stacked, np.array([each.whole for each in self.costs], bool)


def goals_of(space: Space, query: Query) -> Goals:
    """Return what a question compares and bounds.

    Parameters
    ----------
    space, query
        A frontier that is not one measure against accuracy.
    """
    names = [name for name in query.compared if name != "accuracy"]
    rows = [*names, *(["latency"] if "latency" not in names else [])]
    sides = constraints_of(space, query)
    costs = [space.costs(measure(space.problem, name, query.rate_fps)) for name in rows]
    costs += [side.costs for side in sides]
    right = len(costs)
    least = [names.index(name) if name != "accuracy" else right for name in query.compared]
    deciding = [place for place in (rows.index("latency"), right) if place not in least]
    turned = [*least, *deciding, *range(len(rows), right)]
    caps = np.array([inf] * len(rows) + [side.cap for side in sides] + [-query.accuracy_floor])
    caps[rows.index("latency")] = query.latency_cap
    loose = np.array([*(_noise(each) for each in costs), (0.0, _ACCURACY_NOISE)]).T
    return Goals(
        tuple(costs), np.array(turned, np.int64), len(least), len(deciding), caps[turned], loose[:, turned].copy()
    )


def _noise(costs: Costs) -> tuple[float, float]:
    """Return by which share, and by what, a sum of a measure may differ when it is taken in another order."""
    values = [getattr(costs, name) for name in _TABLES]
    finite = [table[np.isfinite(table)] for table in values]
    if costs.whole and all((table == np.rint(table)).all() for table in finite):
        return 0.0, 0.0
    if all((table >= 0).all() for table in finite):
        return _NOISE, 0.0
    blocks = costs.span.shape[1]
    return _NOISE, _NOISE * blocks * max(float(np.abs(table).max(initial=0.0)) for table in finite)


@dataclass(slots=True)
class Points:
    """The plans that nothing beats, as kernels keep them (see `tiercut.solvers.kernels.tree_kernels.offer_point`)."""

    goals: Goals
    width: int
    points: Floats = field(init=False)
    keys: Ints = field(init=False)
    lows: Floats = field(init=False)
    state: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.points = np.empty((_ROWS, len(self.goals.turned)))
        self.keys = np.zeros((_ROWS, self.width), np.int64)
        self.lows = np.empty((_ROWS, self.goals.compared))  # more than one for each chunk of rows
        self.state = np.zeros(3, np.int64)

    @property
    def arrays(self) -> tuple[Floats, Ints, Floats, Ints]:
        """What kernels take and give back."""
        return self.points, self.keys, self.lows, self.state

    def take(self, made: Any) -> None:
        """Take over what a kernel gave back."""
        self.points, self.keys, self.lows, self.state = made

    @property
    def held(self) -> tuple[Floats, Ints]:
        """Points and keys of the plans that are held."""
        keys = self.keys[: self.state[TOP]]
        live = keys[:, 0] > 0
        return self.points[: self.state[TOP]][live], keys[live]

    def offer(self, points: Floats, keys: Ints) -> None:
        """Keep what nothing beats of more plans; the order in which they come does not matter."""
        self.take(offer_points(points, keys, self.goals.compared, self.goals.ties, *self.arrays))

    def merge(self, other: Points) -> None:
        """Keep what nothing beats of another's."""
        self.offer(*other.held)

    def copy(self) -> Points:
        """Return another one that holds the same."""
        made = Points(self.goals, self.width)
        for name in ("points", "keys", "lows", "state"):
            setattr(made, name, getattr(self, name).copy())
        return made

    def decisions(self, space: Space, layout: Layout) -> tuple[Decision, ...]:
        """Return what is held, by what is compared, the first measure first."""
        points, keys = self.held
        sort = np.lexsort(points[:, : self.goals.compared].T[::-1])
        return tuple(decision_of(space, layout, keys[place]) for place in sort)
