"""The constraint model of one threshold: a flow of one unit through its network, for OR-tools' CP-SAT.

CP-SAT reckons in integers. A row of values is multiplied by a power of two, so that sums of dyadic numbers stay exact,
and rounded; each of the at most `steps` arcs of a path is then wrong by at most half a unit, in truth by no more than
the largest residue that was rounded away. Bounds are loosened by as much, so that no plan is lost; what meets them is
priced again in floating point by whoever asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, frexp, ldexp
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.solvers.cp_sat.decision_graph import CROSS, END, ENTER, PIECE, arc_name
from tiercut.solvers.states import states_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tiercut.optimizer import Space
    from tiercut.solvers.cp_sat.decision_graph import Network

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Model", "Scaled", "build_model", "scaled"]

_BITS = 44
"""Of the largest coefficient of a row."""

_ROOM = 60
"""Of the sum of all coefficients of a row, which must stay a 64-bit integer."""


_BEYOND = 100
"""Bits of a number that no sum of a row comes near to."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """A row of values in integers.

    Parameters
    ----------
    values
        One for each arc: the value in units, rounded.
    power
        There are 2 to its power units in one. NOTE: The power itself may be more than a double holds.
    error
        By how many units the sum along a path may be wrong, at most.
    reach
        No path has a larger sum, or a smaller one than the negative of it.
    """

    values: Ints
    power: int
    error: int
    reach: int

    def cap(self, most: float, *, loose: bool = True) -> int:
        """Return the greatest sum of a plan that comes to `most`, or to less than that where it is not loose."""
        mantissa, exponent = frexp(most)
        units = ldexp(mantissa, min(exponent + self.power, _BEYOND))
        return floor(units) + self.error if loose else ceil(units - self.error) - 1


def scaled(row: Floats, steps: int) -> Scaled:
    """Return a row of values as integers; see this module for the error."""
    largest = float(np.abs(row).max(initial=0.0))
    room = min(_BITS, _ROOM - len(row).bit_length())
    power = room - frexp(largest)[1] if largest > 0 else 0
    exact = np.ldexp(row, power)
    values = np.rint(exact)
    error = ceil(steps * float(np.abs(exact - values).max(initial=0.0)))
    reach = steps * int(np.abs(values).max(initial=0.0))
    return Scaled(values.astype(np.int64), power, error, reach)


@dataclass(slots=True, eq=False)
class Model:
    """A model and the variable of each arc that is still there.

    Parameters
    ----------
    cp
        The `ortools.sat.python.cp_model.CpModel`.
    arcs
        Indices of the arcs.
    taken
        Their variables: whether the plan uses the arc.
    objective
        The row that is minimised, scaled; None where any plan will do.
    above
        An objective above this says that only known plans are left.
    known
        Paths that the model has, but gives only if there is no other.
    """

    cp: Any
    arcs: Ints
    taken: list[Any]
    objective: Scaled | None
    above: int = 0
    known: Sequence[frozenset[int]] = ()

    def hint(self, path: Iterable[int]) -> None:
        """Tell the solver of a plan to begin with; arcs that are not there are passed over."""
        chosen = set(path)
        for arc, variable in zip(self.arcs.tolist(), self.taken, strict=True):
            self.cp.add_hint(variable, arc in chosen)


def build_model(
    space: Space,
    network: Network,
    arcs: Ints,
    caps: Floats,
    *,
    objective: int | None,
    strict: int | None = None,
    without: Sequence[frozenset[int]] = (),
    known: Sequence[frozenset[int]] = (),
    named: bool = False,
) -> Model:
    """Return the model of the plans that use none but some arcs.

    Parameters
    ----------
    space, network
        The decisions, and the graph of the threshold.
    arcs
        Indices of the arcs that may be used.
    caps
        R: greatest value of each row; inf: none.
    objective
        The row that is minimised, or None.
    strict
        The row whose cap is not loosened by the error of scaling, but tightened.
    without
        Paths that are no longer of interest.
    known
        Paths that are to be given only if there is no other: the objective of each is raised above what any other may
        come to. So one proof says that the best is known and that nothing is as good, and a model that turns out to
        have no solution is seen to be wrong. Those that miss the strict cap by no more than scaling are none of its.
    named
        Whether variables are named for a reader.
    """
    from ortools.sat.python import cp_model

    model: Any = cp_model.CpModel()
    # One boolean for each arc: whether the plan goes along it. A piece is (state, node, last block, option), a crossing
    # is (state, node, next node, codec).
    place = {arc: index for index, arc in enumerate(arcs.tolist())}
    held = [path for path in known if all(arc in place for arc in path)]
    taken = [model.new_bool_var(arc_name(space, network, arc) if named else "") for arc in arcs.tolist()]
    built = Model(model, arcs, taken, None)
    _flow(built, network)
    _placement(built, space, network)
    for row in range(len(caps)):
        if row != objective and not np.isfinite(caps[row]):
            continue
        values = scaled(network.values[row, arcs], network.steps)
        # A measure of the plan, the sum over its arcs, is at most its cap.
        if np.isfinite(caps[row]):
            most = values.cap(float(caps[row]), loose=row != strict)
            _at_most(built, values, most)
            if row == strict:
                held = [path for path in held if values.values[[place[arc] for arc in path]].sum() <= most]
        if row == objective:
            built.objective = values
    for path in without:
        # Not every arc of a plan that misses a bound.
        if all(arc in place for arc in path):
            model.add_bool_or([~taken[place[arc]] for arc in sorted(path)])
    if built.objective is not None:
        built.known = held
        _objective(built, float(caps[objective]), place)
    return built


def _objective(built: Model, cap: float, place: Mapping[int, int]) -> None:
    from ortools.sat.python import cp_model

    row = built.objective
    assert row is not None
    built.above = min(row.cap(cap), row.reach) + row.error if np.isfinite(cap) else row.reach
    chosen, weights = list(built.taken), row.values.tolist()
    for path in built.known:
        # Whether the plan is one that is known: at least 1 where all of its arcs are taken.
        again = built.cp.new_bool_var("")
        built.cp.add_bool_or([again, *(~built.taken[place[arc]] for arc in sorted(path))])
        chosen.append(again)
        weights.append(max(built.above + 1 - sum(int(row.values[place[arc]]) for arc in path), 0))
    # The measure that is minimised.
    built.cp.minimize(cp_model.LinearExpr.weighted_sum(chosen, weights))


def _at_most(built: Model, row: Scaled, cap: int) -> None:
    from ortools.sat.python import cp_model

    count = np.flatnonzero(row.values)
    chosen = [built.taken[index] for index in count.tolist()]
    built.cp.add(
        cp_model.LinearExpr.weighted_sum(chosen, row.values[count].tolist()) <= max(min(cap, row.reach), -row.reach - 1)
    )


def _flow(built: Model, network: Network) -> None:
    """Let one unit go from the first vertex to the last."""
    into: dict[int, list[Any]] = {}
    out: dict[int, list[Any]] = {}
    for variable, tail, head in zip(
        built.taken, network.tail[built.arcs].tolist(), network.head[built.arcs].tolist(), strict=True
    ):
        out.setdefault(tail, []).append(variable)
        into.setdefault(head, []).append(variable)
    last = network.vertices - 1
    # A plan begins once and ends once.
    built.cp.add_exactly_one(out.get(0, []))
    built.cp.add_exactly_one(into.get(last, []))
    for vertex in sorted((into.keys() | out.keys()) - {0, last}):
        # What arrives at a state on a node goes on from there.
        built.cp.add(sum(into.get(vertex, [])) == sum(out.get(vertex, [])))


def _placement(built: Model, space: Space, network: Network) -> None:
    """Use each group once at most, and as many of them, and those, that the question wants."""
    kinds = network.kind[built.arcs]
    arriving = np.flatnonzero((kinds == ENTER) | (kinds == CROSS))
    group = space.group[network.node[built.arcs[arriving]]]
    by_group = {int(each): [built.taken[at] for at in arriving[group == each].tolist()] for each in np.unique(group)}
    for entered in by_group.values():
        # A node (or a tier, where a tier is used once) is gone to at most once.
        built.cp.add_at_most_one(entered)
    for mask in space.required:
        # One of a required set of nodes is gone to.
        wanted = [variable for each, entered in by_group.items() if mask[each] for variable in entered]
        built.cp.add_bool_or(wanted)
    # There are as many partitions as arrivals, the first included.
    parts = [built.taken[at] for at in arriving.tolist()]
    built.cp.add_linear_constraint(sum(parts), space.fewest, space.most)
    _furthest(built, space, network)
    if network.index > 0:
        # A plan on which the threshold has no effect belongs to the first threshold.
        pieces = np.flatnonzero(kinds == PIECE)
        exits = pieces[space.option_exit[network.option[built.arcs[pieces]]]]
        built.cp.add_bool_or([built.taken[at] for at in exits.tolist()])


def _furthest(built: Model, space: Space, network: Network) -> None:
    """Let no partition go further than its node has room for; where it is one piece, such arcs are left out already."""
    last = space.problem.block_count - 1
    if not space.inside or bool((space.furthest == last).all()):
        return
    kinds, nodes, ends = network.kind[built.arcs], network.node[built.arcs], network.end[built.arcs]
    arriving, running = (kinds == ENTER) | (kinds == CROSS), (kinds == PIECE) | (kinds == END)
    state = np.maximum(network.tail[built.arcs] - 1, 0) // (3 * len(space.group))
    begins = np.where(arriving, ends + 1, states_of(space).begins[state])
    for v, furthest in enumerate(space.furthest):
        for end in np.unique(furthest[furthest < last]).tolist():
            early = arriving & (nodes == v) & (furthest[np.minimum(begins, last)] <= end)
            beyond = running & (nodes == v) & (begins <= end + 1) & (ends > end)
            # A node that is gone to too early does not run the block beyond what it has room for; one piece runs that.
            built.cp.add_at_most_one([built.taken[at] for at in np.flatnonzero(early | beyond).tolist()])
