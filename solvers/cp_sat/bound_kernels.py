"""Numba kernels over a network of arcs sorted by tail: shortest paths that use some groups once, and a beam search.

*Marked* groups have a bit each; what has been used of them is a mask. A path may use a marked group once, and others,
as far as `shortest` knows, more than once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["beam", "near_shortest", "shortest"]

_ROOM = 16  # paths for which there is room to begin with


@compiled
def shortest(tail: Ints, head: Ints, length: Floats, bit: Ints, ahead: Floats, back: Floats, came: Ints) -> Floats:
    """Return for each of A arcs the least length of a path through it.

    Parameters
    ----------
    tail, head, length
        A: the arcs; lengths may be negative, as there are no circles.
    bit
        A: bit of the marked group that an arc enters, 0 for none.
    ahead, back, came
        V x K, filled in for each vertex and mask: length of the shortest path there, of the shortest path on with
        these groups used up, and the arc by which the former arrives.
    """
    masks = ahead.shape[1]
    ahead[:], back[:], came[:] = np.inf, np.inf, -1
    ahead[0, 0] = 0.0
    back[-1, :] = 0.0
    for arc in range(tail.shape[0]):
        u, v, g, step = tail[arc], head[arc], bit[arc], length[arc]
        for mask in range(masks):
            if not mask & g and ahead[u, mask] + step < ahead[v, mask | g]:
                ahead[v, mask | g], came[v, mask | g] = ahead[u, mask] + step, arc
    least = np.empty(tail.shape[0])
    for arc in range(tail.shape[0] - 1, -1, -1):
        u, v, g, step, best = tail[arc], head[arc], bit[arc], length[arc], np.inf
        for mask in range(masks):
            if not mask & g:
                onward = step + back[v, mask | g]
                back[u, mask] = min(back[u, mask], onward)
                best = min(best, ahead[u, mask] + onward)
        least[arc] = best
    return least


@compiled
def beam(
    tail: Ints, head: Ints, length: Floats, group: Ints, bit: Ints, back: Floats, limit: float, over: Floats,
    rest: Floats, caps: Floats, width: int,
) -> Ints:  # fmt: skip
    """Return complete paths that use each group once, best first, as rows of arcs filled up with -1.

    At each vertex the best `width` partial paths are kept, by their length and that of the shortest path on.

    Parameters
    ----------
    tail, head, length, bit, back
        As in `shortest`.
    group
        A: group that an arc enters, -1 for none.
    limit
        Greatest length.
    over, rest, caps
        R x A amounts, R x V least amounts still to come, R greatest sums of amounts.
    """
    rows, vertices = caps.shape[0], back.shape[0]
    room = vertices * width
    far, rank, sums = np.empty(room), np.empty(room), np.zeros((room, rows))
    came, parent, used = np.full(room, -1), np.full(room, -1), np.zeros(room, np.int64)
    count = np.zeros(vertices, np.int64)
    far[0], count[0] = 0.0, 1
    reached = np.empty(rows)
    for arc in range(tail.shape[0]):
        u, v, g = tail[arc], head[arc], group[arc]
        for label in range(u * width, u * width + count[u]):
            if used[label] & bit[arc]:
                continue
            mask = used[label] | bit[arc]
            distance = far[label] + length[arc]
            whole = distance + back[v, mask]
            if whole > limit or (count[v] == width and whole >= rank[v * width + width - 1]):
                continue
            fits = True
            for r in range(rows):
                reached[r] = sums[label, r] + over[r, arc]
                fits = fits and reached[r] + rest[r, v] <= caps[r]
            at = label
            while fits and g >= 0 and bit[arc] == 0 and parent[at] >= 0:
                fits = group[came[at]] != g
                at = parent[at]
            if not fits:
                continue
            place = v * width + min(count[v], width - 1)
            while place > v * width and rank[place - 1] > whole:
                far[place], rank[place], used[place] = far[place - 1], rank[place - 1], used[place - 1]
                came[place], parent[place] = came[place - 1], parent[place - 1]
                sums[place] = sums[place - 1]
                place -= 1
            far[place], rank[place], used[place], came[place], parent[place] = distance, whole, mask, arc, label
            sums[place] = reached
            count[v] = min(count[v] + 1, width)
    last = (vertices - 1) * width
    paths = np.full((count[vertices - 1], vertices), -1)
    longest = 0
    for row in range(count[vertices - 1]):
        at, steps = last + row, 0
        while parent[at] >= 0:
            paths[row, steps] = came[at]
            at, steps = parent[at], steps + 1
        longest = max(longest, steps)
    return paths[:, :longest]


@compiled
def near_shortest(
    tail: Ints, head: Ints, length: Floats, group: Ints, bit: Ints, back: Floats, limit: float, over: Floats,
    rest: Floats, caps: Floats, most: int, steps: int, stop: Ints,
) -> tuple[Ints, int]:  # fmt: skip
    """Return all complete paths that use each group once, as rows of arcs filled up with -1, and their number.

    Depth first: a partial path is given up where the shortest way on makes it longer than the limit, or the least that
    is still to come of an amount takes it beyond its cap.

    Parameters
    ----------
    tail, head, length, group, bit, back, limit, over, rest, caps
        As in `beam`.
    most, steps
        How many paths, and how many arcs that are tried, are too many; the number is -1 then.
    stop
        Ends the work once its first number is not 0; the number of paths is -1 then too.
    """
    rows, vertices = caps.shape[0], back.shape[0]
    first, deep = np.zeros(vertices + 1, np.int64), np.zeros(vertices, np.int64)
    for arc in range(tail.shape[0]):
        first[tail[arc] + 1] += 1
        deep[head[arc]] = max(deep[head[arc]], deep[tail[arc]] + 1)
    for vertex in range(vertices):
        first[vertex + 1] += first[vertex]
    longest = deep.max() + 1
    far, used, sums = np.zeros(longest), np.zeros(longest, np.int64), np.zeros((longest, rows))
    along = np.full(longest, -1)  # the arc that is tried at each depth
    paths, count = np.full((_ROOM, longest), -1), 0
    depth, arc, end = 0, first[0], first[1]
    while depth >= 0:
        if arc == end:
            depth -= 1
            if depth >= 0:
                arc, end = along[depth] + 1, first[tail[along[depth]] + 1]
            continue
        steps -= 1
        if steps < 0 or stop[0] != 0:
            return paths[:0], -1
        v, mask, distance = head[arc], used[depth] | bit[arc], far[depth] + length[arc]
        fits = not used[depth] & bit[arc] and distance + back[v, mask] <= limit
        for r in range(rows):
            fits = fits and sums[depth, r] + over[r, arc] + rest[r, v] <= caps[r]
        before = depth if fits and group[arc] >= 0 and bit[arc] == 0 else 0  # the mask tells of marked groups
        while before > 0:
            before -= 1
            if group[along[before]] == group[arc]:
                fits, before = False, 0
        if not fits:
            arc += 1
            continue
        along[depth] = arc
        if v == vertices - 1:
            if count >= most:
                return paths[:0], -1
            if count == paths.shape[0]:
                more = np.full((2 * count, longest), -1)
                more[:count] = paths
                paths = more
            paths[count, : depth + 1] = along[: depth + 1]
            count, arc = count + 1, arc + 1
            continue
        depth += 1
        far[depth], used[depth] = distance, mask
        for r in range(rows):
            sums[depth, r] = sums[depth - 1, r] + over[r, arc]
        arc, end = first[v], first[v + 1]
    return paths[:count], count
