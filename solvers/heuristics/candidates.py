"""What the heuristics share: the ground that walks are made on, and what they keep of all that they pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer.constraints import constraints_of
from tiercut.optimizer.measures.tables import measure
from tiercut.optimizer.pricing import price
from tiercut.solvers.encoding import Layout
from tiercut.solvers.heuristics import anneal_kernels, move_kernels, score_kernels
from tiercut.solvers.interface import Outcome
from tiercut.solvers.parallel import Keeper, decisions_of, merge
from tiercut.solvers.task import goals_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.query import Query
    from tiercut.optimizer.space import Costs, Space

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Kept", "Walks", "outcome_of", "states"]

_SEEDS = 512
_APART = 32  # words: threads that write side by side slow each other down
_CAP, _SCALE = 0, 1


class Walks:
    """A question as the kernels of the heuristics see it.

    Parameters
    ----------
    space, query
        What is asked.
    """

    def __init__(self, space: Space, query: Query) -> None:
        self.space = space
        self.layout = Layout.of(space)
        self.front = query.kind == "frontier"
        self.by_accuracy = query.objective == "accuracy" and not self.front
        self.top = query.top if query.kind == "rank" else 1
        self.tied = not self.front and query.additive != "latency"
        self.width = 1 + 3 * space.most + space.problem.block_count + 1
        self.ground = _scaled(_ground(space, query, self.layout), self)

    @property
    def goal(self) -> tuple[bool, bool]:
        """Whether a frontier is asked for, and else whether by accuracy."""
        return self.front, self.by_accuracy

    @property
    def plain(self) -> int:
        """Number of walks in one part, thresholds aside: `rows` begins with them, in up to half of its rows."""
        return len(self.space.group) * int(self.space.can_end.sum())

    def rows(self, count: int, state: NDArray[np.uint64]) -> Ints:
        """Return walks to begin with: the whole network on each node, and others at random."""
        made = np.zeros((count, self.width), np.int64)
        move_kernels.random_rows(made, self.ground, state)
        return made

    def scores(self, rows: Ints) -> tuple[Floats, Floats, Floats]:
        """Return cost, accuracy and violation of each walk."""
        made = np.empty((3, len(rows)))
        score_kernels.score_rows(rows, self.ground, *made)
        return made[0], made[1], made[2]

    def keys(self, rows: Ints) -> Ints:
        """Return the key of each walk."""
        made = np.empty((len(rows), self.layout.width), np.int64)
        score_kernels.keys_of(rows, self.ground, made)
        return made

    def keep(self, rows: Ints, scores: tuple[Floats, Floats, Floats], kept: Kept) -> None:
        """Keep what is good among scored walks."""
        keep_rows: Any = anneal_kernels.keep_rows
        kept.take(keep_rows(rows, *scores, self.ground, *self.goal, *kept.arrays))

    def kept(self) -> Kept:
        """Return an empty container for what is worth keeping."""
        capacity = 256 if self.front else self.top
        return Kept(np.empty(capacity), np.empty(capacity), np.empty((capacity, self.layout.width), np.int64))

    def ordered(self, kept: list[Kept]) -> Keeper:
        """Return the best of all that several containers hold, equals in the order that every solver has."""
        best = self.merged(kept)
        if not self.tied:
            return best
        keys = best.keys[: best.count].copy()
        plans = (price(self.space.problem, decision) for decision in decisions_of(self.space, self.layout, best))
        keys[:, -2] = np.array([plan.latency_s for plan in plans], float).view(np.int64)
        made = Keeper(self.top, self.layout.width)
        merge(made, best.costs[: best.count], best.accuracies[: best.count], keys, *self.goal)
        return made

    def merged(self, kept: list[Kept]) -> Keeper:
        """Return the best of all that several containers hold, each plan once."""
        best = Keeper(64 if self.front else self.top, self.layout.width)
        keys = np.vstack([each.keys[: each.count] for each in kept])
        costs = np.concatenate([each.costs[: each.count] for each in kept])
        accuracies = np.concatenate([each.accuracies[: each.count] for each in kept])
        _, once = np.unique(keys, axis=0, return_index=True)
        merge(best, costs[once], accuracies[once], keys[once], *self.goal)
        return best


@dataclass(slots=True)
class Kept:
    """A frontier by rising cost, or the best in order, each plan once; kernels write it."""

    costs: Floats
    accuracies: Floats
    keys: Ints
    count: int = 0
    progress: Ints = field(default_factory=lambda: np.zeros(_APART, np.int64))

    @property
    def arrays(self) -> tuple[Floats, Floats, Ints, int]:
        """What kernels take and give back."""
        return self.costs, self.accuracies, self.keys, self.count

    def take(self, made: Any) -> None:
        """Take over what a kernel gave back."""
        self.costs, self.accuracies, self.keys, self.count = made

    def fill(self, keeper: Keeper) -> None:
        """Hold what a keeper holds, and nothing else."""
        count = keeper.count
        capacity = max(len(self.costs), count)
        self.costs, self.accuracies = np.empty(capacity), np.empty(capacity)
        self.keys = np.empty((capacity, keeper.keys.shape[1]), np.int64)
        self.costs[:count], self.accuracies[:count] = keeper.costs[:count], keeper.accuracies[:count]
        self.keys[:count], self.count = keeper.keys[:count], count


def states(seed: int, count: int) -> list[NDArray[np.uint64]]:
    """Return states of random numbers for the kernels, each of them another."""
    seeds = np.random.default_rng(seed).integers(0, 2**63, count, np.uint64)
    return [np.full(_APART, each) for each in seeds]


def outcome_of(name: str, walks: Walks, kept: list[Kept], seconds: float, scored: int, reason: str) -> Outcome:
    """Return what a heuristic found; it never claims that there is nothing better, nor that there is nothing."""
    decisions = decisions_of(walks.space, walks.layout, walks.ordered(kept))
    if not decisions:
        reason = f"found nothing that holds every bound and rule among {scored:,} plans"
    return Outcome(name, False, "feasible", decisions, seconds, scored, reason)


def _measured(space: Space, query: Query) -> tuple[list[Costs], Floats]:
    """Return the tables of what is made least and bounded, and greatest values, that of accuracy turned and last."""
    if query.many:
        goals = goals_of(space, query)
        return list(goals.costs), goals.caps[np.argsort(goals.turned)]
    sides = constraints_of(space, query)
    latency = query.latency_cap if query.additive == "latency" else np.inf
    costs = [space.costs(measure(space.problem, query.additive, query.rate_fps)), *(side.costs for side in sides)]
    return costs, np.array([latency, *(side.cap for side in sides), -query.accuracy_floor])


def _ground(space: Space, query: Query, layout: Layout) -> score_kernels.Ground:
    """Return what walks are made of, violations not scaled yet."""
    costs, caps = _measured(space, query)
    # What has no path has no time either: the objective is infinite there, whatever it is.
    apart = np.where(space.linked, 0.0, np.inf)
    first = np.stack([each.first for each in costs])
    first[0] += apart[space.problem.source]
    send = np.stack([each.send for each in costs], axis=-1)
    send[..., 0] += apart
    whole = np.array([*(each.whole for each in costs), 0.0])
    sizes = (space.most, space.fewest, space.inside, len(space.lanes), len(space.ways))
    return score_kernels.Ground(
        rules=np.array([*sizes, layout.exits_at, layout.thresholds_at, layout.codecs_at], np.int64),
        first=_own(first),
        pieces=np.array([[getattr(each, name) for each in costs] for name in ("bare", "span")]),
        send=_own(send),
        result=_own(np.stack([each.result for each in costs], axis=-1)),
        stay=_own(space.stay),
        jump=_own(space.jump),
        gains=np.vstack([space.accuracy, space.drops]),
        thresholds=_own(space.option_threshold),
        nodes=np.array([space.group, space.rank], np.int64),
        fits=np.where(space.jump[0] >= 0, space.option_exit, -1).astype(np.int64),
        places=_places(space),
        limits=np.array([caps, np.ones(len(caps)), whole]),
        required=_own(space.required),
        shares=_shares(space),
    )


def _own(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy that is contiguous and may be written, so that kernels are compiled for one sort of array."""
    return np.array(array, order="C")


