"""Simulated annealing: chains of small changes to walks, which cool down while everything good on the way is kept.

Each chain makes one weighting of cost and accuracy less; along a frontier the weightings turn evenly. It begins at what
is kept and suits its weighting best, at times anywhere. A few *islands* work side by side and hand round what they
kept after every round, in a fixed order: so neither the number of threads nor their pace changes the answer.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.optimizer.query import Query
from tiercut.solvers.heuristics import anneal_kernels
from tiercut.solvers.heuristics.candidates import Kept, Walks, outcome_of, states
from tiercut.solvers.interface import Options, Outcome
from tiercut.solvers.parallel import cores, watch
from tiercut.solvers.warm_up import tiny_space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.space import Space

__all__ = ["moves_for", "solve"]

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


def solve(space: Space, query: Query, options: Options, moves: int | None = None) -> Outcome:
    """Return good plans; nothing proves them the best.

    Parameters
    ----------
    space
        The decisions that count; any.
    query
        Objective, bounds and kind of answer.
    options
        Threads, seed, time limit, progress.
    moves
        How many changes to try; the same number and seed give the same answer. By default `moves_for` the space.

    Returns
    -------
    Outcome
        ``feasible`` always, without decisions where no plan was found that holds the bounds.
    """
    _load_kernels()
    began = time.perf_counter()
    search = _Search(Walks(space, query), options, moves_for(space) if moves is None else moves)
    finished = search.run(began)
    reason = "a heuristic came to its end" if finished else "stopped before the end"
    return outcome_of("annealing", search.walks, search.kept, time.perf_counter() - began, search.scored, reason)


@cache
def _load_kernels() -> None:
    """Compile the kernels, or read them from the disk; what is measured begins after it."""
    for query in (Query(kind="frontier"), Query(kind="rank")):
        _Search(Walks(tiny_space(), query), Options(workers=1), 100).run(time.perf_counter())


class _Search:
    """One question under way: islands, each with what it has kept, its random numbers and its last walk."""

    def __init__(self, walks: Walks, options: Options, moves: int) -> None:
        self.walks, self.options, self.moves = walks, options, moves
        small = moves <= _SMALL
        self.islands = 1 if small else _ISLANDS
        self.steps = min(_STEPS, max(moves // 16, 1))
        self.chains = max(moves // self.steps, 1)
        self.states = states(options.seed, self.islands)
        self.kept = [walks.kept() for _ in range(self.islands)]
        self.rows = [self._settle(state, kept) for state, kept in zip(self.states, self.kept, strict=True)]

    def _settle(self, state: NDArray[np.uint64], kept: Kept) -> NDArray[np.int64]:
        """Keep what is good among plain walks, and return the one that violates least."""
        rows = self.walks.rows(_SEEDS, state)
        scores = self.walks.scores(rows)
        self.walks.keep(rows, scores, kept)
        return np.array(rows[int(np.argmin(scores[2]))])

    @property
    def scored(self) -> int:
        """Number of walks scored."""
        return self.islands * _SEEDS + int(sum(kept.progress[1] for kept in self.kept))

    def run(self, began: float) -> bool:
        """Let the islands work until all moves are done; return whether they were."""
        told, done = began, 0
        count = min(self.options.workers or cores(), self.islands)
        try:
            with ThreadPoolExecutor(count) as pool:
                while done < self.chains:
                    chains = min(_ROUND, -(-(self.chains - done) // self.islands))
                    if not self._round(pool, done, chains, began):
                        return False
                    done += chains * self.islands
                    self._exchange()
                    if self.options.progress is not None and time.perf_counter() > told + _QUIET_S:
                        told = time.perf_counter()
                        self.options.progress(min(self.scored, self.moves), self.moves)
        except KeyboardInterrupt:
            return False
        return True

    def _round(self, pool: ThreadPoolExecutor, done: int, chains: int, began: float) -> bool:
        limit = self.options.time_limit_s
        if limit is None and self.islands == 1:
            self._work(0, done, chains)
            return True
        left = None if limit is None else limit - (time.perf_counter() - began)
        if left is not None and left <= 0:
            return False
        running = [pool.submit(self._work, each, done, chains) for each in range(self.islands)]
        stops = [kept.progress for kept in self.kept]
        finished = watch(running, stops, replace(self.options, time_limit_s=left, progress=None), lambda: (0, 0))
        for each in running:
            each.result()
        return finished

    def _work(self, island: int, done: int, chains: int) -> None:
        kept, heats = self.kept[island], (_HOT, _COLD)
        head = (self.rows[island], self.walks.ground, self.states[island], done + island * chains, chains, self.steps)
        run: Any = anneal_kernels.anneal
        kept.take(run(*head, *heats, *self.walks.goal, *kept.arrays, kept.progress))

    def _exchange(self) -> None:
        """Give every island what all of them have kept."""
        if self.islands > 1:
            best = self.walks.merged(self.kept)
            for kept in self.kept:
                kept.fill(best)
