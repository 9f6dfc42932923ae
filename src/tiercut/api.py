"""The functions behind ``import tiercut``: the same questions as the commands, answered with objects."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack, cast, overload

from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.answer import Answer
from tiercut.optimizer.asked import Asked, make_query, merged
from tiercut.optimizer.build import build_problem, warn_of_bare_spans
from tiercut.optimizer.estimators import with_estimator
from tiercut.optimizer.explain import Explanation, explained
from tiercut.optimizer.frontier import frontier_plans
from tiercut.optimizer.grammar import TAILS
from tiercut.optimizer.placing import narrow
from tiercut.optimizer.pricing import decide, price
from tiercut.optimizer.query import Query
from tiercut.optimizer.query_file import QueryFile, load_query
from tiercut.optimizer.space import Space, make_space
from tiercut.profiling.files import load_profile
from tiercut.profiling.profile import Profile
from tiercut.profiling.samples import Samples, SampleSplit, check_split, samples_of
from tiercut.solvers import registry
from tiercut.solvers.options import Options
from tiercut.solvers.refusal import why_none
from tiercut.topologies.loader import load_topology
from tiercut.topologies.schema import Topology

if TYPE_CHECKING:
    from tiercut.optimizer.outcome import Outcome
    from tiercut.optimizer.plan import Decision, Plan
    from tiercut.optimizer.problem import Estimator, Problem
    from tiercut.optimizer.query import Kind
    from tiercut.optimizer.replay import Replay

__all__ = ["Question", "ask", "explain", "frontier", "plan", "problem", "rank", "replay", "solve"]

TopologyLike: TypeAlias = Topology | str | os.PathLike[str]
ProfileLike: TypeAlias = Profile | str | os.PathLike[str]
QueryLike: TypeAlias = QueryFile | str | os.PathLike[str]
Evaluation: TypeAlias = Literal["model", "replay"]

_ALL_REPLAYED = 2_000_000  # decisions that replay tries all, in about a second


def problem(
    topology: TopologyLike,
    profile: ProfileLike,
    *,
    estimator: Estimator = "marginal",
    samples: Samples | None = None,
) -> Problem:
    """Return the dense tables of a topology and a profile.

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    estimator
        How exit rates and accuracies are known (see `tiercut.optimizer.estimators`).
    samples
        What an estimator is fitted to; by default those of the profile.

    Raises
    ------
    InputError, QuestionError
        If a file is wrong, or the two do not fit together.
    """
    profile = _profile(profile)
    tables = build_problem(_topology(topology), profile)
    if estimator == "marginal":
        return tables
    if samples is None and profile.is_separate:
        raise QuestionError(
            f"the estimator '{estimator}' takes accuracies from samples of the network that was trained as one; "
            "accuracies 'separate' go with the marginal estimator"
        )
    return with_estimator(tables, estimator, samples_of(profile) if samples is None else samples)


def _topology(topology: TopologyLike) -> Topology:
    return topology if isinstance(topology, Topology) else load_topology(topology)


def _profile(profile: ProfileLike) -> Profile:
    return profile if isinstance(profile, Profile) else load_profile(profile)


def ask(
    topology: TopologyLike,
    profile: ProfileLike,
    query: Query,
    *,
    solver: str = "auto",
    options: Options | None = None,
    evaluate: Evaluation = "model",
    split: SampleSplit = "profile",
) -> Answer:
    """Answer a question.

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    query
        What is asked.
    solver
        ``auto`` or the name of a solver.
    options
        Threads, seed, time limit, progress.
    evaluate
        ``model``; or ``replay``: candidates of the model are chosen by what recorded samples make of them.
    split
        Which samples replay them.

    Returns
    -------
    Answer
        With no plans and a message where nothing meets the question.

    Raises
    ------
    InputError
        If a file is wrong.
    QuestionError
        If the question cannot be asked of this problem.
    """
    profile = _profile(profile)
    tables = problem(topology, profile, estimator=query.estimator)
    whole = make_space(tables, exits=query.exits, order=query.order, per_exit=query.per_exit, codec=query.codec)
    space = narrow(whole, query)
    _check(space, query)
    if evaluate not in ("model", "replay"):
        raise QuestionError(unknown_name("evaluation", evaluate, ("model", "replay")))
    check_split(split)
    if split != "profile" and evaluate == "model":
        raise QuestionError(f"split '{split}' says which samples replay the plans; evaluate 'replay' asks for that")
    if space.exits != "cuts":
        warn_of_bare_spans(profile)
    found, why = registry.choose(space, query) if solver == "auto" else (registry.find(solver), "")
    outcome = found.solve(space, query, options or Options())
    if query.kind == "frontier":
        plans = frontier_plans(space.problem, query, outcome.decisions)
    else:
        plans = [price(space.problem, decision) for decision in outcome.decisions]
    if evaluate == "replay":
        own = Answer(space, query, outcome, tuple(plans), "", why)
        lived = _relived(own, whole, solver, options or Options(), samples_of(profile, split), split)
        if lived.plans or lived.message:
            return lived
    message = "" if plans else _why_none(whole, query, found, outcome)
    return Answer(space, query, outcome, tuple(plans), message, why)


def _relived(
    answer: Answer, whole: Space, solver: str, options: Options, samples: Samples, split: SampleSplit
) -> Answer:
    """Choose plans by what recorded samples make of them: of all where they are few, else of candidates."""
    from tiercut.optimizer.recorded import Recorded
    from tiercut.optimizer.relive import candidates, relive

    space, query, recorded = answer.space, answer.query, Recorded.of(samples, split)
    own = [plan.decision for plan in answer.plans]
    seen = replace(space, problem=replace(space.problem, recorded=recorded, conditional=None))
    able = registry.find("exhaustive")
    if space.decisions <= _ALL_REPLAYED and not query.many and registry.needs(seen, query) <= able.supports:
        outcome = able.solve(seen, query, options)
        if outcome.status == "infeasible":
            all_seen = replace(whole, problem=seen.problem)
            return replace(answer, plans=(), message=why_none(all_seen, query, able))
        if outcome.status == "optimal":
            lived = relive(space, query, own, outcome.decisions, recorded, space.decisions)
            return replace(answer, plans=tuple(each.lived for each in lived.plans), lived=lived)
    # Conditional estimates come much nearer to what samples do, so that their best are the better candidates.
    guided = not (space.per_exit or query.many) and space.estimator == "marginal"
    guided = guided and solver in ("auto", "labels", "exhaustive")
    guide = replace(space, problem=with_estimator(space.problem, "conditional", samples)) if guided else space
    if solver == "auto" and not registry.in_time(guide, query):
        guide = space

    began, stopped = time.perf_counter(), False

    def asked(query: Query) -> Sequence[Decision]:
        """Answer a question for candidates; none once time is up or the user interrupted one before."""
        nonlocal stopped
        limit = options.time_limit_s
        left = None if limit is None else limit - (time.perf_counter() - began)
        if stopped or (left is not None and left <= 0):
            return ()
        found = registry.choose(guide, query)[0] if solver == "auto" else registry.find(solver)
        outcome = found.solve(guide, query, replace(options, time_limit_s=left))
        stopped = outcome.exact and outcome.status == "feasible"
        return outcome.decisions

    lived = relive(space, query, own, candidates(guide, query, asked), recorded)
    return replace(answer, plans=tuple(each.lived for each in lived.plans), message=lived.message, lived=lived)


def _why_none(whole: Space, query: Query, solver: registry.Solver, outcome: Outcome) -> str:
    if outcome.status == "infeasible":
        return why_none(whole, query, solver)
    return f"{solver.name} has found no plan that meets the question, and not proved that there is none: " + (
        outcome.reason or "it tries only some"
    )


def _check(space: Space, query: Query) -> None:
    if query.many and TAILS.keys() & {*query.compared, *(bound.measure for bound in query.bounds)}:
        raise QuestionError("a frontier over several measures takes no quantile of the latency, nor a bound on one")
    if query.many and space.estimator != "marginal":
        raise QuestionError(
            f"a frontier over several measures goes with the marginal estimator, not '{query.estimator}'; with "
            "evaluate 'replay' its plans are those of the samples"
        )
    if query.needs_accuracy and not space.knows_accuracy:
        key = "exits" if space.exits == "cuts" else "accuracy"
        asked = "a frontier" if query.kind == "frontier" else "a question about accuracy"
        raise QuestionError(f"{asked} needs the key '{key}', which profile '{space.problem.profile}' does not have")


class Question(Asked, total=False):
    """The keywords of `solve`, `rank` and `frontier`: those of `tiercut.optimizer.asked.Asked`, and who answers.

    Parameters
    ----------
    query
        A question from a file: loaded, a path, or the name of one that comes with the package. Keywords add to it,
        and take the place of what it says of the same thing.
    solver
        ``auto`` or the name of a solver.
    options
        Threads, seed, time limit, progress.
    evaluate
        ``model``; or ``replay``: candidates of the model are chosen by what recorded samples make of them, and plans
        have the figures of the samples (see `Answer.lived`).
    split
        Which samples: ``profile`` or ``test``.
    """

    query: QueryLike | None
    solver: str
    options: Options | None
    evaluate: Evaluation
    split: SampleSplit


def solve(topology: TopologyLike, profile: ProfileLike, **question: Unpack[Question]) -> Answer:
    """Return the best plan (problems P_lat and P_acc of the Joint model, section 2.4).

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    **question
        What is asked, as `Question` lists it: objective, min_accuracy, max_latency, exits, thresholds, codec, order,
        bounds, rate, include, exclude, use_all_tiers, only, partitions, pin, keep_first; query, solver, options.

    Raises
    ------
    InputError, QuestionError
        If a file or the question is wrong. An answer without plans is not an error: see `Answer.best`.

    Examples
    --------
    >>> import tiercut
    >>> answer = tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.9, bounds=["compute:watch<=1 s"])
    >>> answer.best.placement
    """
    return _question("solve", topology, profile, question)


def rank(topology: TopologyLike, profile: ProfileLike, **question: Unpack[Question]) -> Answer:
    """Return the `top` (5) best plans, best first; everything else is as in `solve`."""
    return _question("rank", topology, profile, question)


def frontier(topology: TopologyLike, profile: ProfileLike, **question: Unpack[Question]) -> Answer:
    """Return the Pareto frontier of the objective against accuracy, quickest first; the rest is as in `solve`."""
    return _question("frontier", topology, profile, question)


def _question(kind: Kind, topology: TopologyLike, profile: ProfileLike, question: Question) -> Answer:
    known = Question.__annotations__
    for name in question:
        if name not in known:
            raise TypeError(f"{kind}(): {unknown_name('keyword', name, known)}")
    loaded = _topology(topology), _profile(profile)
    asked: dict[str, Any] = {key: value for key, value in question.items() if key in Asked.__annotations__}
    if (file := question.get("query")) is not None:
        said = file if isinstance(file, QueryFile) else load_query(file)
        loaded = said.under(*loaded)
        asked = dict(merged(said.asked, cast("Asked", asked)))
    query = make_query(kind, cast("Asked", asked))
    who: Any = {key: question[key] for key in ("solver", "options", "evaluate", "split") if key in question}
    return ask(*loaded, query, **who)


def plan(
    topology: TopologyLike,
    profile: ProfileLike,
    *,
    partition: Sequence[int],
    placement: Sequence[str],
    threshold: float | None = None,
    exits: Sequence[int] | None = None,
    thresholds: Sequence[float] | None = None,
    codecs: Sequence[str | None] | None = None,
) -> Plan:
    """Return the price of a plan that a person thought of.

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    partition, placement
        1-based last block of each partition, and the name of its node.
    threshold
        One of the profile's thresholds; needed where there is more than one exit.
    exits
        1-based blocks whose branch is used; by default the end of every partition where the profile has exits.
    thresholds
        In place of `threshold`: one for every exit but the last, which takes who is left.
    codecs
        Codec at each cut, None where the output is sent as it is; by default everywhere.

    Raises
    ------
    InputError, QuestionError
        If a file is wrong, or there can be no such plan.
    """
    tables = problem(topology, profile)
    return price(tables, decide(tables, partition, placement, threshold, exits, thresholds=thresholds, codecs=codecs))


def explain(topology: TopologyLike, profile: ProfileLike, plan: Plan) -> Explanation:
    """Return the latency of a plan as the sum that it is, step by step.

    Parameters
    ----------
    topology, profile
        What the plan was made for; under another topology, the same decision is priced anew.
    plan
        From `solve`, `rank`, `frontier` or `plan`.
    """
    tables = problem(topology, profile)
    return explained(tables, _again(tables, plan))


@overload
def replay(
    topology: TopologyLike,
    profile: ProfileLike,
    plan: Plan,
    *,
    split: SampleSplit = "profile",
    samples: Samples | None = None,
) -> Replay: ...
@overload
def replay(
    topology: TopologyLike,
    profile: ProfileLike,
    plan: Iterable[Plan],
    *,
    split: SampleSplit = "profile",
    samples: Samples | None = None,
) -> list[Replay]: ...
def replay(
    topology: TopologyLike,
    profile: ProfileLike,
    plan: Plan | Iterable[Plan],
    *,
    split: SampleSplit = "profile",
    samples: Samples | None = None,
) -> Replay | list[Replay]:
    """Return what recorded samples make of a plan: exact exit rates, accuracy, and latencies with their quantiles.

    Parameters
    ----------
    topology, profile
        What the plan was made for; under another topology, the same decision is priced anew.
    plan
        From `solve`, `rank`, `frontier` or `plan`; or several, such as an answer, which are replayed together.
    split
        ``profile``: the samples that the profile's rates come from; ``test``: others, where it names a file of them.
    samples
        Others in place of those that the profile names; `split` then only says what to call them.

    Raises
    ------
    InputError, QuestionError
        If a file is wrong, there are no samples, or they do not belong to the profile.

    Examples
    --------
    >>> import tiercut
    >>> best = tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.95).best
    >>> seen = tiercut.replay("mobile", "resnet20-digits32", best)
    >>> seen.accuracy, seen.accuracy_interval(), seen.quantile(0.95)
    """
    from tiercut.optimizer.plan import Plan
    from tiercut.optimizer.recorded import Recorded
    from tiercut.optimizer.replay import replay_decisions

    profile = _profile(profile)
    tables = build_problem(_topology(topology), profile)
    recorded = Recorded.of(samples_of(profile, split) if samples is None else samples, split)
    plans = [plan] if isinstance(plan, Plan) else list(plan)
    found = replay_decisions(tables, [_again(tables, each) for each in plans], recorded)
    return found[0] if isinstance(plan, Plan) else found


def _again(tables: Problem, plan: Plan) -> Decision:
    """Return the decision of a plan under other conditions, checked."""
    what = (plan.partition, plan.placement, plan.threshold, plan.exits)
    return decide(tables, *what, thresholds=plan.thresholds, codecs=plan.codecs)
