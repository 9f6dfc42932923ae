"""Where the best plan changes over one parameter: its envelope, found by exact solves at places of the parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import isclose
from typing import TYPE_CHECKING

from tiercut.analysis.why.envelope import Line, Segment, clip, lower_envelope, settle
from tiercut.analysis.why.parameters import Parameter, kinks, link_slope
from tiercut.analysis.why.result import Span, Sweep
from tiercut.optimizer import SLACK, Query, evaluate, price, rebuild_problem

if TYPE_CHECKING:
    from tiercut.analysis.why.study import Study
    from tiercut.optimizer import Decision, Problem
    from tiercut.topologies import Topology

__all__ = ["sweep_parameter"]

_SAME = 1e-12

_Part = tuple[float | None, tuple[Segment["Decision"], ...]]
"""Segments by place, and the accuracy that they have where that is the objective."""


def sweep_parameter(study: Study, parameter: Parameter, low: float, high: float) -> Sweep:
    """Return the best plan over a range of a parameter that moves the objective.

    Parameters
    ----------
    study
        The question, answered under present conditions.
    parameter
        What changes.
    low, high
        The range, the present value within it; in the parameter's inner unit.
    """
    best = _Best(study, parameter, low, high)
    by_accuracy = study.query.objective == "accuracy"
    parts = list(best.levels() if by_accuracy else [(None, best.lowest(study.query))])
    return Sweep(parameter, low, high, _spans(best, parts), _points(best, parts))


class _Best:
    """The best decisions over one parameter: solves by place, remembered."""

    def __init__(self, study: Study, parameter: Parameter, low: float, high: float) -> None:
        self.study, self.parameter = study, parameter
        self.now = parameter.place(parameter.now)
        self.exact = {parameter.place(each): each for each in (low, high, parameter.now)}
        self.begin, self.end = begin, end = min(self.exact), max(self.exact)
        self.stops = sorted({x for x in kinks(parameter, study.topology) if begin < x < end} | {self.now})
        self.conditions: dict[float, tuple[Topology, Problem]] = {}
        self.known: dict[tuple[float, Query], Decision] = {}

    def value(self, x: float) -> float:
        """Return the parameter's value at a place, without the rounding of 1/(1/value) where it is known."""
        return self.exact.get(x, self.parameter.value(x))

    def at(self, x: float) -> tuple[Topology, Problem]:
        """Return the topology with the parameter at x, and its tables."""
        if x not in self.conditions:
            study = self.study
            changed = self.parameter.applied(study.topology, self.value(x))
            tables = rebuild_problem(study.problem, study.topology, changed, study.profile)
            self.conditions[x] = changed, tables
        return self.conditions[x]

    def cost(self, decision: Decision, x: float) -> float:
        """Return what a decision costs at x."""
        query = self.study.query
        return evaluate(self.at(x)[1], decision, query.additive, query.rate_fps)

    def lowest(self, query: Query, begin: float | None = None) -> tuple[Segment[Decision], ...]:
        """Return the envelope of the additive measure from a place on, as far as the bound on latency lets it."""
        begin = self.begin if begin is None else begin
        stops = [begin, *(x for x in self.stops if begin < x < self.end), self.end]
        free = replace(query, objective=query.additive, max_latency_s=None)
        segments = [
            each
            for left, right in pairwise(stops)
            for each in lower_envelope(self._solver(free, (left + right) / 2), left, right)
        ]
        kept = clip(segments, query.latency_cap if query.additive == "latency" else float("inf"))
        if not kept:
            return ()
        stand = min(max(self.now, kept[0].begin), kept[-1].end)
        decision = self.study.best.decision if stand == self.now else self._decision(free, stand)
        return settle(kept, stand, decision, self.cost)

    def _decision(self, query: Query, x: float) -> Decision:
        if (x, query) not in self.known:
            self.known[x, query] = self.study.solve(self.at(x)[1], query)[0]
        return self.known[x, query]

    def _solver(self, query: Query, middle: float) -> Callable[[float], tuple[Decision, Line]]:
        def solve_at(x: float) -> tuple[Decision, Line]:
            decision = self._decision(query, x)
            return decision, Line(x, self.cost(decision, x), self._slope(decision, x, middle))

        return solve_at

    def _slope(self, decision: Decision, x: float, middle: float) -> float:
        if self.parameter.kind == "slowdown":
            return (self.cost(decision, 2 * x) - self.cost(decision, x)) / x
        return link_slope(self.parameter, *self.at(x), decision, middle)

    def levels(self) -> Iterator[_Part]:
        """Yield accuracies that fall as x grows, each with the least latencies at it, as far as the bound lets it.

        NOTE The greatest accuracy within a bound on latency is a falling staircase: the plans that hold the bound only
        become fewer. A level ends where its least latency meets the bound, and the next best accuracy at that very
        place, which the frontier there has, goes on.
        """
        query, x = self.study.query, self.begin
        decision: Decision | None = self._decision(query, x)
        while decision is not None and x < self.end:
            level = price(self.at(x)[1], decision).accuracy or 0.0
            asked = replace(query, objective="latency", min_accuracy=min(1.0, max(0.0, level + SLACK - _SAME)))
            segments = self.lowest(asked, x)
            if segments:
                yield level, segments
                x = segments[-1].end
            decision = self._next(level, x) if x < self.end else None

    def _next(self, level: float, x: float) -> Decision | None:
        problem = self.at(x)[1]
        front = self.study.solve(problem, replace(self.study.query, kind="frontier"))
        right = {each: price(problem, each).accuracy or 0.0 for each in front}
        less = [each for each in front if right[each] < level - _SAME]
        return max(less, key=right.__getitem__, default=None)


