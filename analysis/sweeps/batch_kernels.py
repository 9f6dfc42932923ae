"""The kernel of batches: the best of a list of plans under each of many combinations of conditions.

Plans share *atoms*: a piece on a node, or a transfer between two. An atom is worked out again only where a condition
changed that it follows, and a plan's latency is the sum of its atoms, each weighted by the share of samples that meets
it, in the order in which a sample meets them: the sums of `tiercut.optimizer.pricing`, to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.analysis.sweeps.arguments import Atoms, Axes, Listed, Routes

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["best_over_range"]


@compiled
def _travel(size: float, route: int, routes: Routes, latency: Floats, bandwidth: Floats, inverse: Floats) -> float:
    """Return the seconds of a payload along a route, summed as `tiercut.topologies.route.Route.seconds` does."""
    delay, per_byte, slowest = 0.0, 0.0, np.inf
    for at in range(routes.begin[route], routes.begin[route + 1]):
        hop = routes.hops[at]
        delay += latency[hop]
        per_byte += inverse[hop]
        slowest = min(slowest, bandwidth[hop])
    if not routes.packets:
        return float(delay + size * per_byte)
    first = min(size, routes.mtu)
    return float(delay + first * per_byte + (size - first) / slowest)


@compiled
def _rank(size: float, route: int, routes: Routes, latency: Floats, bandwidth: Floats) -> float:
    """Return what the quickest of several routes has least of, as `tiercut.topologies.quickest_routes` adds it up."""
    packet = min(size, routes.mtu) if routes.packets else size
    seconds, slowest = 0.0, np.inf
    for at in range(routes.begin[route], routes.begin[route + 1]):
        hop = routes.hops[at]
        seconds = seconds + latency[hop] + packet / bandwidth[hop]
        slowest = min(slowest, bandwidth[hop])
    return float(seconds + (size - packet) / slowest)


@compiled
def _worked_out(
    atom: int, atoms: Atoms, routes: Routes, slow: Floats, latency: Floats, bandwidth: Floats, inverse: Floats
) -> float:
    """Return the seconds of an atom as things stand."""
    value = atoms.one[atom] * slow[atoms.here[atom]] + atoms.other[atom] * slow[atoms.there[atom]]
    start, stop = atoms.route[atom], atoms.route_end[atom]
    if stop == start:
        return float(value)
    size, quickest = atoms.size[atom], start
    if stop > start + 1:
        least = _rank(size, start, routes, latency, bandwidth)
        for route in range(start + 1, stop):
            rank = _rank(size, route, routes, latency, bandwidth)
            if rank < least:
                least, quickest = rank, route
    return float(value + _travel(size, quickest, routes, latency, bandwidth, inverse))


@compiled
def best_over_range(
    start: int, stop: int, axes: Axes, atoms: Atoms, routes: Routes, plans: Listed, begin: Floats, nodes: int,
    cap: float, by_accuracy: bool, best: Ints, seconds: Floats,
) -> None:  # fmt: skip
    """Find the best plan under each of a range of combinations.

    Parameters
    ----------
    start, stop
        The range: combinations are counted like the digits of a number, the last condition quickest.
    axes, atoms, routes, plans
        See `tiercut.analysis.sweeps.arguments`.
    begin
        What conditions change, before they do: three factors of each of the nodes, whose product is its slowdown, then
        bandwidths and latencies of the directions of links.
    nodes
        Their number.
    cap
        Greatest latency, slack included.
    by_accuracy
        Whether the most accurate plan is wanted, and of those the quickest; else the quickest, and of those the most
        accurate. Plans come in the order that decides among equals, the most accurate first.
    best, seconds
        Filled, one for each combination: the plan (-1: none is quick enough) and its latency.
    """
    count, links = len(axes.sizes), (len(begin) - 3 * nodes) // 2
    values, levels = begin.copy(), np.zeros(count, np.int64)
    rest = start
    for axis in range(count - 1, -1, -1):
        levels[axis] = rest % axes.sizes[axis]
        rest //= axes.sizes[axis]
    slow = np.empty(nodes)
    bandwidth, latency = values[3 * nodes : 3 * nodes + links], values[3 * nodes + links :]
    inverse = np.empty(links)
    times = np.empty(len(atoms.size))
    changed, everything = 0, True
    for point in range(start, stop):
        for axis in range(changed, count):
            value = axes.values[axes.values_at[axis] + levels[axis]]
            for at in range(axes.targets_at[axis], axes.targets_at[axis + 1]):
                values[axes.targets[at]] = value
        for node in range(nodes):
            slow[node] = values[node] * values[nodes + node] * values[2 * nodes + node]
        for hop in range(links):
            inverse[hop] = 1.0 / bandwidth[hop]
        if everything:
            for atom in range(len(times)):
                times[atom] = _worked_out(atom, atoms, routes, slow, latency, bandwidth, inverse)
            everything = False
        else:
            for at in range(axes.follow_at[changed], axes.follow_at[changed + 1]):
                atom = axes.follow[at]
                times[atom] = _worked_out(atom, atoms, routes, slow, latency, bandwidth, inverse)

        found, spent = -1, np.inf
        for plan in range(len(plans.accuracy)):
            total = 0.0
            for at in range(plans.begin[plan], plans.begin[plan + 1]):
                total += plans.weight[at] * times[plans.atom[at]]
            if total < spent and total <= cap:
                if by_accuracy and found >= 0 and plans.accuracy[plan] < plans.accuracy[found]:
                    break
                found, spent = plan, total
        best[point - start], seconds[point - start] = found, spent

        changed = count - 1
        while changed >= 0:
            levels[changed] += 1
            if levels[changed] < axes.sizes[changed]:
                break
            levels[changed] = 0
            changed -= 1
        changed = max(changed, 0)
