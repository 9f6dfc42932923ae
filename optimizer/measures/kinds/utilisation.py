"""``utilisation``: the share of the time that a node, a tier or a link is busy when frames arrive at a rate.

Of a node or a tier: the rate times the expected seconds of computing there (of all nodes of the tier together). Of a
link: the rate times the expected bytes over the bandwidth; ``a-b`` adds up both directions, as on a medium that they
share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.errors import QuestionError
from tiercut.optimizer.measures.kind import MeasureKind, Moved, MovedBy, Scope
from tiercut.optimizer.measures.kinds import compute
from tiercut.optimizer.measures.places import NODE_TIER_OR_LINK
from tiercut.optimizer.measures.quantity import NUMBER

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure

__all__ = ["KIND"]


def _tables(scope: Scope) -> Measure:
    from tiercut.optimizer.measures.local import crossing, hops_of, is_link
    from tiercut.optimizer.measures.tables import scaled

    rate = scope.rate_fps
    if rate is None:
        raise QuestionError("utilisation needs the rate at which frames arrive, such as rate: 30 fps (--rate '30 fps')")
    if is_link(scope.problem, scope.place):
        hops = hops_of(scope.problem, scope.place)
        return crossing(scope.problem, {(hop.sender, hop.receiver): rate / hop.bandwidth for hop in hops})
    return scaled(compute.KIND.tables(scope), rate)


KIND = MeasureKind(
    name="utilisation",
    about="share of the time that it is busy: `compute` times the rate; of a link its bytes over its bandwidth times "
    "the rate (`a-b` adds both directions up, as on radio); above 1 a queue grows without end",
    example="utilisation:phone<=0.8",
    quantity=NUMBER,
    places=NODE_TIER_OR_LINK,
    tables=_tables,
    moved_by=MovedBy(bandwidth=Moved.NEVER, latency=Moved.NEVER, slowdown=Moved.ON_NODE),
    moved_by_of_link=MovedBy(bandwidth=Moved.ALWAYS, latency=Moved.ROUTES, slowdown=Moved.NEVER),
)
