"""Decisions drawn at random, the best of them kept: the baseline that any other solver must beat.

This is also the file to copy for a new solver: name, features and `_search`, and a line in `tiercut.solvers.registry`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tiercut.clock import seconds_left
from tiercut.solvers.base import BaseSolver, Found
from tiercut.solvers.heuristics.candidates import Candidates, found_by, random_states
from tiercut.solvers.interface import Options
from tiercut.solvers.parallel import Ending
from tiercut.solvers.warm_up import tiny_tasks

if TYPE_CHECKING:
    from tiercut.solvers.task import Task

__all__ = ["RandomSearch"]

_DRAWS = 100_000
_BATCH = 2_000  # draws between two looks at the clock


class RandomSearch(BaseSolver):
    """Good plans by chance; nothing proves them the best.

    Parameters
    ----------
    draws
        How many decisions are drawn; the same number and seed give the same answer.
    """

    name = "random"
    exact = False
    about = "the best of decisions drawn at random, as a baseline"
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

    def __init__(self, draws: int = _DRAWS) -> None:
        self.draws = draws

    def _load(self, _: Task) -> None:
        _load_kernels()

    def _search(self, task: Task, options: Options) -> Found:
        return _found(task, options, self.draws)


@cache
def _load_kernels() -> None:
    for task in tiny_tasks():
        _found(task, Options(), 1)


def _found(task: Task, options: Options, draws: int) -> Found:
    done = 0
    candidates, state = Candidates(task), random_states(options.seed, 1)[0]
    kept = candidates.kept()
    try:
        while done < draws and not (done and seconds_left() <= 0):
            rows = candidates.rows(min(_BATCH, draws - done), state)
            candidates.keep(rows, candidates.scores(rows), kept)
            done += len(rows)
            if options.progress is not None:
                options.progress(done, draws)
        ending = Ending.DONE if done >= draws else Ending.STOPPED
    except KeyboardInterrupt:
        ending = Ending.INTERRUPTED
    return found_by(candidates.decisions([kept]), done, ending)