def _spans(best: _Best, parts: Sequence[_Part]) -> tuple[Span, ...]:
    """Return spans by value, low to high, from the parts of an envelope by place."""
    spans: list[Span] = []
    reached = best.begin
    for level, part in parts:
        for each in part:
            heights = _heights(each, level)
            span = Span(each.begin, each.end, price(best.study.problem, each.decision), *heights)
            reached = each.end
            if spans and spans[-1].plan == span.plan:
                spans[-1] = replace(spans[-1], high=span.high, high_value=span.high_value)
            else:
                spans.append(span)
    if reached < best.end:
        spans.append(Span(reached, best.end, None, None, None))
    if best.parameter.kind != "bandwidth":
        return tuple(spans)
    turned = reversed(spans)
    return tuple(Span(best.value(s.high), best.value(s.low), s.plan, s.high_value, s.low_value) for s in turned)


def _heights(segment: Segment[Decision], level: float | None) -> tuple[float, float]:
    """Return the best value at both ends."""
    line = segment.line
    return (line.at(segment.begin), line.at(segment.end)) if level is None else (level, level)


def _points(best: _Best, parts: Sequence[_Part]) -> tuple[tuple[float, float], ...]:
    """Return the corners of the best value, by value of the parameter; where it goes straight on there is none."""
    corners: list[tuple[float, float]] = []
    for level, part in parts:
        for each in part:
            for corner in zip((each.begin, each.end), _heights(each, level), strict=True):
                if not corners or not _close(corners[-1], corner):
                    corners.append(corner)
    bent = [b for a, b, c in zip(corners, corners[1:], corners[2:], strict=False) if not _straight(a, b, c)]
    kept = [*corners[:1], *bent, *corners[1:][-1:]]
    spans = [(best.value(x), height) for x, height in kept]
    return tuple(reversed(spans)) if best.parameter.kind == "bandwidth" else tuple(spans)


def _close(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] == other[0] and isclose(one[1], other[1], rel_tol=1e-9)


def _straight(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    if a[0] == b[0] or b[0] == c[0]:
        return False
    return isclose(a[1] + (c[1] - a[1]) * (b[0] - a[0]) / (c[0] - a[0]), b[1], rel_tol=1e-9)
