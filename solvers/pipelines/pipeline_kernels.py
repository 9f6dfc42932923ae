"""Numba kernels that ask whether machines in a row keep up with a rate: each piece takes some seconds at most.

`furthest_blocks` relaxes the question (what crosses links, and who follows whom, is left out), and answers it for every
set of machines; `beam` looks for a plan that holds it with all that is left out, and may miss one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["beam", "furthest_blocks"]

_HALF = 12  # bits of a set whose sum is looked up at once
_ENDS = 3  # the last blocks of a piece that are tried


@compiled
def furthest_blocks(reach: Ints, group: Ints, work: Floats, power: Floats, stop: Ints) -> Ints:
    """Return the nodes of a row that runs all blocks, in order; empty where no set of machines can.

    A set is extended from the furthest block that it can do: what comes to that may do all that others may. It is left
    out where the machines that it has not used could not do the rest if blocks could be divided at will.

    Parameters
    ----------
    reach
        M x (N+1): how many blocks are done, at most, once a node has gone on from so many; never falling.
    group
        M: nodes of one group exclude each other.
    work
        N+1: what is left to do after so many blocks.
    power
        By group: how much of that its best node does within the seconds, at most.
    stop
        A value that is not 0 ends the work: nothing is proved then.
    """
    blocks, groups, nodes = work.shape[0] - 1, power.shape[0], group.shape[0]
    low, high = np.zeros(1 << _HALF), np.zeros(1 << max(groups - _HALF, 0))
    for sums, first in ((low, 0), (high, _HALF)):
        for chosen in range(sums.shape[0]):
            for bit in range(min(_HALF, groups - first)):
                if (chosen >> bit) & 1 == 0:
                    sums[chosen] += power[first + bit]
    done = np.zeros(1 << groups, np.int16)
    none = np.empty(0, np.int64)
    last = -1
    for used in range(1 << groups):
        if used & 0xFFFFF == 0 and stop[0] != 0:
            return none
        at = done[used]
        if (used > 0 and at == 0) or low[used & ((1 << _HALF) - 1)] + high[used >> _HALF] < work[at]:
            continue
        for v in range(nodes):
            bit = 1 << group[v]
            if used & bit == 0 and reach[v, at] > done[used | bit]:
                done[used | bit] = reach[v, at]
                if reach[v, at] == blocks:
                    last = used | bit
                    break
        if last >= 0:
            break
    if last < 0:
        return none
    row = np.empty(groups, np.int64)
    count, used = 0, last
    while used > 0:
        for v in range(nodes):
            bit = 1 << group[v]
            before = used & ~bit
            if used & bit != 0 and (before == 0 or done[before] > 0) and reach[v, done[before]] == done[used]:
                row[count] = v
                count, used = count + 1, before
                break
    return row[:count][::-1].copy()


@compiled
def beam(
    load: Floats, first: Floats, send: Floats, own: Floats, group: Ints, power: Floats, most: float, wide: int
) -> Ints:  # fmt: skip
    """Return nodes and ends of a row that holds a limit, 2 x L; empty where none is found.

    Parameters
    ----------
    load
        M x N x N: seconds of the pieces of a node; the last column with the classifier.
    first
        M: what bringing the input to a node keeps a link busy.
    send
        N x M x M: the same after each block (0-based); infinite where one may not follow the other.
    own
        2 x N+1 x M: what a node needs at most to encode what it sends after so many blocks, and to decode what comes.
    group, power
        Groups of nodes, and by group what its nodes do at most.
    most
        The limit, in seconds.
    wide
        How many partial rows are kept for each number of blocks done.
    """
    nodes, blocks = group.shape[0], send.shape[0]
    room = wide * 8
    node, parent = np.full((blocks + 1, room), -1), np.full((blocks + 1, room), -1)
    since = np.zeros((blocks + 1, room), np.int64)
    sets, spent = np.zeros((blocks + 1, room), np.int64), np.full((blocks + 1, room), np.inf)
    count = np.zeros(blocks + 1, np.int64)
    count[0], spent[0, 0] = 1, 0.0
    for at in range(blocks):
        if count[at] == 0:
            continue
        order = np.argsort(spent[at, : count[at]])[:wide]
        for place in order:
            u, used = node[at, place], sets[at, place]
            for w in range(nodes):
                if (used >> group[w]) & 1:
                    continue
                if at == 0:
                    if not first[w] <= most:
                        continue
                elif not send[at - 1, u, w] <= most:
                    continue
                tried, end = 0, blocks - 1
                while end >= at and tried < _ENDS:
                    away = own[0, end + 1, w] if end < blocks - 1 else 0.0
                    if load[w, at, end] + own[1, at, w] + away <= most:
                        tried += 1
                        to, price = end + 1, spent[at, place] + power[group[w]]
                        if count[to] == room:  # the dearest make room
                            best = np.argsort(spent[to])[:wide]
                            node[to, :wide], parent[to, :wide] = node[to][best], parent[to][best]
                            since[to, :wide], sets[to, :wide] = since[to][best], sets[to][best]
                            spent[to, :wide] = spent[to][best]
                            count[to] = wide
                        here = count[to]
                        node[to, here], parent[to, here], since[to, here] = w, place, at
                        sets[to, here], spent[to, here] = used | (1 << group[w]), price
                        count[to] += 1
                    end -= 1
    if count[blocks] == 0:
        return np.empty((2, 0), np.int64)
    row = np.empty((2, nodes), np.int64)
    at, place, parts = blocks, int(np.argmin(spent[blocks, : count[blocks]])), 0
    while at > 0:
        row[0, parts], row[1, parts] = node[at, place], at
        at, place, parts = since[at, place], parent[at, place], parts + 1
    return row[:, :parts][:, ::-1].copy()