def _places(space: Space) -> Ints:
    exits = np.zeros(space.problem.block_count, bool)
    if space.inside:
        exits = (space.jump[0][:, space.option_exit] >= 0).any(axis=1)
    rows = []
    for here in (space.can_cut, space.can_end, exits):
        blocks = np.flatnonzero(here)
        rows += [np.pad(blocks, (0, len(here) + 1 - len(blocks))), np.concatenate([[0], np.cumsum(here)])]
    return np.array(rows, np.int64)


def _shares(space: Space) -> Floats:
    """Return how often moves of each kind are tried, those without effect left out."""
    lanes = 2.0 if len(space.lanes) > 1 else 0.0
    options = (6.0 if space.inside else 2.0) if len(space.option_exit) > 1 else 0.0
    ways = 1.5 if len(space.ways) > 1 else 0.0
    apart = 1.0 if space.most > 1 else 0.0
    shares = np.array([6.0, 2.0, 2.0 * apart, 2.5 * apart, 1.5 * apart, lanes, options, ways])
    rising: Floats = np.cumsum(shares) / shares.sum()
    rising[np.flatnonzero(shares)[-1] :] = 1.0
    return rising


def _scaled(ground: score_kernels.Ground, walks: Walks) -> score_kernels.Ground:
    """Return the ground with scales taken from some walks, so that costs of any unit weigh about the same."""
    walks.ground = ground
    costs, accuracies, _ = walks.scores(walks.rows(_SEEDS, np.array([1], np.uint64)))
    limits = ground.limits.copy()
    limits[_SCALE] = [_width(costs), *np.maximum(np.abs(limits[_CAP, 1:-1]), _reach(ground)), _width(accuracies)]
    return ground._replace(limits=limits)


def _width(values: Floats) -> float:
    low, high = (float(each) for each in np.quantile(values, [0.0, 0.9]))
    return high - low if high > low else max(abs(high), 1.0)


def _reach(ground: score_kernels.Ground) -> Floats:
    """Return for each bounded measure how much one whole network may have of it."""
    whole = np.abs(ground.pieces[1, 1:, :, 0, :])
    most: Floats = np.where(np.isfinite(whole), whole, 0.0).max(axis=(1, 2), initial=0.0)
    return np.maximum(most, 1e-9)
