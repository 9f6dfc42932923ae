"""Numba kernels of dominance: all labels of one state and node are sorted once, and swept once.

In the order of the sweep only what stands before may dominate. Where groups are few, what labels have used is one of a
few sets, and each of these keeps the greatest accuracies of all that it may be dominated by: a label is compared with
its own set's, and only what goes on raises those of others. Else a label is compared with those that went on before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.labels.label_kernels import SEEN, USED, covers, earlier

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.solvers.kernels.arguments import Places

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["grouped", "sort_labels", "sweep_room", "swept"]

_SETS, _KEPT = 12, 1 << 16
"""Groups up to which sets are told apart, and accuracies that they may keep in all."""


@compiled
def _precedes(
    left: int, right: int, cost: Floats, tie: Floats, gained: Floats, chain: Ints, at: Places, width: int
) -> bool:
    """Return whether the left label may dominate the right one, but not the other way round."""
    if cost[left] != cost[right]:
        return bool(cost[left] < cost[right])
    if tie[left] != tie[right]:
        return bool(tie[left] < tie[right])
    if gained[left] != gained[right]:
        return bool(gained[left] > gained[right])
    return earlier(left, right, chain, at, width)


@compiled
def sort_labels(
    line: Ints, spare: Ints, many: int, cost: Floats, tie: Floats, gained: Floats, chain: Ints, at: Places, width: int
) -> None:
    """Sort labels: by cost, tie, falling accuracy and the order of their plans. ``spare`` is as long, and written."""
    run = 8
    for low in range(0, many, run):
        for i in range(low + 1, min(low + run, many)):
            here, j = line[i], i
            while j > low and not _precedes(line[j - 1], here, cost, tie, gained, chain, at, width):
                line[j] = line[j - 1]
                j -= 1
            line[j] = here
    while run < many:
        for low in range(0, many, 2 * run):
            middle, high = min(low + run, many), min(low + 2 * run, many)
            i, j = low, middle
            for k in range(low, high):
                if i < middle and (j == high or _precedes(line[i], line[j], cost, tie, gained, chain, at, width)):
                    spare[k] = line[i]
                    i += 1
                else:
                    spare[k] = line[j]
                    j += 1
        for k in range(many):  # one by one: an assignment of slices compiles for seconds, for its error
            line[k] = spare[k]
        run *= 2


@compiled
def sweep_room(group: Ints, keep: int, inside: bool, furthest: Ints) -> tuple[Ints, Ints, Floats]:
    """Return the numbers of sets, a label of each, and the accuracies each keeps; empty where sets are too many.

    With exits inside partitions that memory bounds, how far a partition may go is known of the label alone.
    """
    groups = 0
    for v in range(group.shape[0]):
        groups = max(groups, group[v] + 1)
    bounded = False
    for v in range(furthest.shape[0]):
        for i in range(furthest.shape[1]):
            bounded = bounded or furthest[v, i] < furthest.shape[1] - 1
    sets = 1 << groups if groups <= _SETS else 0
    if sets * keep > _KEPT or (inside and bounded):
        sets = 0
    return np.full(sets, -1), np.empty(sets, np.int64), np.empty((sets, keep))


@compiled
def swept(
    line: Ints, spare: Ints, many: int, gained: Floats, chain: Ints, keep: int, v: int, future: Ints, required: Ints,
    fewest: int, most: int, limited: bool, number: Ints, one_of: Ints, best: Floats,
) -> int:  # fmt: skip
    """Bring those sorted labels to the front, in their order, that fewer than ``keep`` dominate; return their number.

    Parameters
    ----------
    line, spare, many
        The labels of a state and of node ``v``, their room and number.
    gained, chain
        Accuracy and columns of all labels.
    keep, v, future, required, fewest, most, limited
        As in `tiercut.solvers.labels.grow_kernels.Limits` and the rules.
    number, one_of, best
        Of `sweep_room`.
    """
    if many == 1:
        return 1
    few, lost, sets = 0, many, 0
    if number.shape[0] > 0:
        for i in range(many):
            used = chain[line[i], USED]
            if number[used] < 0:
                number[used], one_of[sets] = sets, line[i]
                best[sets] = -np.inf
                sets += 1
    for i in range(many):
        here = line[i]
        right, dominated = gained[here], 0
        if sets > 0:
            own = number[chain[here, USED]]
            dominated = keep if best[own, keep - 1] >= right else 0
        else:
            for j in range(few):
                other = spare[j]
                if gained[other] >= right and covers(other, here, chain, v, future, required, fewest, most, limited):
                    dominated += 1
                    if dominated == keep:
                        break
        if dominated >= keep:
            lost -= 1
            spare[lost] = here
            continue
        spare[few] = here
        few += 1
        for s in range(sets):
            if best[s, keep - 1] < right and covers(here, one_of[s], chain, v, future, required, fewest, most, limited):
                place = keep - 1
                while place > 0 and best[s, place - 1] < right:
                    best[s, place] = best[s, place - 1]
                    place -= 1
                best[s, place] = right
    for s in range(sets):
        number[chain[one_of[s], USED]] = -1
    for k in range(many):
        line[k] = spare[k]
    return few


@compiled
def grouped(line: Ints, spare: Ints, few: int, chain: Ints, number: Ints, seen: Ints, starts: Ints) -> int:
    """Bring labels together that have used the same critical groups; return how many such sets there are.

    Parameters
    ----------
    line, spare, few
        The labels, brought into order; room; how many.
    chain
        Their columns.
    number
        By set; all -1, before and after.
    seen, starts
        Filled: each set, and where its labels begin, and last the end of all.
    """
    groups = 0
    for i in range(few):
        used = chain[line[i], SEEN]
        if number[used] < 0:
            number[used], seen[groups], starts[groups + 1] = groups, used, 0
            groups += 1
        starts[number[used] + 1] += 1
    starts[0] = 0
    for g in range(groups):
        starts[g + 1] += starts[g]
    if groups > 1:
        for i in range(few):
            spare[i] = line[i]
        for i in range(few - 1, -1, -1):
            g = number[chain[spare[i], SEEN]]
            starts[g + 1] -= 1
            line[starts[g + 1]] = spare[i]
        # Each begins now where the one before did: move them back.
        for g in range(groups):
            starts[g] = starts[g + 1]
        starts[groups] = few
    for g in range(groups):
        number[seen[g]] = -1
    return groups
