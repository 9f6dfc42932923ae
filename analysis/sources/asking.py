"""A question about several sources: a task for each, the limits that they share, and the plans priced again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tiercut.analysis.estimates import estimated, samples_beside
from tiercut.analysis.infeasible import why_none
from tiercut.analysis.inputs import profile_of
from tiercut.analysis.sources.answer import JointAnswer, SourcePlan
from tiercut.analysis.sources.checked import check_joint, shared_loads, shared_memory
from tiercut.analysis.sources.short import nearest_of, served_of, why_short
from tiercut.clock import time_limit
from tiercut.errors import QuestionError
from tiercut.optimizer import (
    STRESS,
    make_space,
    narrow,
    price,
    servers,
    servers_of,
    settled,
    warn_of_bare_spans,
    warn_of_memory,
)
from tiercut.solvers import JointTask, Limit, Room, Stream, make_task, registry, solve_jointly
from tiercut.stages import stage
from tiercut.topologies import seen_from

if TYPE_CHECKING:
    from tiercut.analysis.inputs import ProfileLike
    from tiercut.analysis.solver_options import SolverOptions
    from tiercut.optimizer import Conditions, Problem, Query
    from tiercut.profiling import Profile
    from tiercut.solvers import JointOutcome, Options
    from tiercut.topologies import Source, Topology

__all__ = ["ask_of_sources"]

_MEASURE = "utilisation"


def ask_of_sources(
    topology: Topology,
    profile: ProfileLike | None,
    query: Query,
    conditions: Conditions,
    who: SolverOptions,
    options: Options,
    named: Callable[[str], str] = str,
) -> JointAnswer:
    """Return one plan for each source of a topology, such that together they leave no machine and no link short.

    Parameters
    ----------
    topology
        With `sources`.
    profile
        Of the sources that name none.
    query
        What is asked of each: a source's own least accuracy takes the place of that of the question. Greatest values
        of utilisation hold for all sources together, all else for each by itself.
    conditions
        In place of what topology and profiles say.
    who, options
        Who answers, and for how long.
    named
        What to call a field in a message; commands name its flag.

    Raises
    ------
    QuestionError
        If the question cannot be asked of several sources, or of one of them; the message names it.
    """
    if topology.sources is None:
        raise QuestionError(f"topology '{topology.name}' has a single source; tiercut.solve answers for it")
    _check(query, who)
    if conditions.condition and any(name.startswith(STRESS) for name in conditions.condition):
        raise QuestionError(
            f"{named('condition')}: loads of nodes hang on a profile, and sources may have several; give the slowdown "
            "of the node instead"
        )
    topology = conditions.changed_topology(topology, named)
    profiles: dict[str | None, Profile] = {}

    def found(name: str | None) -> Profile:
        if name not in profiles:
            wanted = profile if name is None else name
            if wanted is None:
                raise QuestionError("names no profile; add 'profile' to it, or name one for all that have none")
            profiles[name] = conditions.changed_profile(profile_of(wanted), named)
        return profiles[name]

    with time_limit(options.time_limit_s), stage("setting up the question"):
        asked = list(_asked(topology, found, query))
        limits, outcome = _solved(query, asked, options)
    # Once the time is up tables are cut short, so what is found is priced again without a limit.
    return _answered(topology, query, asked, limits, outcome)


def _solved(query: Query, asked: Sequence[SourcePlan], options: Options) -> tuple[tuple[Limit, ...], JointOutcome]:
    """Return the limits on what is busy, and what is found within them and the memory of nodes."""
    limits = tuple(_limits(asked[0].space.problem, query))
    streams = tuple(
        Stream(
            name=each.source.called,
            task=make_task(each.space, each.query),
            weight=each.source.weight,
            rate_fps=each.source.rate,
        )
        for each in asked
    )
    rooms = () if query.ignore_memory else tuple(_rooms([each.space.problem for each in asked]))
    return limits, solve_jointly(JointTask(streams, limits, query.joint or "mean", rooms), options)


def _answered(
    topology: Topology, query: Query, asked: Sequence[SourcePlan], limits: Sequence[Limit], outcome: JointOutcome
) -> JointAnswer:
    """Return the answer to what each source is asked, every plan priced again and all checked together."""
    plans = tuple(
        replace(each, plan=None if decision is None else price(each.space.problem, decision))
        for each, decision in zip(asked, outcome.decisions or (None,) * len(asked), strict=True)
    )
    message = "" if outcome.decisions else _why_none(query, asked, outcome)
    loads, memory = shared_loads(plans, limits), shared_memory(plans)
    check_joint(plans, loads, () if query.ignore_memory else memory)
    return JointAnswer(
        topology=topology,
        query=query,
        outcome=outcome,
        sources=plans,
        loads=loads,
        memory=memory,
        message=message,
    )


def _check(query: Query, who: SolverOptions) -> None:
    """Refuse what several sources are not asked."""
    if who.evaluate != "model" or who.certify is not None or who.split != "profile":
        raise QuestionError("plans of several sources are those of the model; leave evaluate, split and certify out")
    if who.solver != "auto":
        raise QuestionError(f"several sources are answered by column generation; leave the solver '{who.solver}' out")
    if query.kind != "solve":
        raise QuestionError(
            f"a topology with several sources is answered by solve, not by {query.kind}; name one source (--source) to "
            "ask about it alone"
        )
    if query.objective != "latency":
        raise QuestionError(
            f"of several sources the latency is minimised (joint: mean, worst or served), not {query.objective}"
        )
    for bound in query.bounds:
        if bound.measure == _MEASURE and (bound.at_least is not None or not bound.at_most):
            raise QuestionError(f"the bound on {bound.name} holds for all sources together; give a most greater than 0")


def _asked(topology: Topology, named: Callable[[str | None], Profile], query: Query) -> Iterator[SourcePlan]:
    """Yield each source with what it is asked, and the plans that it may have."""
    known: dict[tuple[object, ...], Problem] = {}
    for source in topology.sources or ():
        try:
            profile = named(source.profile)
            alone = seen_from(topology, source.called)
            own = _query_of(source, query)
            key = id(profile), alone.source, alone.destination
            if key not in known:
                known[key] = _tables(alone, profile, own)
            tables = known[key]
            own = settled(replace(own, estimator=tables.estimator), tables)
            space = narrow(
                make_space(tables, exits=own.exits, order=own.order, per_exit=own.per_exit, codec=own.codec), own
            )
            if own.needs_accuracy and not space.knows_accuracy:
                key_ = "exits" if space.exits == "cuts" else "accuracy"
                raise QuestionError(f"a question about accuracy needs the key '{key_}', which profile "
                                    f"'{tables.profile}' does not have")  # fmt: skip
        except QuestionError as error:
            raise QuestionError(f"source '{source.called}': {error}") from None
        yield SourcePlan(source, profile, own, space, None)


def _query_of(source: Source, query: Query) -> Query:
    """Return what a source is asked by itself."""
    bounds = tuple(each for each in query.bounds if each.measure != _MEASURE)
    own = replace(query, bounds=bounds, max_utilisation=None, rate_fps=source.rate, joint=None)
    if source.min_accuracy is None:
        return own
    return replace(own, min_accuracy=source.min_accuracy, of_final=None, max_loss=None)


def _tables(topology: Topology, profile: Profile, query: Query) -> Problem:
    early = query.exits != "final"  # else all estimators say the same
    samples = samples_beside(profile, needed=query.estimator == "auto") if early else None
    tables = estimated(topology, profile, query.estimator if early else "marginal", samples)
    if query.exits == "free":
        warn_of_bare_spans(profile)
    if not query.ignore_memory:
        warn_of_memory(tables)
    return tables


def _limits(problem: Problem, query: Query) -> Iterator[Limit]:
    """Yield what may be busy for how long: every server, but for those that the question bounds itself."""
    own = [(bound.place or "", bound.at_most or 0.0) for bound in query.bounds if bound.measure == _MEASURE]
    for place, most in own:
        yield Limit(place, servers_of(problem, place), most)
    if query.max_utilisation is not None:
        bounded = {servers_of(problem, place) for place, _ in own}
        yield from (Limit(name, (name,), query.max_utilisation) for name in servers(problem) if (name,) not in bounded)


def _rooms(problems: Sequence[Problem]) -> Iterator[Room]:
    """Yield the memory of every node that not all networks fit into at once.

    A node without any is left out: what each source may run there is nothing in any case.
    """
    largest = sum(float(each.partition_bytes[0, -1]) for each in problems if each.knows_memory)
    for node, most in zip(problems[0].nodes, problems[0].memory.tolist(), strict=True):
        if largest > most > 0:  # of what is not known it is not asked
            yield Room(node, most)


def _why_none(query: Query, asked: Sequence[SourcePlan], outcome: JointOutcome) -> str:
    """Say which source has no plan by itself, or which machines are short, and by how much."""
    short = outcome.shortage
    if outcome.status != "infeasible" or short is None:
        nearest = "" if query.joint == "served" else nearest_of(short, len(asked))
        reason = outcome.reason or "too many plans"
        return f"no joint plan was found, and it is not proved that there is none: {reason}{nearest}"
    if short.alone:
        return "\n".join(
            f"source '{each.source.called}': "
            + why_none(each.space, each.query, registry.choose(make_task(each.space, each.query))[0])
            for each in asked
            if each.source.called in short.alone
        )
    return why_short(short) + served_of(short, len(asked))
