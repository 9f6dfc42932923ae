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

_LANES = 16
"""Levels of the last condition that are added up side by side, each in the order of a sum of its own."""


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
def _quickest(size: float, start: int, stop: int, routes: Routes, latency: Floats, bandwidth: Floats) -> int:
    """Return the quickest of several routes."""
    quickest, least = start, _rank(size, start, routes, latency, bandwidth)
    for route in range(start + 1, stop):
        rank = _rank(size, route, routes, latency, bandwidth)
        if rank < least:
            least, quickest = rank, route
    return quickest


@compiled
def _work_out(
    which: Ints, atoms: Atoms, routes: Routes, slow: Floats, latency: Floats, bandwidth: Floats, times: Floats,
    first: int, stop: int,
) -> None:  # fmt: skip
    """Fill the seconds of some atoms as things stand, in a range of columns.

    Routes are summed as `tiercut.topologies.route.Route.seconds` does, once for all that goes along them.
    """
    count = len(routes.begin) - 1
    delay, per_byte, slowest = np.zeros(count), np.zeros(count), np.full(count, np.inf)
    for route in range(count):
        for at in range(routes.begin[route], routes.begin[route + 1]):
            hop = routes.hops[at]
            delay[route] += latency[hop]
            per_byte[route] += 1.0 / bandwidth[hop]
            slowest[route] = min(slowest[route], bandwidth[hop])
    for atom in which:
        value = atoms.one[atom] * slow[atoms.here[atom]] + atoms.other[atom] * slow[atoms.there[atom]]
        route, end = atoms.route[atom], atoms.route_end[atom]
        if end > route:
            size = atoms.size[atom]
            if end > route + 1:
                route = _quickest(size, route, end, routes, latency, bandwidth)
            if routes.packets:
                packet = min(size, routes.mtu)
                value += delay[route] + packet * per_byte[route] + (size - packet) / slowest[route]
            else:
                value += delay[route] + size * per_byte[route]
        times[atom, first:stop] = value


@compiled
def _set(axes: Axes, axis: int, level: int, values: Floats) -> None:
    value = axes.values[axes.values_at[axis] + level]
    for at in range(axes.targets_at[axis], axes.targets_at[axis + 1]):
        values[axes.targets[at]] = value


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
    last = count - 1
    values, levels = begin.copy(), np.zeros(count, np.int64)
    rest = start
    for axis in range(last, -1, -1):
        levels[axis] = rest % axes.sizes[axis]
        rest //= axes.sizes[axis]
    slow = np.empty(nodes)
    bandwidth, latency = values[3 * nodes : 3 * nodes + links], values[3 * nodes + links :]
    all_atoms = np.arange(len(atoms.size))
    times = np.zeros((len(atoms.size), _LANES))
    total, spent, found = np.empty(_LANES), np.empty(_LANES), np.empty(_LANES, np.int64)
    changed, everything, point = 0, True, start
    while point < stop:
        lanes = min(axes.sizes[last] - levels[last], stop - point, _LANES) if count > 0 else 1
        for axis in range(changed, last):
            _set(axes, axis, levels[axis], values)
        for lane in range(lanes):
            if count > 0:
                _set(axes, last, levels[last] + lane, values)
            for node in range(nodes):
                slow[node] = values[node] * values[nodes + node] * values[2 * nodes + node]
            if everything or (lane == 0 and changed < last):
                which = all_atoms if everything else axes.follow[axes.follow_at[changed] : axes.follow_at[changed + 1]]
                _work_out(which, atoms, routes, slow, latency, bandwidth, times, 0, _LANES)
                everything = False
            else:
                which = axes.follow[axes.follow_at[last] : axes.follow_at[last + 1]]
                _work_out(which, atoms, routes, slow, latency, bandwidth, times, lane, lane + 1)

        found[:], spent[:] = -1, np.inf
        for plan in range(len(plans.accuracy)):
            less = plan > 0 and plans.accuracy[plan] < plans.accuracy[plan - 1]
            if by_accuracy and less and (found[:lanes] >= 0).all():  # no plan that is left is as accurate
                break
            total[:] = 0.0
            for at in range(plans.begin[plan], plans.begin[plan + 1]):
                weight, atom = plans.weight[at], plans.atom[at]
                for lane in range(_LANES):
                    total[lane] += weight * times[atom, lane]
            for lane in range(_LANES):
                if total[lane] < spent[lane] and total[lane] <= cap:
                    worse = by_accuracy and found[lane] >= 0 and plans.accuracy[plan] < plans.accuracy[found[lane]]
                    if not worse:
                        found[lane], spent[lane] = plan, total[lane]
        for lane in range(lanes):
            best[point - start + lane], seconds[point - start + lane] = found[lane], spent[lane]

        point += lanes
        changed = max(last, 0)
        if count > 0:
            levels[last] += lanes
            while changed > 0 and levels[changed] == axes.sizes[changed]:
                levels[changed] = 0
                changed -= 1
                levels[changed] += 1
