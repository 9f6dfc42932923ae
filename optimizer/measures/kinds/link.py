"""``link``: the expected bytes over a link, on whatever route they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.optimizer.measures.kind import MeasureKind, Moved, MovedBy, Scope
from tiercut.optimizer.measures.places import LINK
from tiercut.optimizer.measures.quantity import SIZE

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure

__all__ = ["KIND"]


def _tables(scope: Scope) -> Measure:
    from tiercut.optimizer.measures.local import crossing, hops_of

    hops = hops_of(scope.problem, scope.place)
    return crossing(scope.problem, {(hop.sender, hop.receiver): 1.0 for hop in hops})


KIND = MeasureKind(
    name="link",
    about="what crosses the link, on whatever route: a payload on its way from a to c through b counts on both links",
    example="link:edge-cloud<=1 MB",
    quantity=SIZE,
    places=LINK,
    tables=_tables,
    moved_by=MovedBy(bandwidth=Moved.ROUTES, latency=Moved.ROUTES, slowdown=Moved.NEVER),
)
