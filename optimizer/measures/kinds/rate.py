"""``rate``: the sustainable rate, at which the busiest node or link direction has no time left (formulation: rate).

Inside it is what is minimised: the seconds for which a frame keeps the busiest of them busy; people read and write one
over it, in frames per second. What uses a link several times (input, hops, results) adds up, both directions together
where it is half duplex; samples that leave early make room for those behind.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tiercut.optimizer.measures.kind import MeasureKind, Moved, MovedBy, Scope
from tiercut.optimizer.measures.places import PLAN
from tiercut.optimizer.measures.quantity import RATE

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure

__all__ = ["KIND"]


def _tables(scope: Scope) -> Measure:
    from tiercut.optimizer.measures.busy import busy_tables

    first, *others = busy_tables(scope.problem)
    return replace(first, others=tuple(others))


KIND = MeasureKind(
    name="rate",
    about="the sustainable rate: one over the seconds for which a frame keeps the busiest node (over its `workers`) or "
    "link direction busy; more frames a second than that, and a queue grows without end",
    example="rate>=30 fps",
    quantity=RATE,
    places=PLAN,
    tables=_tables,
    moved_by=MovedBy(bandwidth=Moved.ALWAYS, latency=Moved.ROUTES, slowdown=Moved.ALWAYS),
    peak=True,
    axis="busiest",
)
