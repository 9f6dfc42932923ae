"""What the heuristics share: candidate plans as rows of integers, their scores, and what is kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer import NEVER, price
from tiercut.solvers.base import Found
from tiercut.solvers.encoding import Layout
from tiercut.solvers.heuristics import anneal_kernels, move_kernels, score_kernels
from tiercut.solvers.kept import Keeper
from tiercut.solvers.parallel import Ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiercut.optimizer import Costs, Decision, Space
    from tiercut.solvers.task import Task

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Candidates", "found_by", "random_states"]

_SEEDS = 512
_APART = 32  # words: threads that write side by side slow each other down
_CAP, _SCALE = 0, 1


class Candidates:
    """A task as the kernels of the heuristics see it: what candidates consist of, scored by, and kept in.

    Parameters
    ----------
    task
        What is to be found.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.space = task, task.space
        self.layout = Layout.of(task.space)
        self.front = task.front
        self.by_accuracy = task.by_accuracy
        self.width = 1 + 3 * self.space.most + self.space.problem.block_count + 1
        self.tables = _scaled(_score_tables(task, self.layout), self)

    @property
    def goal(self) -> tuple[bool, bool]:
        """Whether a frontier is wanted, and else whether by accuracy."""
        return self.front, self.by_accuracy

    @property
    def plain(self) -> int:
        """Number of candidates in one part, thresholds aside: `rows` begins with them, in up to half of its rows."""
        return len(self.space.group) * int(self.space.can_end.sum())

    def rows(self, count: int, state: NDArray[np.uint64]) -> Ints:
        """Return candidates to begin with: the whole network on each node, and others at random."""
        rows = np.zeros((count, self.width), np.int64)
        move_kernels.random_rows(rows, self.tables, state)
        return rows

    def scores(self, rows: Ints) -> tuple[Floats, Floats, Floats]:
        """Return cost, accuracy and violation of each candidate."""
        costs, accuracies, violations = np.empty((3, len(rows)))
        score_kernels.score_rows(rows, self.tables, costs, accuracies, violations)
        return costs, accuracies, violations

    def keys(self, rows: Ints) -> Ints:
        """Return the key of each candidate."""
        keys = np.empty((len(rows), self.layout.width), np.int64)
        score_kernels.keys_of(rows, self.tables, keys)
        return keys

    def keep(self, rows: Ints, scores: tuple[Floats, Floats, Floats], kept: Keeper) -> None:
        """Keep what is good among scored candidates."""
        kept.take(anneal_kernels.keep_rows(rows, *scores, self.tables, self.front, self.by_accuracy, kept.held_at))

    def kept(self) -> Keeper:
        """Return an empty container for what is worth keeping."""
        return Keeper.of(self.task, self.layout)

    def merged(self, kept: Sequence[Keeper]) -> Keeper:
        """Return the best of all that several containers hold, each plan once."""
        best = self.kept()
        best.merge_once(kept)
        return best

    def decisions(self, kept: Sequence[Keeper]) -> tuple[Decision, ...]:
        """Return the best of all that several containers hold, equals in the order that every solver has."""
        best = self.merged(kept)
        plans = best.decisions(self.space, self.layout)
        if self.front or self.task.ties is None:
            return plans
        # The kernels here leave the tie out of the keys.
        costs, accuracies, keys = best.held
        keys = keys.copy()
        keys[:, -2] = np.array([price(self.space.problem, plan).latency_s for plan in plans], float).view(np.int64)
        ordered = self.kept()
        ordered.offer(costs, accuracies, keys)
        return ordered.decisions(self.space, self.layout)


def random_states(seed: int, count: int) -> list[NDArray[np.uint64]]:
    """Return states of random numbers for the kernels, each of them another."""
    seeds = np.random.default_rng(seed).integers(0, 2**63, count, np.uint64)
    return [np.full(_APART, each) for each in seeds]


def found_by(decisions: tuple[Decision, ...], scored: int, ending: Ending) -> Found:
    """Return what a heuristic found; it never claims that there is nothing better, nor that there is nothing."""
    reason = ending or "a heuristic came to its end"
    if not decisions and ending != Ending.INTERRUPTED:
        reason = f"found nothing that holds every bound and rule among {scored:,} plans"
    return Found(decisions=decisions, reason=reason, scored=scored)


