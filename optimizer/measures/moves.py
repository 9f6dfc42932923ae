"""Whether the value of a measure follows a number of a topology, for a given place and given links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from tiercut.optimizer.measures.kind import Moved, MovedBy, Scope
from tiercut.optimizer.measures.local import is_link, place_of
from tiercut.optimizer.measures.names import split_name
from tiercut.optimizer.measures.registry import kind_of
from tiercut.optimizer.measures.weighted import is_sum, terms_of

if TYPE_CHECKING:
    from tiercut.optimizer.problem import Problem

__all__ = ["Number", "moved_by"]

Number: TypeAlias = Literal["bandwidth", "latency", "slowdown"]
"""What of a topology may change: of a link, of a link, of a node."""


def moved_by(problem: Problem, name: str, number: Number, of: str) -> Moved:
    """Return how the value of a fixed decision follows a number; `Moved.NEVER` where it cannot in this problem.

    Parameters
    ----------
    problem
        The tables, and the topology that they are made of.
    name
        A measure, such as ``compute:edge``.
    number, of
        What changes, and of which link or node.
    """
    if is_sum(name):
        return _of_sum(problem, name, number, of)
    place = split_name(name)[1]
    says: Moved = getattr(_of_kind(problem, name, place), number)
    if says is Moved.ON_NODE and not place_of(problem, place or "")[problem.nodes.index(of)]:
        return Moved.NEVER
    if says in (Moved.ROUTES, Moved.PRICED_ROUTES) and not _routes_may_change(problem, says):
        return Moved.NEVER
    return says


def _of_sum(problem: Problem, name: str, number: Number, of: str) -> Moved:
    """Return the same of a weighted sum: it follows a link as the latency does where nothing else in it moves."""
    moves = [(moved_by(problem, term.name, number, of), term.weight) for term in terms_of(name)]
    moving = [(moved, weight) for moved, weight in moves if moved is not Moved.NEVER]
    if not moving:
        return Moved.NEVER
    return Moved.AS_LATENCY if moving == [(Moved.AS_LATENCY, 1.0)] else Moved.ALWAYS


def _of_kind(problem: Problem, name: str, place: str | None) -> MovedBy:
    kind = kind_of(name)
    if kind.moved_in is not None:
        return kind.moved_in(Scope(problem, place or ""))
    if kind.moved_by_of_link is not None and place is not None and is_link(problem, place):
        return kind.moved_by_of_link
    return kind.moved_by


def _routes_may_change(problem: Problem, says: Moved) -> bool:
    """Return whether routes may change, and, where it is prices that count, whether any link has one."""
    hops = {} if problem.network is None else problem.network.hops
    # Without a circle of links there is one route between any two nodes, whatever it takes.
    circle = len({frozenset(pair) for pair in hops}) >= problem.node_count
    return circle and (says is Moved.ROUTES or any(hop.price for hop in hops.values()))
