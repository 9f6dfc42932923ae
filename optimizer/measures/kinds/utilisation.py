"""``utilisation``: the share of the time that a node, a tier or a link is busy when frames arrive at a rate.

Of a node: the rate times the expected seconds of computing, encoding and decoding there, over its workers; of a tier,
what its nodes have together. Of a link: the rate times the expected bytes over the bandwidth; ``a-b`` adds up both
directions, and so does ``a>b`` where the link is half duplex, one medium for both (formulation: rate).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.errors import QuestionError
from tiercut.optimizer.measures.kind import MeasureKind, Moved, MovedBy, Scope
from tiercut.optimizer.measures.places import NODE_TIER_OR_LINK
from tiercut.optimizer.measures.quantity import NUMBER

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure

__all__ = ["KIND"]


def _tables(scope: Scope) -> Measure:
    from tiercut.optimizer.measures.local import busy_seconds, crossing, is_link, place_of, shared_hops_of

    rate = scope.rate_fps
    if rate is None:
        raise QuestionError("utilisation needs the rate at which frames arrive, such as rate: 30 fps (--rate '30 fps')")
    if is_link(scope.problem, scope.place):
        hops = shared_hops_of(scope.problem, scope.place)
        return crossing(scope.problem, {(hop.sender, hop.receiver): rate / hop.bandwidth for hop in hops})
    return busy_seconds(scope.problem, rate * place_of(scope.problem, scope.place) / scope.problem.workers)


KIND = MeasureKind(
    name="utilisation",
    about="share of the time that it is busy: the rate times the seconds of computing, encoding and decoding, over "
    "`workers`; of a link times its bytes over its bandwidth (`a-b`, and any link that is half duplex: both "
    "directions together); above 1 a queue grows without end",
    example="utilisation:phone<=0.8",
    quantity=NUMBER,
    places=NODE_TIER_OR_LINK,
    tables=_tables,
    moved_by=MovedBy(bandwidth=Moved.NEVER, latency=Moved.NEVER, slowdown=Moved.ON_NODE),
    moved_by_of_link=MovedBy(bandwidth=Moved.ALWAYS, latency=Moved.ROUTES, slowdown=Moved.NEVER),
)