def _measured(task: Task) -> tuple[list[Costs], Floats]:
    """Return the tables of what is minimised and bounded, and greatest values, that of accuracy turned and last."""
    if task.goals is not None:
        return list(task.goals.costs), task.goals.caps[np.argsort(task.goals.turned)]
    constraints = task.constraints
    costs = [task.costs, *(side.costs for side in constraints)]
    return costs, np.array([task.cap, *(side.cap for side in constraints), -task.floor])


def _score_tables(task: Task, layout: Layout) -> score_kernels.ScoreTables:
    """Return what candidates consist of, violations not scaled yet."""
    space, (costs, caps) = task.space, _measured(task)
    # What has no path has no time either: the objective is infinite there, whatever it is.
    apart = np.where(space.linked, 0.0, np.inf)
    first = np.stack([each.first for each in costs])
    first[0] += apart[space.problem.source]
    send = np.stack([each.send for each in costs], axis=-1)
    entered = np.array(space.input_codecs != NEVER, np.int64)
    send[..., 0] += apart
    whole, once = (np.array([*(getattr(each, name) for each in costs), 0.0]) for name in ("whole", "once"))
    sizes = (space.most, space.fewest, space.inside, len(space.threshold_indices), len(space.codec_choices))
    return score_kernels.ScoreTables(
        rules=np.array([*sizes, layout.exits_at, layout.thresholds_at, layout.codecs_at, entered[1:].any()], np.int64),
        first=_own(first),
        pieces=np.array([[np.asarray(getattr(each, name)) for each in costs] for name in ("bare", "span")]),
        send=_own(send),
        result=_own(np.stack([each.result for each in costs], axis=-1)),
        stay=_own(space.stay),
        jump=_own(space.jump),
        gains=_gains(space),
        drops=_own(space.drops),
        input_drops=_own(space.input_drops),
        thresholds=_own(space.option_threshold),
        nodes=np.vstack([space.group, space.rank, entered]),
        fits=np.where(space.jump[0] >= 0, space.option_exit, -1).astype(np.int64),
        places=_places(space),
        limits=np.array([caps, np.ones(len(caps)), whole, once]),
        required=_own(space.required),
        furthest=_own(space.furthest),
        shares=_shares(space),
    )


def _gains(space: Space) -> Floats:
    """Return the accuracy of who leaves, by threshold index; once where it is the same for all."""
    lanes = range(1 if space.estimator == "marginal" else len(space.threshold_indices))
    return np.stack([space.accuracies(lane) for lane in lanes])


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
    thresholds = 2.0 if len(space.threshold_indices) > 1 else 0.0
    options = (6.0 if space.inside else 2.0) if len(space.option_exit) > 1 else 0.0
    codecs = 1.5 if len(space.codec_choices) > 1 else 0.0
    apart = 1.0 if space.most > 1 else 0.0
    shares = np.array([6.0, 2.0, 2.0 * apart, 2.5 * apart, 1.5 * apart, thresholds, options, codecs])
    rising: Floats = np.cumsum(shares) / shares.sum()
    rising[np.flatnonzero(shares)[-1] :] = 1.0
    return rising


def _scaled(tables: score_kernels.ScoreTables, candidates: Candidates) -> score_kernels.ScoreTables:
    """Return the tables with scales taken from some candidates, so that costs of any unit weigh about the same."""
    candidates.tables = tables
    costs, accuracies, _ = candidates.scores(candidates.rows(_SEEDS, np.array([1], np.uint64)))
    limits = tables.limits.copy()
    limits[_SCALE] = [_width(costs), *np.maximum(np.abs(limits[_CAP, 1:-1]), _reach(tables)), _width(accuracies)]
    return tables._replace(limits=limits)


def _width(values: Floats) -> float:
    known = values[np.isfinite(values)]  # no route, no number
    if not known.size:
        return 1.0
    low, high = (float(each) for each in np.quantile(known, [0.0, 0.9]))
    return high - low if high > low else max(abs(high), 1.0)


def _reach(tables: score_kernels.ScoreTables) -> Floats:
    """Return for each bounded measure how much one whole network may have of it."""
    whole = np.abs(tables.pieces[1, 1:, :, 0, :])
    most: Floats = np.where(np.isfinite(whole), whole, 0.0).max(axis=(1, 2), initial=0.0)
    return np.maximum(most, 1e-9)
