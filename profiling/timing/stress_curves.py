"""How much slower a network is while shares of the machine are kept busy: a curve for processors, one for memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from time import perf_counter_ns
from typing import Any

from tiercut.errors import QuestionError, TiercutWarning
from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.timing.pieces_timed import Statistic
from tiercut.profiling.timing.stress import KINDS, stressed
from tiercut.profiling.timing.timing import Effort, summarise, time_calls
from tiercut.profiling.timing.waiting import waiting_clock

__all__ = ["parse_levels", "stress_curves"]


_WARM_NS = 500_000_000
"""For how long the network runs before it is timed."""

_UNREST = 0.95


def parse_levels(text: str) -> tuple[float, ...]:
    """Return the shares, 0..1, that text such as ``0,22,45,67,90`` gives in per cent.

    Raises
    ------
    QuestionError
        If it is no such text, or they do not rise.
    """
    parts = [part.strip() for part in text.split(",")]
    shares = tuple(int(part) / 100 for part in parts if part.isascii() and part.isdecimal())
    rising = all(low < high for low, high in pairwise(shares))
    if len(shares) < max(len(parts), 2) or not rising or shares[0] != 0 or shares[-1] > 1:
        raise QuestionError(f"--stress-levels is written 0,22,45,67,90: per cent that rise from 0, not '{text}'")
    return shares


def stress_curves(
    network: CutNetwork,
    levels: Sequence[float],
    effort: Effort,
    *,
    batch: int = 1,
    jit: bool = False,
    statistic: Statistic = "p50",
    clock: Callable[[], int] = perf_counter_ns,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, Any]:
    """Return by which factor the whole network takes longer at each level, as a profile says it.

    Parameters
    ----------
    network
        The network, which runs in one piece.
    levels
        Shares of the processors, and of the memory, that are kept busy; they rise from 0, which is timed
        before all others and after them.
    effort
        How often it is run at each level.
    batch, jit
        As in `tiercut.profiling.timing.pieces_timed.time_pieces`.
    statistic
        Which of its runs' statistics are compared.
    clock
        Monotonic nanoseconds.
    progress
        Called after every level with those done and to do.

    Raises
    ------
    QuestionError
        If stress-ng is not installed, or ends before its time.
    """
    last = len(network.blocks) - 1
    piece = network.compile(0, last, branch=last in network.present, batch=batch, jit=jit)
    call = partial(piece, network.example(batch))
    steps, done = 2 + len(KINDS) * (len(levels) - 1), 0

    def seconds(**shares: float) -> float:
        nonlocal done
        waited = None if shares else waiting_clock()
        with stressed(shares):
            runs = time_calls({"whole": call}, effort, clock=clock, waited=waited)["whole"]
        done += 1
        progress(done, steps)
        return float(getattr(summarise(runs.kept), statistic))

    begin = clock()
    while clock() - begin < _WARM_NS:
        call()
    before = seconds()
    taken = {kind: [seconds(**{kind: level}) for level in levels[1:]] for kind in KINDS}
    # What others do only ever adds time, so of both the quicker is nearer to the network alone.
    alone = min(before, seconds())
    factors = {kind: [1.0, *(float(f"{each / alone:.5g}") for each in found)] for kind, found in taken.items()}
    _warn_of_unrest(factors)
    return {kind: {"levels": list(levels), "factor": found} for kind, found in factors.items()}


def _warn_of_unrest(factors: Mapping[str, Sequence[float]]) -> None:
    """Warn where a load seems to have made the network quicker, which none can."""
    if (least := min(min(found) for found in factors.values())) < _UNREST:
        warnings.warn(
            TiercutWarning(
                f"under load the network took only {least:.3g} times as long as alone, so other work ran meanwhile",
                "time it again on a machine that is quiet",
            ),
            stacklevel=2,
        )
