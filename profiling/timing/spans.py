"""The time of every span of blocks from the times of a few of them.

A model of N blocks has N (N + 1) / 2 spans, and to build and time them all as pieces of their own takes hours for a
deep network. Sums of single blocks mislead: every call of the framework costs something, and what it fuses across a
cut (a convolution with the normalisation and the activation behind it) is lost. So these spans are timed: every
block, every pair of neighbours, the whole, and tiles of 4, 16, 64, ... blocks side by side, as in a segment tree
(de Berg et al., "Computational Geometry", section 10.3). What joining saves at the cut after block k,

    saved[k] = time(k..k) + time(k+1..k+1) - time(k..k+1),

holds the overhead of one call and the fusion at that cut. Any span is put together from the fewest timed pieces that
tile it, less what is saved at each joint. ``docs/measuring.md`` says how well that works.

A span may end in the branch after its last block. What a branch takes is what it adds to the call that computes its
block; that is added to the span without it, but where the span was timed together with its branch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tiercut.errors import QuestionError

__all__ = ["ALL_TIMED", "TILED", "TILED_BRANCHES", "Span", "all_spans", "complete", "draw_spans", "needed_spans"]

Span = tuple[int, int]
"""First and last block, 0-based and both included."""

RADIX = 4
FEW_BLOCKS = 6
"""So few blocks that timing every span costs no more than timing the tiles."""

ALL_TIMED = "every span timed as one piece"
TILED = f"blocks, neighbours and tiles of {RADIX}, {RADIX**2}, ... blocks timed; other spans put together from them"
TILED_BRANCHES = f"{TILED}, and what a branch adds to its block added wherever a span ends there"


def all_spans(count: int) -> tuple[Span, ...]:
    """Return every span of `count` blocks."""
    return tuple((first, last) for first in range(count) for last in range(first, count))


def needed_spans(count: int) -> tuple[Span, ...]:
    """Return the spans of `count` blocks that have to be timed for `complete` to know the others."""
    if count <= FEW_BLOCKS:
        return all_spans(count)
    found = {(0, count - 1)}
    found |= {(first, first + 1) for first in range(count - 1)}
    width = 1
    while width < count:
        found |= {(first, first + width - 1) for first in range(0, count - width + 1, width)}
        width *= RADIX
    return tuple(sorted(found))


def draw_spans(count: int, number: int, *, seed: int = 0) -> tuple[Span, ...]:
    """Return spans drawn at random among those that need not be timed, each as likely as another."""
    spare = sorted(set(all_spans(count)) - set(needed_spans(count)))
    chosen = np.random.default_rng(seed).permutation(len(spare))[:number]
    return tuple(spare[place] for place in sorted(chosen))


def complete(
    timed: Mapping[Span, float],
    count: int,
    *,
    ended: Mapping[Span, float] | None = None,
    branches: Sequence[float | None] | None = None,
) -> tuple[list[list[float]], str]:
    """Return the seconds of every span with the branch at its end, where there is one, and how they were found.

    Parameters
    ----------
    timed
        Seconds of some spans without a branch, at least of every block and, unless all spans are timed, of every pair
        of neighbours.
    count
        Number of blocks, N.
    ended
        Seconds of spans that were timed together with the branch after their last block.
    branches
        Seconds that the branch after each block adds to it, N values, None where there is none; by default there are
        no branches.

    Returns
    -------
    tuple
        ``span_s`` of a profile: ``span_s[i][j - i]`` are the seconds of blocks i to j with branch j; and `ALL_TIMED`,
        `TILED` or `TILED_BRANCHES`.

    Raises
    ------
    QuestionError
        If a span that is needed is missing.
    """
    known, added = ended or {}, branches or [None] * count
    whole = {span for span in timed if added[span[1]] is None} | set(known)
    tiling = None if whole >= set(all_spans(count)) else _tiling(timed, count)

    def seconds(first: int, last: int) -> float:
        if (first, last) in known:
            return known[first, last]
        bare = timed[first, last] if tiling is None else tiling.seconds(first, last)
        return bare + (added[last] or 0.0)

    rows = [[seconds(first, last) for last in range(first, count)] for first in range(count)]
    return rows, ALL_TIMED if tiling is None else TILED if branches is None else TILED_BRANCHES


def _tiling(timed: Mapping[Span, float], count: int) -> _Tiling:
    for first, last in all_spans(count):
        if last - first < 2 and (first, last) not in timed:
            raise QuestionError(f"blocks {first + 1} to {last + 1} must be timed to know the other spans")
    return _Tiling(timed, count)


class _Tiling:
    """Spans put together from those that were timed."""

    def __init__(self, timed: Mapping[Span, float], count: int) -> None:
        self._timed = timed
        self._saved = [timed[k, k] + timed[k + 1, k + 1] - timed[k, k + 1] for k in range(count - 1)]
        self._ends = [[last for last in range(count) if self._is_tile(first, last)] for first in range(count)]

    def _is_tile(self, first: int, last: int) -> bool:
        """Return whether a timed span may be a piece of others.

        NOTE pairs are left out: with them a span of few blocks would have fewer joints, but those of a pair are known
        from that very pair, so nothing is gained, and longer tiles would begin less often where they can.
        """
        return (first, last) in self._timed and last - first != 1

    def seconds(self, first: int, last: int) -> float:
        """Return the time of one span; at least that of its longest piece."""
        if (first, last) in self._timed:
            return self._timed[first, last]
        pieces, begin = [], first
        while begin <= last:
            end = max(each for each in self._ends[begin] if each <= last)
            pieces.append((begin, end))
            begin = end + 1
        joined = sum(self._saved[end] for _, end in pieces[:-1])
        times = [self._timed[piece] for piece in pieces]
        return max(sum(times) - joined, *times)
