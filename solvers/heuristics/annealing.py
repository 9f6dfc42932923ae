"""Simulated annealing: chains of small changes to candidates, which cool down while everything good on the way is kept.

Each chain minimises one weighting of cost and accuracy; along a frontier the weightings turn evenly. It begins at what
is kept and suits its weighting best, at times anywhere. A few *islands* work side by side and hand round what they
kept after every round, in a fixed order: so neither the number of threads nor their pace changes the answer.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache, partial
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from tiercut.clock import seconds_left
from tiercut.solvers.base import BaseSolver, Found
from tiercut.solvers.heuristics import anneal_kernels
from tiercut.solvers.heuristics.candidates import Candidates, found_by, random_states
from tiercut.solvers.interface import Options
from tiercut.solvers.parallel import Ending, run_jobs, thread_count
from tiercut.solvers.warm_up import tiny_tasks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer import Space
    from tiercut.solvers.kept import Keeper
    from tiercut.solvers.task import Task

__all__ = ["Annealing", "moves_for"]

_ISLANDS = 4
_STEPS = 4_000  # moves in a chain
_ROUND = 12  # chains of an island between two exchanges
_LEAST, _MOST = 5_000, 4_000_000  # moves in all
_EACH = 60  # moves for each decision of a small space
_SMALL = 100_000  # moves up to which one island is enough
_HOT, _COLD = 0.05, 1e-5  # temperatures, as shares of the frontier's width
_SEEDS = 256
_QUIET_S = 0.1


def moves_for(space: Space) -> int:
    """Return how many moves are tried unless it is said otherwise: many for each decision, up to a limit."""
    return min(max(_EACH * space.decisions, _LEAST), _MOST)


class Annealing(BaseSolver):
    """Good plans; nothing proves them the best.

    Parameters
    ----------
    moves
        How many changes to try; the same number and seed give the same answer. By default `moves_for` the space.
    """

    name = "annealing"
    exact = False
    about = "good plans of any space, without proof"
    features = frozenset(
        (
            "frontier",
            "rank",
            "free",
            "per-exit",
            "codec",
            "constraints",
            "bounded-rank",
            "whole",
            "once",
            "leavers",
        )
    )

    def __init__(self, moves: int | None = None) -> None:
        self.moves = moves

    def _load(self, _: Task) -> None:
        _load_kernels()

    def _search(self, task: Task, options: Options) -> Found:
        return _found(task, options, moves_for(task.space) if self.moves is None else self.moves)


@cache
def _load_kernels() -> None:
    for task in tiny_tasks():
        _found(task, Options(workers=1), 100)


def _found(task: Task, options: Options, moves: int) -> Found:
    search = _Search(Candidates(task), options, moves)
    ending = search.run()
    return found_by(search.candidates.decisions(search.kept), search.scored, ending)


class _Search:
    """One search: islands, each with what it has kept, its random numbers and its last candidate."""

    def __init__(self, candidates: Candidates, options: Options, moves: int) -> None:
        self.candidates, self.options, self.moves = candidates, options, moves
        small = moves <= _SMALL
        self.islands = 1 if small else _ISLANDS
        self.steps = min(_STEPS, max(moves // 16, 1))
        self.chains = max(moves // self.steps, 1)
        self.states = random_states(options.seed, self.islands)
        self.kept = [candidates.kept() for _ in range(self.islands)]
        self.rows = [self._settle(state, kept) for state, kept in zip(self.states, self.kept, strict=True)]

    def _settle(self, state: NDArray[np.uint64], kept: Keeper) -> NDArray[np.int64]:
        """Keep what is good among plain candidates, and return the one that violates least."""
        rows = self.candidates.rows(_SEEDS, state)
        scores = self.candidates.scores(rows)
        self.candidates.keep(rows, scores, kept)
        return np.array(rows[int(np.argmin(scores[2]))])

    @property
    def scored(self) -> int:
        """Number of candidates scored."""
        return self.islands * _SEEDS + int(sum(kept.progress[1] for kept in self.kept))

    def run(self) -> Ending:
        """Let the islands work until all moves are done; return whether they were, or why not."""
        shown, done = time.perf_counter(), 0
        try:
            while done < self.chains:
                chains = min(_ROUND, -(-(self.chains - done) // self.islands))
                if ending := self._round(done, chains):
                    return ending
                done += chains * self.islands
                self._exchange()
                if self.options.progress is not None and time.perf_counter() > shown + _QUIET_S:
                    shown = time.perf_counter()
                    self.options.progress(min(self.scored, self.moves), self.moves)
        except KeyboardInterrupt:
            return Ending.INTERRUPTED
        return Ending.DONE

    def _round(self, done: int, chains: int) -> Ending:
        left = seconds_left()
        if left == inf and self.islands == 1:
            self._work(0, done, chains)
            return Ending.DONE
        if left <= 0:
            return Ending.STOPPED
        jobs = [partial(self._work, each, done, chains) for each in range(self.islands)]
        stops = [kept.progress for kept in self.kept]
        threads = thread_count(self.options, self.islands, small=False)
        return run_jobs(jobs, stops, replace(self.options, progress=None), lambda: (0, 0), threads=threads)

    def _work(self, island: int, done: int, chains: int) -> None:
        kept, candidates = self.kept[island], self.candidates
        kept.take(
            anneal_kernels.anneal(
                self.rows[island],
                candidates.tables,
                self.states[island],
                done + island * chains,
                chains,
                self.steps,
                _HOT,
                _COLD,
                candidates.front,
                candidates.by_accuracy,
                kept.held_at,
                kept.progress,
            )
        )

    def _exchange(self) -> None:
        """Give every island what all of them have kept."""
        if self.islands > 1:
            best = self.candidates.merged(self.kept)
            for kept in self.kept:
                kept.fill(best)
