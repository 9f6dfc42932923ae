"""Bounds on measures beside the objective, as tables that solvers add up along a plan.

==============  ========================================================  =====================
measure         what it is                                                place
==============  ========================================================  =====================
latency         expected seconds                                          none
bytes           expected payload, input and result included               none, or ``a>b``
energy, cost    joules of computing; dollars of computing and sending     none
compute         expected seconds of computing per sample                  node or tier
share           that, as a share of the expected latency                  node or tier
utilisation     that, times the frames per second that arrive             node or tier
blocks          number of blocks that are placed there                    node or tier
memory          bytes of parameters and of the largest activation there   node or tier
==============  ========================================================  =====================

``a>b`` counts what partitions on a (a node or a tier) send to partitions on b; the input counts from the source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.measures import Measure, measure
from tiercut.optimizer.pricing import evaluate_tables
from tiercut.optimizer.query import SLACK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.plan import Decision
    from tiercut.optimizer.problem import Floats, Problem
    from tiercut.optimizer.query import Bound, Query
    from tiercut.optimizer.space import Costs, Space

__all__ = ["BOUNDED", "Side", "bound_measure", "bound_value", "place_of", "side_bounds"]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """A measure that a plan may not exceed.

    Parameters
    ----------
    name
        What a person calls it.
    measure, costs
        Its tables, and the same fitted to the space.
    cap
        Greatest value, slack included. A least value is a greatest one of tables with the sign turned.
    """

    name: str
    measure: Measure
    costs: Costs
    cap: float

    @property
    def whole(self) -> bool:
        """Whether its pieces count whole, however few samples get there."""
        return self.measure.unweighted


def side_bounds(space: Space, query: Query) -> list[Side]:
    """Return the bounds of a question that the objective itself does not carry.

    Raises
    ------
    QuestionError
        If a measure or a place is unknown, or what it needs is not in the topology or the profile.
    """
    sides = []
    if query.max_latency_s is not None and query.additive != "latency":
        tables = measure(space.problem, "latency")
        sides.append(Side("latency", tables, space.costs(tables), query.latency_cap))
    for bound in query.bounds:
        sides += _sides(space, query, bound)
    return sides


def _sides(space: Space, query: Query, bound: Bound) -> list[Side]:
    made = []
    for value, sign in ((bound.at_most, 1.0), (bound.at_least, -1.0)):
        if value is None:
            continue
        tables, limit = bound_measure(space.problem, bound, query.rate_fps), value
        if bound.measure == "share":
            # compute / latency <= share is linear: compute - share * latency <= 0.
            tables, limit = _minus(tables, measure(space.problem, "latency"), value), 0.0
        if sign < 0:
            tables = _scaled(tables, -1.0)
        slack = SLACK * max(1.0, abs(limit))
        made.append(Side(bound.name, tables, space.costs(tables), sign * limit + slack))
    return made


def place_of(problem: Problem, name: str) -> NDArray[np.bool_]:
    """Return which of the M nodes a name means: a node, or all of a tier.

    Raises
    ------
    QuestionError
        If it is neither.
    """
    by_node = np.array([node == name for node in problem.nodes])
    found = by_node if by_node.any() else np.array([tier == name for tier in problem.tiers])
    if not found.any():
        known = tuple(dict.fromkeys((*problem.nodes, *problem.tiers)))
        raise QuestionError(unknown_name("node or tier", name, known))
    return found


def bound_measure(problem: Problem, bound: Bound, rate_fps: float | None = None) -> Measure:
    """Return the tables of the measure that a bound is on."""
    if bound.measure not in BOUNDED:
        raise QuestionError(unknown_name("measure to bound", bound.measure, BOUNDED))
    if bound.measure in _PLAIN:
        return _plain(problem, bound)
    if bound.place is None:
        raise QuestionError(
            f"a bound on {bound.measure} needs a node or a tier, such as {bound.measure}:{problem.nodes[0]}"
        )
    here = place_of(problem, bound.place)
    if bound.measure == "utilisation":
        if rate_fps is None:
            raise QuestionError("a bound on utilisation needs the rate at which frames arrive, such as rate: 30 fps")
        return _scaled(_computing(problem, here), rate_fps)
    tables = BOUNDED[bound.measure](problem, here)
    return _scaled(tables, 1.0 / problem.block_count) if bound.relative else tables


def bound_value(problem: Problem, decision: Decision, bound: Bound, rate_fps: float | None = None) -> float:
    """Return what a decision comes to in the measure that a bound is on."""
    value = evaluate_tables(problem, decision, bound_measure(problem, bound, rate_fps))
    if bound.measure != "share":
        return value
    whole = evaluate_tables(problem, decision, measure(problem, "latency"))
    return value / whole if whole else 0.0


def _plain(problem: Problem, bound: Bound) -> Measure:
    tables = measure(problem, bound.measure)
    if bound.place is None:
        return tables
    sender, arrow, receiver = bound.place.partition(">")
    if bound.measure != "bytes" or not arrow:
        raise QuestionError(
            f"a bound on {bound.measure} holds for the whole plan; only bytes can be bounded between places, as "
            "bytes:a>b"
        )
    pairs = np.outer(place_of(problem, sender), place_of(problem, receiver)).astype(float)
    result = np.zeros_like(tables.result)
    if problem.destination >= 0:
        result = tables.result * pairs[:, problem.destination]
    return replace(
        tables,
        first=tables.first * pairs[problem.source],
        send=tables.send * pairs,
        result=result,
        codec_send=tables.codec_send * pairs,
    )


def _local(
    problem: Problem, here: NDArray[np.bool_], span: Floats, bare: Floats, *, unweighted: bool = False
) -> Measure:
    """Return a measure of pieces alone, on some nodes."""
    mask = here[:, None, None].astype(float)
    nothing = np.zeros_like(problem.transfer_s)
    sends = nothing[1:], np.zeros_like(problem.result_s), np.zeros_like(problem.codec_s[:, 1:])
    return Measure("", "", nothing[0, 0], np.nan_to_num(span) * mask, np.nan_to_num(bare) * mask, *sends, unweighted)


def _computing(problem: Problem, here: NDArray[np.bool_]) -> Measure:
    return _local(problem, here, problem.span_s, problem.bare_s)


def _blocks(problem: Problem, here: NDArray[np.bool_]) -> Measure:
    number = np.arange(problem.block_count)
    count = np.broadcast_to(number[None, None, :] - number[None, :, None] + 1.0, problem.span_s.shape)
    return _local(problem, here, count, count, unweighted=True)


def _memory(problem: Problem, here: NDArray[np.bool_]) -> Measure:
    """Return parameters and largest activation of each piece; with exits inside a partition, summed over its pieces."""
    if np.isnan(problem.parameter_bytes).any():
        raise QuestionError(
            f"a bound on memory needs the key 'parameter_bytes' of every block, which profile '{problem.profile}' does "
            "not have"
        )
    count, largest = problem.block_count, np.nan_to_num(problem.activation_bytes)
    size = np.zeros((count, count))
    for first in range(count):
        rest = slice(first, None)
        size[first, first:] = np.cumsum(problem.parameter_bytes[rest]) + np.maximum.accumulate(largest[rest])
    table = np.broadcast_to(size, problem.span_s.shape)
    return _local(problem, here, table, table, unweighted=True)


def _scaled(tables: Measure, factor: float) -> Measure:
    return _combined(tables, tables, factor - 1.0)


def _minus(tables: Measure, other: Measure, factor: float) -> Measure:
    return _combined(tables, other, -factor)


def _combined(left: Measure, right: Measure, factor: float) -> Measure:
    """Return ``left + factor * right``, table by table; where there is no path both have none."""
    return replace(
        left,
        first=_sum(left.first, right.first, factor),
        span=_sum(left.span, right.span, factor),
        bare=_sum(left.bare, right.bare, factor),
        send=_sum(left.send, right.send, factor),
        result=_sum(left.result, right.result, factor),
        codec_send=_sum(left.codec_send, right.codec_send, factor),
    )


def _sum(left: Floats, right: Floats, factor: float) -> Floats:
    # What cannot be is kept out by `Space.linked`, whose pairs have no finite time; here it must only stay a number.
    finite = np.isfinite(left) & np.isfinite(right)
    return np.where(finite, np.where(finite, left, 0.0) + factor * np.where(finite, right, 0.0), 0.0)


_PLAIN = ("latency", "bytes", "energy", "cost")

BOUNDED: Mapping[str, Callable[[Problem, NDArray[np.bool_]], Measure]] = MappingProxyType(
    {name: lambda problem, _, name=name: measure(problem, name) for name in _PLAIN}
    | {"compute": _computing, "share": _computing, "utilisation": _computing, "blocks": _blocks, "memory": _memory}
)
"""What may be bounded, and how its tables are made."""
