"""A seeded sample of a space's decisions with their scores: the cloud behind a frontier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiercut.optimizer import Exits, Space, evaluate_tables, make_space, measure, shares_of
from tiercut.solvers import Layout, decision_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Cloud", "sample_cloud"]


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """Scores of sampled decisions, K each.

    Parameters
    ----------
    costs
        In the unit of the measure (seconds for latency).
    accuracies
        Shares.
    partitions
        Number of partitions of each.
    """

    costs: NDArray[np.float64]
    accuracies: NDArray[np.float64]
    partitions: NDArray[np.int64]


def sample_cloud(
    space: Space, count: int, *, name: str = "latency", rate_fps: float | None = None, seed: int = 0
) -> Cloud:
    """Return the scores of at most `count` random decisions.

    Parameters
    ----------
    space
        Where they come from.
    count
        How many to draw; those between nodes without a path are dropped.
    name
        The additive measure to score.
    seed
        The same seed gives the same cloud. Every number of partitions is drawn equally often, so that plans with few
        partitions can be seen among the many with more. Of a space with free exits, codecs or thresholds for each exit
        the plain part is shown.
    """
    if not space.plain:
        exits: Exits = "final" if space.exits == "final" else "cuts"
        space = make_space(space.problem, exits=exits, order=space.order)
    rng = np.random.default_rng(seed)
    most = space.most
    keys = np.zeros((count, 2 * most + 2), np.int64)
    for row in keys:
        _draw(space, most, row, rng)
    keys = keys[_connected(space, keys, most)]
    problem, layout, tables = space.problem, Layout.of(space), measure(space.problem, name, rate_fps)
    decisions = [decision_of(space, layout, row) for row in np.insert(keys, -1, 0, axis=1)]
    costs = np.array([evaluate_tables(problem, each, tables) for each in decisions])
    accuracies = np.array([sum(shares_of(problem, each).right) for each in decisions])
    return Cloud(costs, accuracies, keys[:, 0])


def _draw(space: Space, most: int, row: NDArray[np.int64], rng: np.random.Generator) -> None:
    parts = int(rng.integers(1, most + 1))
    ends = np.flatnonzero(space.can_end)
    if space.exits == "final":
        cuts = np.sort(rng.choice(np.flatnonzero(space.can_cut), parts - 1, replace=False))
        cuts = np.append(cuts, ends[-1])
    else:
        cuts = np.sort(rng.choice(ends, parts, replace=False))
    groups = rng.choice(np.unique(space.group), parts, replace=False)
    nodes = np.array([rng.choice(np.flatnonzero(space.group == group)) for group in groups])
    nodes = nodes[np.argsort(space.rank[nodes], kind="stable")]
    row[0] = parts
    row[1 : 1 + parts] = cuts + 1
    row[1 + most : 1 + most + parts] = nodes
    row[-1] = rng.integers(len(space.threshold_indices)) if parts > 1 else 0


def _connected(space: Space, keys: NDArray[np.int64], most: int) -> NDArray[np.bool_]:
    nodes, parts = keys[:, 1 + most : 1 + 2 * most], keys[:, 0]
    joined = space.linked[nodes[:, :-1], nodes[:, 1:]] | (np.arange(1, most) >= parts[:, None])
    reached: NDArray[np.bool_] = space.linked[space.problem.source, nodes[:, 0]] & joined.all(axis=1)
    return reached
