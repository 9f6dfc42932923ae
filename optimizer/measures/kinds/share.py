"""``share``: the expected seconds of computing on a node or a tier over the expected latency."""

from __future__ import annotations

from tiercut.optimizer.measures.kind import MeasureKind, Moved, MovedBy
from tiercut.optimizer.measures.kinds import compute
from tiercut.optimizer.measures.places import NODE_OR_TIER
from tiercut.optimizer.measures.quantity import SHARE

__all__ = ["KIND"]

KIND = MeasureKind(
    name="share",
    about="`compute` as a share of the expected latency",
    example="share:edge>=30 %",
    quantity=SHARE,
    places=NODE_OR_TIER,
    tables=compute.KIND.tables,
    moved_by=MovedBy(bandwidth=Moved.ALWAYS, latency=Moved.ALWAYS, slowdown=Moved.ALWAYS),
    ratio_of=compute.KIND.name,
)
