"""What may be told to any solver, and how it reports back while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Options", "Progress"]

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with the work done and the work in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options that every solver takes; those that mean nothing to it are ignored.

    Parameters
    ----------
    workers
        Threads; None: one for each core that the process may use.
    seed
        For solvers that draw random numbers.
    time_limit_s
        Seconds after which to stop with the best so far; None: no limit.
    progress
        Told how far the work has come, about ten times a second, once it takes long.
    presolve
        Whether cp-sat lets OR-tools simplify its models first (see `tiercut.solvers.cp_search`).
    """

    workers: int | None = None
    seed: int = 0
    time_limit_s: float | None = None
    progress: Progress | None = None
    presolve: bool = False
