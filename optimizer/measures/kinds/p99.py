"""``p99``: the seconds that 99 % of the samples do not exceed."""

from __future__ import annotations

from tiercut.optimizer.measures.kind import MeasureKind, Moved, MovedBy
from tiercut.optimizer.measures.kinds import latency
from tiercut.optimizer.measures.places import PLAN
from tiercut.optimizer.measures.quantity import TIME

__all__ = ["KIND"]

KIND = MeasureKind(
    name="p99",
    about="seconds that 99 % of the samples do not exceed",
    example="p99<=120 ms",
    quantity=TIME,
    places=PLAN,
    tables=latency.KIND.tables,
    moved_by=MovedBy(bandwidth=Moved.ALWAYS, latency=Moved.ALWAYS, slowdown=Moved.ALWAYS),
    tail=0.01,
)
