"""The order in which the nodes of a graph run, on which it depends what crosses a cut after each of them.

To find the order with the fewest live tensors is hard (register allocation: Sethi, "Complete register allocation
problems", 1975). So some orders are tried: the file's, which follows the modules that people wrote; depth first, to
finish one branch before the next begins; and greedy ones, which take the node that leaves the fewest tensors, or bytes,
alive. The best is the one whose largest piece between two allowed cuts has the fewest operations.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

__all__ = ["depth_first", "fewest_alive", "orders"]

Parents = Mapping[int, Sequence[int]]


def orders(parents: Parents, sizes: Mapping[int, int]) -> list[list[int]]:
    """Return some orders of nodes in which each stands after those that it reads, the file's first.

    Parameters
    ----------
    parents
        The nodes that each node reads; nodes are numbers, in the order of the file.
    sizes
        Bytes that each node makes.
    """
    found = [sorted(parents), depth_first(parents, last_first=False), depth_first(parents, last_first=True)]
    found += [fewest_alive(parents, dict.fromkeys(parents, 1)), fewest_alive(parents, sizes)]
    different: list[list[int]] = []
    for order in found:
        if order not in different:
            different.append(order)
    return different


def depth_first(parents: Parents, *, last_first: bool) -> list[int]:
    """Return the nodes in the order in which a search from the ends, back along what they read, leaves them."""
    read = {parent for each in parents.values() for parent in each}
    order, seen = list[int](), set[int]()
    waiting = [(end, False) for end in sorted(parents, reverse=True) if end not in read]
    while waiting:
        node, left = waiting.pop()
        if left:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            above = sorted(parents[node], reverse=not last_first)
            waiting.extend((each, False) for each in above if each not in seen)
    return order


def fewest_alive(parents: Parents, sizes: Mapping[int, int]) -> list[int]:
    """Return the nodes so that, one after the other, each leaves the least alive; of equals the one made last.

    Parameters
    ----------
    parents
        See `orders`.
    sizes
        What each output counts while it is alive.
    """
    children: dict[int, list[int]] = {node: [] for node in parents}
    for node, above in parents.items():
        for each in above:
            children[each].append(node)
    unread = {node: len(each) for node, each in children.items()}
    missing = {node: len(above) for node, above in parents.items()}
    at: dict[int, int] = {}

    def cost(node: int) -> int:
        return (sizes[node] if children[node] else 0) - sum(sizes[each] for each in parents[node] if unread[each] == 1)

    def entry(node: int) -> tuple[int, int, int]:
        return cost(node), -max((at[each] for each in parents[node]), default=0), node

    ready = [entry(node) for node in parents if not missing[node]]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        found = heapq.heappop(ready)
        node = found[-1]
        if node in at:
            continue
        if (now := entry(node)) != found:  # what it would leave alive has changed since it was put here
            heapq.heappush(ready, now)
            continue
        at[node] = len(order)
        order.append(node)
        for each in parents[node]:
            unread[each] -= 1
            for other in children[each] if unread[each] == 1 else ():
                if other not in at and not missing[other]:
                    heapq.heappush(ready, entry(other))
        for child in children[node]:
            missing[child] -= 1
            if not missing[child]:
                heapq.heappush(ready, entry(child))
    return order
