"""Bounds on paths through a network, by dynamic programming: which arcs no plan of interest can use.

The rule that a node is used once is dropped, and bounds on other measures enter the objective with a price each
(Lagrangian relaxation; the prices by a subgradient method). The shortest path through an arc is then a lower bound on
every plan that uses it.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np

from tiercut.optimizer.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tiercut.solvers.cp_network import Network

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["bound_arcs"]

_ROUNDS = 120
_PATIENCE = 8
_MARGIN = 1e-9


@compiled
def _distances(tail: Ints, head: Ints, length: Floats, ahead: Floats, back: Floats, best: Ints) -> None:
    """Fill in the least length of a path to each vertex and from it, and the arc by which the former arrives."""
    ahead[:], back[:], best[:] = np.inf, np.inf, -1
    ahead[0], back[-1] = 0.0, 0.0
    for arc in range(tail.shape[0]):
        far = ahead[tail[arc]] + length[arc]
        if far < ahead[head[arc]]:
            ahead[head[arc]], best[head[arc]] = far, arc
    for arc in range(tail.shape[0] - 1, -1, -1):
        back[tail[arc]] = min(back[tail[arc]], length[arc] + back[head[arc]])


def bound_arcs(
    network: Network, objective: int, caps: Floats, cutoff: float, look: Callable[[list[int]], float]
) -> Floats:
    """Return for each of A arcs less than what any plan through it comes to in the objective.

    Parameters
    ----------
    network
        The graph of a lane.
    objective
        The row of its values that is made least.
    caps
        R: greatest value of each row; inf: none. That of the objective's own row is not used.
    cutoff
        Only plans below it are of interest; inf: all.
    look
        Told of paths that come up; returns the least value of the objective known by then.

    Notes
    -----
    The bound is lowered by a billionth of what was added up, so that rounding never makes it too large.
    """
    rows = np.flatnonzero(np.isfinite(caps) & (np.arange(len(caps)) != objective))
    size = np.maximum(np.abs(network.values[rows]).max(axis=1, initial=0.0), np.abs(caps[rows]))
    size[size == 0] = 1.0
    over = network.values[rows] / size[:, None]
    limit = caps[rows] / size
    prices, best_prices = np.zeros(len(rows)), np.zeros(len(rows))
    ahead, back, came = np.empty(network.vertices), np.empty(network.vertices), np.empty(network.vertices, np.int64)
    highest, found, idle, pace = -inf, cutoff, 0, 1.0
    kept = np.full(len(network.tail), -inf)
    fill = _distances
    for _ in range(_ROUNDS if len(rows) else 1):
        length = network.values[objective] + prices @ over
        fill(network.tail, network.head, length, ahead, back, came)
        if ahead[-1] == inf:
            return np.full(len(network.tail), inf)
        value = float(ahead[-1] - prices @ limit)
        slack = _MARGIN * (1.0 * np.abs(network.values[objective]).max() + abs(value) + float(prices.sum()))
        # Every set of prices gives a bound of its own, and an arc is out as soon as one of them says so.
        kept = np.maximum(kept, ahead[network.tail] + length + back[network.head] - prices @ limit - slack)
        path = _path(network, came)
        found = min(found, look(path))
        if value > highest:
            highest, best_prices, idle = value, prices, 0
        else:
            idle += 1
        if idle >= _PATIENCE:
            idle, pace, prices = 0, pace / 2, best_prices
        if highest - slack > found or pace < 1e-3:
            break
        slope = over[:, path].sum(axis=1) - limit
        norm = float(slope @ slope)
        if norm == 0:
            break
        aim = found if np.isfinite(found) else value + abs(value) * 0.1 + size.min() * 1e-3
        prices = np.maximum(0.0, prices + pace * max(aim - value, 1e-9 * abs(value)) / norm * slope)
    return kept


def _path(network: Network, came: Ints) -> list[int]:
    """Return the arcs of the shortest path."""
    path, vertex = [], network.vertices - 1
    while vertex:
        arc = int(came[vertex])
        path.append(arc)
        vertex = int(network.tail[arc])
    return path
