"""``compute``: the expected seconds of computing on a node or a tier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.optimizer.measures.kind import MeasureKind, Moved, MovedBy, Scope
from tiercut.optimizer.measures.places import NODE_OR_TIER
from tiercut.optimizer.measures.quantity import TIME

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure

__all__ = ["KIND"]


def _tables(scope: Scope) -> Measure:
    from tiercut.optimizer.measures.local import pieces_at

    return pieces_at(scope.problem, scope.place, scope.problem.span_s.whole, scope.problem.bare_s.whole)


KIND = MeasureKind(
    name="compute",
    about="expected seconds of computing there for each sample",
    example="compute:device<=1 s",
    quantity=TIME,
    places=NODE_OR_TIER,
    tables=_tables,
    moved_by=MovedBy(bandwidth=Moved.NEVER, latency=Moved.NEVER, slowdown=Moved.ON_NODE),
)
