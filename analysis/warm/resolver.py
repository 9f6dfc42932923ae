"""A question that is asked again and again while links and nodes change, answered at once where what is known suffices.

The best plan rarely changes when a link does. What was solved before bounds the latency of all plans but one under the
new conditions (`tiercut.analysis.warm.known`), and that one is priced anew; where it stays below, it is the answer, and
else the question is solved. Nothing is taken for granted: the plan is always that of a solve from the beginning.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from tiercut.analysis.answering import ask
from tiercut.analysis.inputs import ProfileLike, TopologyLike, profile_of, topology_of
from tiercut.analysis.solver_options import SolverOptions
from tiercut.analysis.warm.known import LARGEST, Solved, least_of_others
from tiercut.analysis.warm.repricing import Numbers, Repricer
from tiercut.errors import QuestionError
from tiercut.optimizer import (
    Conditions,
    Moved,
    QueryFile,
    QuestionOptions,
    itinerary,
    load_query,
    make_query,
    merged,
    moved_by,
    price,
    servers,
)
from tiercut.option_fields import split_keywords
from tiercut.solvers import make_task, registry
from tiercut.topologies import directions_of

if TYPE_CHECKING:
    from tiercut.analysis.answers.answer import Answer
    from tiercut.analysis.keyword_types import ConditionKeywords, Question
    from tiercut.optimizer import Decision, Number, Plan, Problem
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

__all__ = ["Resolver"]

_MARGIN = 1e-9
"""Share of a latency by which others must be slower: far more than what is lost by rounding."""

_FEW = 1_000_000
"""Decisions that any exact solver ranks at once."""

_REMEMBERED = 24
_TOPS = (2, 8, 32, 128)


class Resolver:
    """One question under changing conditions: its best plan, solved only where what is known does not prove it.

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    **question
        As in `tiercut.solve`, conditions and who answers included.

    Attributes
    ----------
    solves
        How often the question was solved; whatever else was asked was proved by what was known.

    Raises
    ------
    InputError, QuestionError
        If a file or the question is wrong.

    Notes
    -----
    What is known helps where the least latency is asked for, over new bandwidths, latencies and slowdowns (`bandwidth`,
    `latency`, `slowdown`, and `condition` with these), while no bound but that on accuracy moves with them, plans have
    no codecs, and routes do not hang on the numbers: links make no circle, or lead directly from one machine of the
    plan to the next. All else is solved each time. A solve here takes two to three times as long as `tiercut.solve`,
    because the next best plan is looked for too.

    Examples
    --------
    >>> import tiercut
    >>> resolver = tiercut.Resolver("mobile", "resnet20-digits32", min_accuracy=0.9)
    >>> resolver.best()
    >>> resolver.best(bandwidth={"watch-phone": "300 kb/s"})
    >>> resolver.solves
    """

    def __init__(self, topology: TopologyLike, profile: ProfileLike, **question: Unpack[Question]) -> None:
        groups = (QuestionOptions, Conditions, SolverOptions)
        asked, conditions, who = split_keywords("Resolver", question, *groups, beside=("query", "options"))
        if refused := [name for name in ("evaluate", "split", "certify") if name in question]:
            raise QuestionError(f"a resolver is about what the model says: leave out {', '.join(refused)}")
        if (file := question.get("query")) is not None:
            below = file if isinstance(file, QueryFile) else load_query(file)
            asked, conditions = merged(below.question, asked), conditions.on_top_of(below.conditions)
        self.solves = 0
        self._topology, self._profile = topology_of(topology), profile_of(profile)
        self._query, self._conditions = make_query("solve", asked), conditions
        self._solver, self._options = who.solver, question.get("options") or who.options()
        self._numbers = Numbers.of(self._topology)
        self._network = self._topology.network
        self._still = {name: index for index, name in enumerate(self._topology.node_names)}
        self._known: list[Solved] = []
        self._repricer: Repricer | None = None

    def best(self, **conditions: Unpack[ConditionKeywords]) -> Plan:
        """Return the plan that `tiercut.solve` finds best under conditions, on top of those of the question.

        Parameters
        ----------
        **conditions
            In place of what topology and profile say (see `tiercut.optimizer.conditions.Conditions`).

        Raises
        ------
        QuestionError
            If a condition is wrong.
        InfeasibleError
            If no plan meets the question.
        """
        (named,) = split_keywords("best", conditions, Conditions)
        wanted = named.on_top_of(self._conditions)
        numbers = self._changed(wanted)
        if numbers is not None and (plan := self._proved(numbers)) is not None:
            return plan
        return self._solved(wanted, numbers)

    def _changed(self, conditions: Conditions) -> Numbers | None:
        """Return the numbers under conditions; None where these change anything else, or an error is to be told."""
        read = conditions.numbers()
        if read is None or not set(read.slowdown) <= self._still.keys():
            return None
        slowdown = {self._still[name]: value for name, value in read.slowdown.items()}
        ways = [
            {way: value for name, value in values.items() for way in directions_of(self._network, name)}
            for values in (read.bandwidth, read.latency)
        ]
        hops = self._network.hops
        if any(hops[way].half for each in ways for way in each):  # both ways of one medium may not differ
            return None
        return self._numbers.changed(slowdown, *ways)

    def _proved(self, numbers: Numbers) -> Plan | None:
        """Return the best plan where what is known proves it."""
        if not self._known or self._repricer is None:
            return None
        place, straight = numbers.place, self._network.forwarding == "store"
        tried: set[Decision] = set()
        for each in reversed(self._known):  # what was the best last is likely to be
            if each.decision in tried or not self._repricer.takes(each.decision):
                continue
            tried.add(each.decision)
            plan = self._repricer.price(each.decision, numbers)
            others = least_of_others(self._known, each.passed, place, straight=straight)
            if plan.latency_s < others * (1 - _MARGIN):
                return plan
        return None

    def _solved(self, conditions: Conditions, numbers: Numbers | None) -> Plan:
        self.solves += 1
        changed = conditions.apply(self._topology, self._profile)
        answer = ask(*changed, self._query, solver=self._solver, options=self._options)
        plan = answer.best
        if numbers is not None and self._follows(answer):
            self._remember(answer, *changed, numbers)
        return plan

    def _follows(self, answer: Answer) -> bool:
        """Return whether what was found bounds other conditions too."""
        query, space, outcome = answer.query, answer.space, answer.outcome
        if not (outcome.exact and outcome.status == "optimal") or query.objective != "latency":
            return False
        if query.max_latency_s is not None or len(space.codec_choices) > 1 or int(space.codec_choices[0]) >= 0:
            return False
        problem = space.problem
        names = [bound.name for bound in query.bounds]
        if query.max_utilisation is not None:
            names += [f"utilisation:{place}" for place in servers(problem)]
        return not any(self._moves(problem, name) for name in names)

    def _moves(self, problem: Problem, name: str) -> bool:
        """Return whether any number moves a bounded measure."""
        links = [">".join(way) for way in self._network.hops]
        kinds: list[tuple[Number, list[str]]]
        kinds = [("bandwidth", links), ("latency", links), ("slowdown", list(problem.nodes))]
        return any(moved_by(problem, name, kind, of) is not Moved.NEVER for kind, each in kinds for of in each)

    def _remember(self, answer: Answer, topology: Topology, profile: Profile, numbers: Numbers) -> None:
        """Keep what bounds other conditions: the latency of the best plan, and that of the next that is another one."""
        best = answer.best
        problem = answer.space.problem
        passed, after = _passed(problem, best.decision), None
        for top in _TOPS:
            task = make_task(answer.space, replace(answer.query, kind="rank", top=top))
            solver = registry.choose(task)[0]
            if solver.name != "labels" and task.space.decisions > _FEW:  # it would take far longer than the answer did
                return
            outcome = solver.solve(task, replace(self._options, progress=None))
            if outcome.status not in ("optimal", "infeasible"):
                return
            others = (each for each in outcome.decisions if _passed(problem, each) != passed)
            after = next(others, None)
            if after is not None or len(outcome.decisions) < top:
                break
        else:
            return
        cost = LARGEST if after is None else price(problem, after).latency_s
        self._known = [*self._known, Solved(numbers.place, best.decision, passed, best.latency_s, cost)]
        self._known = self._known[-_REMEMBERED:]
        if self._repricer is None:
            self._repricer = Repricer(problem, topology, profile)


def _passed(problem: Problem, decision: Decision) -> tuple[Any, ...]:
    """Return what samples pass through on a decision: no more is added up, so where that agrees, latencies do."""
    steps = itinerary(problem, decision).steps
    return tuple(
        (step.sort, step.node, step.to, step.first, step.last, step.exits, step.codec, step.reach, step.onward)
        for step in steps
        if step.reach != 0.0
    )
