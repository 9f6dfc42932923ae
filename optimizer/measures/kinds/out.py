"""``out``: the expected bytes over all links that lead away from a node or a tier, also of what is only passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.optimizer.measures.kind import MeasureKind, Moved, MovedBy, Scope
from tiercut.optimizer.measures.places import NODE_OR_TIER
from tiercut.optimizer.measures.quantity import SIZE

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure

__all__ = ["KIND"]


def _tables(scope: Scope) -> Measure:
    from tiercut.optimizer.measures.local import crossing, network_of, place_of

    problem = scope.problem
    here = {node for node, inside in zip(problem.nodes, place_of(problem, scope.place), strict=True) if inside}
    leaving = (pair for pair in network_of(problem).hops if pair[0] in here and pair[1] not in here)
    return crossing(problem, dict.fromkeys(leaving, 1.0))


KIND = MeasureKind(
    name="out",
    about="what leaves the node (or tier) over any of its links, also what it only passes on",
    example="out:phone<=20 kB",
    quantity=SIZE,
    places=NODE_OR_TIER,
    tables=_tables,
    moved_by=MovedBy(bandwidth=Moved.ROUTES, latency=Moved.ROUTES, slowdown=Moved.NEVER),
)
