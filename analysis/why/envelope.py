"""Where the best decision changes as one number does: the lower envelope of lines, exactly.

For a fixed decision (and fixed routes) the cost is a line over the number x: a slowdown, a latency, or 1/bandwidth. The
best cost is the lower envelope of these lines, so it is concave, and the best decision changes at its corners. They
are found by solving at both ends of a range and where the two lines found there cross: either nothing lies below the
crossing, and it is a corner, or what lies there has a line of its own, and the two halves go the same way (Eisner and
Severance, "Mathematical techniques for efficient record segmentation in large shared databases", J. ACM 23, 1976).
Each solve finds a corner or a new line, so an envelope of k lines takes at most 2k + 1 of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Generic, TypeAlias, TypeVar

__all__ = ["TOLERANCE", "Found", "Line", "Segment", "clip", "lower_envelope", "settle"]

TOLERANCE = 1e-12
"""Share of a cost below which two costs count as equal."""

D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Line:
    """A line through (x, value); kept by a point, because an intercept far away would cost digits."""

    x: float
    value: float
    slope: float

    def at(self, x: float) -> float:
        """Return the height at `x`."""
        return self.value + self.slope * (x - self.x)

    def reaches(self, height: float) -> float:
        """Return where a line that rises has a height; infinite for one that does not rise."""
        return self.x + (height - self.value) / self.slope if self.slope > 0 else inf

    def crosses(self, other: Line) -> float:
        """Return where two lines of different slopes meet."""
        return self.x + (other.at(self.x) - self.value) / (self.slope - other.slope)


@dataclass(frozen=True, slots=True)
class Segment(Generic[D]):
    """A part of the envelope: from `begin` to `end` nothing is below the line of the decision."""

    begin: float
    end: float
    decision: D
    line: Line


Found: TypeAlias = tuple[D, Line]
"""A best decision and its line, through the place where it was found."""


def lower_envelope(solve_at: Callable[[float], Found[D]], begin: float, end: float) -> tuple[Segment[D], ...]:
    """Return the envelope between two places, left to right.

    Parameters
    ----------
    solve_at
        Gives a best decision at a place, and the line of its cost.
    begin, end
        The range, all over which every decision's cost is a line, or a minimum of lines of which the best is given.

    Returns
    -------
    tuple of Segment
        They touch; neighbours differ in their lines.
    """
    return tuple(_merged(_halve(solve_at, begin, end, solve_at(begin), solve_at(end))))


def _halve(
    solve_at: Callable[[float], Found[D]], begin: float, end: float, left: Found[D], right: Found[D]
) -> Iterator[Segment[D]]:
    """Yield the segments between two places whose best decisions are known."""
    (one, first), (two, last) = left, right
    if _no_higher(first, last, end):
        yield Segment(begin, end, one, first)
        return
    if _no_higher(last, first, begin):
        yield Segment(begin, end, two, last)
        return
    x = first.crosses(last)
    middle = solve_at(x) if begin < x < end else left
    if _no_higher(first, middle[1], x) or _no_higher(last, middle[1], x):
        x = min(max(x, begin), end)
        yield Segment(begin, x, one, first)
        yield Segment(x, end, two, last)
        return
    yield from _halve(solve_at, begin, x, left, middle)
    yield from _halve(solve_at, x, end, middle, right)


def _no_higher(line: Line, other: Line, x: float) -> bool:
    height = other.at(x)
    return line.at(x) <= height + TOLERANCE * abs(height)


def _merged(segments: Iterable[Segment[D]]) -> Iterator[Segment[D]]:
    """Yield segments, those on one line as one."""
    held: Segment[D] | None = None
    for each in segments:
        if held is not None and _no_higher(held.line, each.line, each.end):
            held = replace(held, end=each.end)
            continue
        if held is not None:
            yield held
        held = each
    if held is not None:
        yield held


def settle(
    segments: Sequence[Segment[D]], now: float, decision: D, value_at: Callable[[D, float], float]
) -> tuple[Segment[D], ...]:
    """Return the segments with as few changes of decision as there can be, seen from the present.

    Parameters
    ----------
    segments
        An envelope, left to right; it may have been put together from several ranges.
    now, decision
        A place, and the best decision there that is to be kept for as long as it is a best one.
    value_at
        The cost of a decision at a place.

    Notes
    -----
    Several decisions may have the same cost, and one may change its route. On a segment the cost of a decision less
    the envelope is concave and nowhere negative; where it is 0 within the segment, it is 0 all over it. So one look
    suffices.
    """
    after = [each for each in segments if each.end > now]
    before = [each for each in segments if each.end <= now]
    rightward = list(_named(after, decision, value_at))
    leftward = list(_named(reversed(before), rightward[0].decision if rightward else decision, value_at))
    return (*reversed(leftward), *rightward)


def _named(segments: Iterable[Segment[D]], decision: D, value_at: Callable[[D, float], float]) -> Iterator[Segment[D]]:
    held = decision
    for each in segments:
        if each.decision != held:
            middle = (each.begin + each.end) / 2
            height = each.line.at(middle)
            if value_at(held, middle) > height + TOLERANCE * abs(height):
                held = each.decision
        yield replace(each, decision=held)


def clip(segments: Iterable[Segment[D]], cap: float) -> tuple[Segment[D], ...]:
    """Return the part of an envelope that is no higher than `cap`; costs rise with x."""
    kept = []
    for each in segments:
        end = each.end if each.line.at(each.end) <= cap else min(each.line.reaches(cap), each.end)
        if end > each.begin:
            kept.append(replace(each, end=end))
        if end < each.end:
            break
    return tuple(kept)
