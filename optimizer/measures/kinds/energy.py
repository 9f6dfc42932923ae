"""``energy``: the expected joules of computing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.optimizer.measures.kind import MeasureKind, Moved, MovedBy, Scope
from tiercut.optimizer.measures.places import PLAN
from tiercut.optimizer.measures.quantity import ENERGY

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure

__all__ = ["KIND"]


def _tables(scope: Scope) -> Measure:
    from tiercut.optimizer.measures.local import need, pieces

    problem = scope.problem
    need(problem, problem.power, "power", "energy")
    watts = problem.power[:, None, None]
    return pieces(problem, problem.span_s * watts, problem.bare_s * watts)


KIND = MeasureKind(
    name="energy",
    about="expected joules of computing; needs `power` of every node",
    example="energy<=2 J",
    quantity=ENERGY,
    places=PLAN,
    tables=_tables,
    moved_by=MovedBy(bandwidth=Moved.NEVER, latency=Moved.NEVER, slowdown=Moved.ALWAYS),
)
