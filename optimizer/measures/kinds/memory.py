"""``memory``: the bytes of parameters and of the largest activation on a node or a tier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.errors import QuestionError
from tiercut.optimizer.measures.kind import STILL, MeasureKind, Scope
from tiercut.optimizer.measures.places import NODE_OR_TIER
from tiercut.optimizer.measures.quantity import SIZE

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure

__all__ = ["KIND"]


def _tables(scope: Scope) -> Measure:
    """Return the parameters and the largest activation of each partition."""
    import numpy as np

    from tiercut.optimizer.measures.local import pieces_at

    problem = scope.problem
    if not problem.knows_memory:
        raise QuestionError(
            f"a bound on memory needs the key 'parameter_bytes' of every block, which profile '{problem.profile}' does "
            "not have"
        )
    table = np.broadcast_to(problem.partition_bytes, problem.span_s.shape)
    return pieces_at(problem, scope.place, table, table)


KIND = MeasureKind(
    name="memory",
    about="parameters and the largest activation there; needs `parameter_bytes` in the profile",
    example="memory:watch<=8 MiB",
    quantity=SIZE,
    places=NODE_OR_TIER,
    tables=_tables,
    moved_by=STILL,
    whole=True,
    once=True,
)
