"""Why a plan is the best: the runner-up, the bounds that bind, and where another plan takes over, all exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import isclose
from typing import TYPE_CHECKING, Any, Unpack

from tiercut.analysis.answering import ask
from tiercut.analysis.inputs import ProfileLike, TopologyLike
from tiercut.analysis.relaxations import easings
from tiercut.analysis.why.envelope import Line, Segment, clip, lower_envelope, settle
from tiercut.analysis.why.parameters import KINDS, Parameter, kinks, link_slope, parameters_of
from tiercut.analysis.why.result import Effect, Span, Sweep, Why, substance
from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.build import rebuild_problem
from tiercut.optimizer.measures.local import is_link, place_of
from tiercut.optimizer.measures.names import PIECES_WHOLE, TAILS, split_name
from tiercut.optimizer.pricing import evaluate, price
from tiercut.optimizer.query import SLACK, Query
from tiercut.optimizer.questions.keywords import Asked, make_query
from tiercut.optimizer.space import without_idle_ends
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.profile.schema import Profile
from tiercut.solvers import registry
from tiercut.solvers.interface import Options
from tiercut.topologies.loader import load_topology
from tiercut.topologies.schema import Topology

if TYPE_CHECKING:
    from tiercut.analysis.answers.answer import Answer
    from tiercut.optimizer.plan import Decision, Plan
    from tiercut.optimizer.problem import Problem
    from tiercut.optimizer.space import Space

__all__ = ["why"]

_SAME = 1e-12
_TOPS = (2, 8, 32, 128, 512, 2048, 8192)


def why(
    topology: TopologyLike,
    profile: ProfileLike,
    query: Query | None = None,
    *,
    factor: float = 10.0,
    kinds: Sequence[str] = KINDS,
    solver: str = "auto",
    options: Options | None = None,
    **asked: Unpack[Asked],
) -> Why:
    """Return why the best plan is the best: what comes next, what binds, and where another plan takes its place.

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    query
        What is asked; a frontier has no best plan.
    factor
        Bandwidths, latencies and slowdowns are looked at from 1/factor to factor of what they are. A latency of 0 is
        looked at up to the latency of the best plan.
    kinds
        Which of ``bandwidth``, ``latency`` and ``slowdown`` to look at.
    solver
        ``auto`` or the name of an exact solver.
    options
        Threads, and progress in parameters done. A time limit does not hold here: an answer that is not proved would
        prove no change.
    asked
        In place of a query: keywords of a question (see `tiercut.optimizer.questions.keywords.Asked`), such as
        ``min_accuracy=0.9``.

    Raises
    ------
    InputError, QuestionError
        If a file or the question is wrong, or the solver is not exact.
    InfeasibleError
        If no plan meets the question.

    Notes
    -----
    Changes are corners of the lower envelope of `tiercut.analysis.why.envelope`, found by exact solves; nothing is
    sampled. A plan is said to change where it stops being a best one in the objective; for accuracy, in the latency at
    the greatest accuracy. A bound that itself moves with a parameter is supported where it is the one on latency and
    latency or accuracy is the objective; otherwise the sweep's note says so.

    Examples
    --------
    >>> import tiercut
    >>> print(tiercut.why("mobile", "resnet20-digits32", min_accuracy=0.9).frame())
    """
    if not factor > 1:
        raise QuestionError(f"factor must be greater than 1, not {factor:g}")
    topology = topology if isinstance(topology, Topology) else load_topology(topology)
    profile = profile if isinstance(profile, Profile) else load_profile(profile)
    if unknown := sorted(set(asked) - set(Asked.__annotations__)):
        raise QuestionError(unknown_name("keyword", unknown[0], Asked.__annotations__))
    if query is not None and asked:
        raise QuestionError("give a query or keywords, not both")
    query = make_query("solve", asked) if query is None else query
    if query.kind == "frontier":
        raise QuestionError("a frontier has no best plan; ask for the best under a bound")
    options = options or Options()
    study = _Study(topology, profile, query, solver, replace(options, time_limit_s=None, progress=None))
    wanted = [each for each in parameters_of(topology) if each.kind in kinds]
    sweeps = []
    for done, each in enumerate(wanted):
        sweeps.append(study.sweep(each, factor))
        if options.progress is not None:
            options.progress(done + 1, len(wanted))
    other = study.runner_up()
    return Why(
        query=query,
        plan=study.best,
        value=study.value_of(study.best),
        runner_up=other,
        runner_up_value=None if other is None else study.value_of(other),
        effects=tuple(study.effects()),
        sweeps=tuple(sweeps),
        factor=factor,
        solves=study.solves,
    )


class _Study:
    """A question under changing conditions: one space, whose tables follow the topology."""

    def __init__(self, topology: Topology, profile: Profile, query: Query, solver: str, options: Options) -> None:
        self.topology, self.profile, self.query, self.options = topology, profile, replace(query, kind="solve"), options
        self.name, self.solves = solver, 0
        answer = self._ask(self.query)
        self.best: Plan = answer.best
        self.space = answer.space
        self.problem = self.space.problem
        self.lookers: dict[Query, registry.Solver] = {}

    def _ask(self, query: Query) -> Answer:
        self.solves += 1
        answer = ask(self.topology, self.profile, query, solver=self.name, options=self.options)
        if not answer.outcome.exact:
            raise QuestionError(
                f"solver '{answer.outcome.solver}' proves nothing, so that it cannot say why a plan is the best"
            )
        return answer

    def value_of(self, plan: Plan) -> float:
        """Return what a plan has of the objective."""
        if self.query.objective == "accuracy":
            return plan.accuracy or 0.0
        return evaluate(self.problem, plan.decision, self.query.objective, self.query.rate_fps)

    def runner_up(self) -> Plan | None:
        """Return the next best plan that is another one for some sample."""
        own = substance(self.best)
        spaces = [self.space] if self._idle_ends_count() else list(without_idle_ends(self.space))
        for top in _TOPS:
            rankings = [self._plans(space, top) for space in spaces]
            others = (plan for plans in rankings for plan in plans if substance(plan) != own)
            best = min(others, key=self._rank, default=None)
            if best is not None or all(len(plans) < top for plans in rankings):
                return best
        return None

    def _idle_ends_count(self) -> bool:
        """Return whether a plan may need a stage that nobody reaches, or somebody does get to what is taken for one."""
        query = self.query
        rules = query.include or query.use_all_tiers or query.fewest_partitions
        measures = (query.objective, *(bound.measure for bound in query.bounds))
        whole = any(split_name(name)[0] in PIECES_WHOLE for name in measures)
        # Whether anybody is left is told by the rates of the full configuration, which samples need not follow.
        return bool(rules) or whole or self.space.estimator != "marginal"

    def _plans(self, space: Space, top: int) -> list[Plan]:
        found = self.solve(self.problem, replace(self.query, kind="rank", top=top), space)
        return [price(self.problem, decision) for decision in found]

    def _rank(self, plan: Plan) -> tuple[Any, ...]:
        value = self.value_of(plan)
        goal = -value if self.query.objective == "accuracy" else value
        return goal, plan.latency_s, -(plan.accuracy or 0.0), plan.decision.order

    # Bounds

    def effects(self) -> Iterator[Effect]:
        """Yield what each bound and each rule does."""
        had = self.value_of(self.best)
        for each in easings(self.query):
            gone = self._ask(each.without).plans
            binds = bool(gone) and self._better(self.value_of(gone[0]), had)
            plan = None
            if binds:
                plan = gone[0] if each.easier is None else self._ask(each.easier).best
            value = None if plan is None else self.value_of(plan)
            yield Effect(each.name, each.sense, each.asked, each.loosened, binds, plan, value)

    def _better(self, value: float, had: float) -> bool:
        gain = value - had if self.query.objective == "accuracy" else had - value
        return gain > _SAME * abs(had)

    # Parameters

    def sweep(self, parameter: Parameter, factor: float) -> Sweep:
        """Return the best plan over the range of a parameter."""
        low, high = parameter.now / factor, parameter.now * factor
        if parameter.now == 0:
            high = self.best.latency_s
        note = self._obstacle(parameter) or ("" if high > low else "it is 0, and so is the latency")
        if note:
            return Sweep(parameter, low, high, (), note=note)
        if not self._matters(parameter):
            value = self.value_of(self.best)
            return Sweep(
                parameter, low, high, (Span(low, high, self.best, value, value),), ((low, value), (high, value))
            )
        walk = _Walk(self, parameter, low, high)
        parts = list(walk.levels() if self.query.objective == "accuracy" else [(None, walk.least(self.query))])
        return Sweep(parameter, low, high, self._spans(walk, parts), _points(walk, parts))

    def _obstacle(self, parameter: Parameter) -> str:
        """Return why the best plan is no envelope over a parameter, or nothing."""
        query, links = self.query, parameter.kind != "slowdown"
        if query.objective in TAILS:
            return f"changes of the best {query.objective} are not followed"
        if query.max_latency_s is not None and query.objective not in ("latency", "accuracy"):
            return "the bound on latency moves with it"
        if links and self._routed(query.objective, parameter):
            what = "what sending costs" if query.objective == "cost" else query.objective
            return f"{what} follows the routes, which may change with it"
        moving = (bound for bound in query.bounds if self._moves(bound.name, parameter))
        return next((f"the bound on {bound.name} moves with it" for bound in moving), "")

    def _moves(self, name: str, parameter: Parameter) -> bool:
        """Return whether a measure of a plan may change with a parameter."""
        head, place = split_name(name)
        if head in ("latency", "share", *TAILS):
            return True
        if parameter.kind != "slowdown":
            return self._routed(name, parameter)
        if place is None:
            return head in ("energy", "cost")
        if head not in ("compute", "utilisation") or is_link(self.problem, place):
            return False
        return bool(place_of(self.problem, place)[self.problem.nodes.index(parameter.name)])

    def _routed(self, name: str, parameter: Parameter) -> bool:
        """Return whether a measure hangs on which links payloads take, and so changes by steps with a link."""
        head, place = split_name(name)
        # Without a circle of links there is one way between any two nodes, whatever it takes.
        circle = len({frozenset(way) for way in self.topology.hops}) >= len(self.topology.nodes)
        if head == "utilisation" and place is not None and is_link(self.problem, place):
            return circle or parameter.kind == "bandwidth"
        priced = head == "cost" and any(link.price for link in self.topology.links)
        return circle and (head in ("link", "out") or priced)

    def _matters(self, parameter: Parameter) -> bool:
        return self.query.objective == "accuracy" or self._moves(self.query.objective, parameter)

    def solve(self, problem: Problem, query: Query, space: Space | None = None) -> Sequence[Decision]:
        """Return the decisions that answer a question under other conditions, or in part of the space, proved."""
        self.solves += 1
        space = replace(space or self.space, problem=problem)
        if query not in self.lookers:
            self.lookers[query] = registry.choose(space, query)[0] if self.name == "auto" else registry.find(self.name)
        outcome = self.lookers[query].solve(space, query, self.options)
        if outcome.status == "feasible" or not outcome.exact:
            raise QuestionError(f"solver '{outcome.solver}' could not prove an answer: {outcome.reason}")
        return outcome.decisions

    def _spans(self, walk: _Walk, parts: Sequence[_Part]) -> tuple[Span, ...]:
        """Return spans by value, low to high, from the parts of an envelope by place."""
        made: list[Span] = []
        reached = walk.begin
        for level, part in parts:
            for each in part:
                heights = _heights(each, level)
                span = Span(each.begin, each.end, price(self.problem, each.decision), *heights)
                reached = each.end
                if made and made[-1].plan == span.plan:
                    made[-1] = replace(made[-1], high=span.high, high_value=span.high_value)
                else:
                    made.append(span)
        if reached < walk.end:
            made.append(Span(reached, walk.end, None, None, None))
        if walk.parameter.kind != "bandwidth":
            return tuple(made)
        turned = reversed(made)
        return tuple(Span(walk.value(s.high), walk.value(s.low), s.plan, s.high_value, s.low_value) for s in turned)


_Part = tuple[float | None, tuple[Segment["Decision"], ...]]
"""Segments by place, and the accuracy that they have where that is the objective."""


class _Walk:
    """The study of one parameter: solves by place, remembered."""

    def __init__(self, study: _Study, parameter: Parameter, low: float, high: float) -> None:
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

    def least(self, query: Query, begin: float | None = None) -> tuple[Segment[Decision], ...]:
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
            segments = self.least(asked, x)
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


def _heights(segment: Segment[Decision], level: float | None) -> tuple[float, float]:
    """Return the best value at both ends."""
    line = segment.line
    return (line.at(segment.begin), line.at(segment.end)) if level is None else (level, level)


def _points(walk: _Walk, parts: Sequence[_Part]) -> tuple[tuple[float, float], ...]:
    """Return the corners of the best value, by value of the parameter; where it goes straight on there is none."""
    corners: list[tuple[float, float]] = []
    for level, part in parts:
        for each in part:
            for corner in zip((each.begin, each.end), _heights(each, level), strict=True):
                if not corners or not _close(corners[-1], corner):
                    corners.append(corner)
    bent = [b for a, b, c in zip(corners, corners[1:], corners[2:], strict=False) if not _straight(a, b, c)]
    kept = [*corners[:1], *bent, *corners[1:][-1:]]
    made = [(walk.value(x), height) for x, height in kept]
    return tuple(reversed(made)) if walk.parameter.kind == "bandwidth" else tuple(made)


def _close(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] == other[0] and isclose(one[1], other[1], rel_tol=1e-9)


def _straight(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    if a[0] == b[0] or b[0] == c[0]:
        return False
    return isclose(a[1] + (c[1] - a[1]) * (b[0] - a[0]) / (c[0] - a[0]), b[1], rel_tol=1e-9)
