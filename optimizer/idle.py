"""Plans whose last partitions no sample reaches are many, and as good as the plan without them: leave them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tiercut.optimizer.plan import NOBODY

if TYPE_CHECKING:
    from tiercut.optimizer.space import Space

__all__ = ["without_idle_ends"]


def without_idle_ends(space: Space) -> Iterator[Space]:
    """Yield the parts of a space, one for each lane, without the plans that go on where nobody is left.

    Every plan of the space that has no idle end is in one of the parts (in each, where thresholds have no effect on
    it), and each of the other plans has the measures of one of them.
    """
    for place, lane in enumerate(space.lanes):
        left = space.stay[:, place] > NOBODY
        jump = np.where((space.jump >= 0) & left[space.jump], space.jump, -1)
        part = replace(space, lanes=np.array([lane]), stay=np.ascontiguousarray(space.stay[:, [place]]), jump=jump)
        yield replace(part, most=min(space.most, int(part.can_cut.sum()) + 1))
