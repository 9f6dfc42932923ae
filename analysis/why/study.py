"""Why a plan is the best: the runner-up, the bounds that bind, and where another plan takes over, all exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Unpack

from tiercut.analysis.answering import ask
from tiercut.analysis.distinct import needs_idle_ends
from tiercut.analysis.inputs import ProfileLike, TopologyLike, profile_of, topology_of
from tiercut.analysis.relaxations import relaxations
from tiercut.analysis.why.parameters import KINDS, Parameter, parameters_of
from tiercut.analysis.why.result import Effect, Span, Sweep, Why, substance
from tiercut.analysis.why.sweep_parameter import sweep_parameter
from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer import (
    Conditions,
    Moved,
    Query,
    QuestionOptions,
    evaluate,
    is_peak,
    is_tail,
    limits_memory,
    make_query,
    moved_by,
    price,
    servers,
    without_idle_ends,
)
from tiercut.option_fields import split_keywords
from tiercut.solvers import Options, make_task, registry
from tiercut.stages import stage

if TYPE_CHECKING:
    from tiercut.analysis.answers.answer import Answer
    from tiercut.analysis.keyword_types import WhyKeywords
    from tiercut.optimizer import Decision, Plan, Problem, Space
    from tiercut.profiling import Profile
    from tiercut.solvers import Solver, Task
    from tiercut.topologies import Topology

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
    **keywords: Unpack[WhyKeywords],
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
    **keywords
        In place of a query, what is asked (see `tiercut.optimizer.questions.question_options.QuestionOptions`), such as
        ``min_accuracy=0.9``; and conditions in place of what topology and profile say
        (`tiercut.optimizer.conditions.Conditions`), such as ``slowdown={"phone": 20}``.

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
    >>> print(tiercut.why("mobile", "resnet20-digits32", min_accuracy=0.9).to_frame())
    """
    if not factor > 1:
        raise QuestionError(f"factor must be greater than 1, not {factor:g}")
    known = [each.name for group in (QuestionOptions, Conditions) for each in fields(group)]
    if unknown := [name for name in keywords if name not in known]:
        raise QuestionError(unknown_name("keyword", unknown[0], known))
    asked, conditions = split_keywords("why", keywords, QuestionOptions, Conditions)
    if query is not None and asked != QuestionOptions():
        raise QuestionError("give a query or keywords, not both")
    query = make_query("solve", asked) if query is None else query
    changed = conditions.apply(topology_of(topology), profile_of(profile))
    if query.kind == "frontier":
        raise QuestionError("a frontier has no best plan; ask for the best under a bound")
    options = options or Options()
    study = Study(*changed, query, solver, replace(options, time_limit_s=None, progress=None))
    wanted = [each for each in parameters_of(study.topology) if each.kind in kinds]
    sweeps = []
    with stage("looking for changes") as step:
        for done, each in enumerate(wanted):
            step(done, len(wanted))
            sweeps.append(study.sweep(each, factor))
            if options.progress is not None:
                options.progress(done + 1, len(wanted))
    other = study.runner_up()
    return Why(
        query=replace(study.query, kind=query.kind),
        plan=study.best,
        value=study.value_of(study.best),
        runner_up=other,
        runner_up_value=None if other is None else study.value_of(other),
        effects=tuple(study.effects()),
        sweeps=tuple(sweeps),
        factor=factor,
        solves=study.solves,
        answer=replace(study.answer, conditions=conditions),
    )


class Study:
    """A question under changing conditions: one space, whose tables follow the topology."""

    def __init__(self, topology: Topology, profile: Profile, query: Query, solver: str, options: Options) -> None:
        self.topology, self.profile, self.options = topology, profile, options
        self.name, self.solves = solver, 0
        self.answer = answer = self._ask(replace(query, kind="solve"))
        self.query = answer.query  # a least accuracy that hangs on the network's own is a number there
        self.best: Plan = answer.best
        self.space = answer.space
        self.problem = self.space.problem
        self.lookers: dict[Query, Solver] = {}

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
        spaces = [self.space] if needs_idle_ends(self.space, self.query) else list(without_idle_ends(self.space))
        for top in _TOPS:
            rankings = [self._plans(space, top) for space in spaces]
            others = (plan for plans in rankings for plan in plans if substance(plan) != own)
            best = min(others, key=self._rank, default=None)
            if best is not None or all(len(plans) < top for plans in rankings):
                return best
        return None

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
        for each in relaxations(self.query, memory=limits_memory(self.problem)):
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
        return self.sweep_between(parameter, low, high)

    def sweep_between(self, parameter: Parameter, low: float, high: float) -> Sweep:
        """Return the best plan over a range of a parameter, its present value within it."""
        note = self.obstacle(parameter) or ("" if high > low else "it is 0, and so is the latency")
        if note:
            return Sweep(parameter, low, high, (), note=note)
        if self.query.objective != "accuracy" and self._moved(self.query.objective, parameter) is Moved.NEVER:
            value = self.value_of(self.best)
            span = Span(low, high, self.best, value, value)
            return Sweep(parameter, low, high, (span,), ((low, value), (high, value)))
        return sweep_parameter(self, parameter, low, high)

    def obstacle(self, parameter: Parameter) -> str:
        """Return why the best plan is no envelope over a parameter, or nothing."""
        query = self.query
        if is_tail(query.objective) or is_peak(query.objective):
            return f"changes of the best {query.objective} are not followed"
        if query.max_latency_s is not None and query.objective not in ("latency", "accuracy"):
            return "the bound on latency moves with it"
        if parameter.kind != "slowdown" and query.objective != "accuracy":
            moved = self._moved(query.objective, parameter)
            if moved not in (Moved.NEVER, Moved.AS_LATENCY):
                what = "what sending costs" if moved is Moved.PRICED_ROUTES else query.objective
                return f"{what} follows the routes, which may change with it"
        names = [bound.name for bound in query.bounds]
        if query.max_utilisation is not None:
            names += [f"utilisation:{place}" for place in servers(self.problem)]
        moving = (name for name in names if self._moved(name, parameter) is not Moved.NEVER)
        return next((f"the bound on {name} moves with it" for name in moving), "")

    def _moved(self, name: str, parameter: Parameter) -> Moved:
        return moved_by(self.problem, name, parameter.kind, parameter.name)

    def looker(self, task: Task, query: Query) -> Solver:
        """Return who answers a question; once kernels are loaded, the same one under all conditions."""
        if query not in self.lookers:
            chosen = registry.choose(task)[0] if self.name == "auto" else registry.find(self.name)
            if chosen.name == "exhaustive":  # perhaps for the first questions alone, until kernels are loaded
                return chosen
            self.lookers[query] = chosen
        return self.lookers[query]

    def solve(self, problem: Problem, query: Query, space: Space | None = None) -> Sequence[Decision]:
        """Return the decisions that answer a question under other conditions, or in part of the space, proved."""
        self.solves += 1
        task = make_task(replace(space or self.space, problem=problem), query)
        outcome = self.looker(task, query).solve(task, self.options)
        if outcome.status not in ("optimal", "infeasible"):
            raise QuestionError(f"solver '{outcome.solver}' could not prove an answer: {outcome.reason}")
        return outcome.decisions
