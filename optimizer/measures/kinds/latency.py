"""``latency``: the expected seconds from the input at the source to the result at the destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.optimizer.measures.kind import MeasureKind, Moved, MovedBy, Scope
from tiercut.optimizer.measures.places import PLAN
from tiercut.optimizer.measures.quantity import TIME

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure

__all__ = ["KIND"]


def _tables(scope: Scope) -> Measure:
    from tiercut.optimizer.measures.tables import Measure

    problem = scope.problem
    return Measure(
        first=problem.transfer_s[0, problem.source],
        span=problem.span_s,
        bare=problem.bare_s,
        send=problem.transfer_s[1:],
        result=problem.result_s,
        codec_first=problem.codec_s[:, 0, problem.source],
        codec_send=problem.codec_s[:, 1:],
    )


KIND = MeasureKind(
    name="latency",
    about="expected seconds",
    example="latency<=80 ms",
    quantity=TIME,
    places=PLAN,
    tables=_tables,
    moved_by=MovedBy(bandwidth=Moved.AS_LATENCY, latency=Moved.AS_LATENCY, slowdown=Moved.ALWAYS),
)
