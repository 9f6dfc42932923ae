"""``blocks``: the number of blocks that are placed on a node or a tier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.optimizer.measures.kind import STILL, MeasureKind, Scope
from tiercut.optimizer.measures.places import NODE_OR_TIER
from tiercut.optimizer.measures.quantity import COUNT

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure

__all__ = ["KIND"]


def _tables(scope: Scope) -> Measure:
    import numpy as np

    from tiercut.optimizer.measures.local import pieces_at

    number = np.arange(scope.problem.block_count)
    count = np.broadcast_to(number[None, None, :] - number[None, :, None] + 1.0, scope.problem.span_s.shape)
    return pieces_at(scope.problem, scope.place, count, count)


KIND = MeasureKind(
    name="blocks",
    about="blocks that are placed there, a number or a share of all",
    example="blocks:device>=50 %",
    quantity=COUNT,
    places=NODE_OR_TIER,
    tables=_tables,
    moved_by=STILL,
    whole=True,
)
