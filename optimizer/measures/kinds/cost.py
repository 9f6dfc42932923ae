"""``cost``: the expected dollars of computing and of sending over links that have a price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.optimizer.measures.kind import MeasureKind, Moved, MovedBy, Scope
from tiercut.optimizer.measures.places import PLAN
from tiercut.optimizer.measures.quantity import MONEY

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure

__all__ = ["KIND"]


def _tables(scope: Scope) -> Measure:
    from tiercut.optimizer.measures.local import unknown
    from tiercut.optimizer.measures.tables import Measure

    problem = scope.problem
    rate = problem.price[:, None, None]
    return Measure(
        first=problem.transfer_cost[0, problem.source],
        span=problem.span_s.whole * rate,
        bare=problem.bare_s.whole * rate,
        send=problem.transfer_cost[1:],
        result=problem.result_cost,
        codec_first=problem.codec_cost[:, 0, problem.source],
        codec_send=problem.codec_cost[:, 1:],
        unknown=unknown(problem, problem.price, "price", "cost"),
    )


KIND = MeasureKind(
    name="cost",
    about="expected dollars of computing and sending; needs `price` of every node that may run a part; at a rate of "
    "frames also by time: `cost<=10 $/month`",
    example="cost<=0.01 $",
    quantity=MONEY,
    places=PLAN,
    tables=_tables,
    moved_by=MovedBy(bandwidth=Moved.PRICED_ROUTES, latency=Moved.PRICED_ROUTES, slowdown=Moved.ALWAYS),
)
