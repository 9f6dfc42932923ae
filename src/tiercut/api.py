"""The functions behind ``import tiercut``: the same questions as the commands, answered with objects."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from math import floor, log10
from typing import TYPE_CHECKING, TypeAlias

from tiercut import units
from tiercut.errors import QuestionError
from tiercut.optimizer.answer import Answer
from tiercut.optimizer.build import build_problem, warn_of_bare_spans
from tiercut.optimizer.explain import Explanation, explain_plan
from tiercut.optimizer.frontier import pareto
from tiercut.optimizer.placing import narrow
from tiercut.optimizer.pricing import decide, evaluate, price
from tiercut.optimizer.query import SLACK, Query
from tiercut.optimizer.space import Space, make_space
from tiercut.profiling.files import load_profile
from tiercut.profiling.profile import Profile
from tiercut.solvers import registry
from tiercut.solvers.options import Options
from tiercut.topologies.loader import load_topology
from tiercut.topologies.schema import Topology

if TYPE_CHECKING:
    from tiercut.optimizer.plan import Plan
    from tiercut.optimizer.problem import Problem
    from tiercut.optimizer.query import Kind
    from tiercut.optimizer.space import Exits, Order

__all__ = ["ask", "explain", "frontier", "plan", "problem", "rank", "solve"]

TopologyLike: TypeAlias = Topology | str | os.PathLike[str]
ProfileLike: TypeAlias = Profile | str | os.PathLike[str]


def problem(topology: TopologyLike, profile: ProfileLike) -> Problem:
    """Return the dense tables of a topology and a profile.

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.

    Raises
    ------
    InputError, QuestionError
        If a file is wrong, or the two do not fit together.
    """
    return build_problem(_topology(topology), _profile(profile))


def _topology(topology: TopologyLike) -> Topology:
    return topology if isinstance(topology, Topology) else load_topology(topology)


def _profile(profile: ProfileLike) -> Profile:
    return profile if isinstance(profile, Profile) else load_profile(profile)


def ask(
    topology: TopologyLike, profile: ProfileLike, query: Query, *, solver: str = "auto", options: Options | None = None
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
    tables = build_problem(_topology(topology), profile)
    space = make_space(tables, exits=query.exits, order=query.order, per_exit=query.per_exit, codec=query.codec)
    space = narrow(space, query)
    _check(space, query)
    if space.exits != "cuts":
        warn_of_bare_spans(profile)
    found = registry.choose(space, query)[0] if solver == "auto" else registry.find(solver)
    outcome = found.solve(space, query, options or Options())
    plans = [price(space.problem, decision) for decision in outcome.decisions]
    if query.kind == "frontier":
        plans = pareto([evaluate(space.problem, each.decision, query.additive) for each in plans], plans)
    message = "" if plans else _why_none(space, query, found)
    return Answer(space, query, outcome, tuple(plans), message)


def _check(space: Space, query: Query) -> None:
    if query.needs_accuracy and not space.knows_accuracy:
        key = "exits" if space.exits == "cuts" else "accuracy"
        asked = "a frontier" if query.kind == "frontier" else "a question about accuracy"
        raise QuestionError(f"{asked} needs the key '{key}', which profile '{space.problem.profile}' does not have")


def _why_none(space: Space, query: Query, solver: registry.Solver) -> str:
    """Name the bound that cannot be met, and the nearest value that can."""
    asked = replace(query, kind="solve", objective="latency", min_accuracy=None, max_latency_s=None)

    def reach(**changes: object) -> Plan | None:
        outcome = solver.solve(space, replace(asked, **changes), Options())  # type: ignore[arg-type]
        return price(space.problem, outcome.decisions[0]) if outcome.decisions else None

    quickest = reach()
    if quickest is None:
        return "no plan is possible at all: the source is cut off from every node"
    limit = units.format_seconds(query.max_latency_s or 0.0)
    if query.max_latency_s is not None and quickest.latency_s > query.latency_cap:
        least = _rounded_up(quickest.latency_s)
        return f"no plan takes at most {limit}; the least latency is {least} ({quickest})"
    best = reach(objective="accuracy", max_latency_s=query.max_latency_s)
    if best is None or best.accuracy is None:
        return "no plan meets the question"
    within = f" within {limit}" if query.max_latency_s is not None else ""
    message = (
        f"no plan reaches an accuracy of {query.min_accuracy:g}{within}; "
        f"the best that can be had{within} is {_rounded_down(best.accuracy)} ({best})"
    )
    enough = reach(min_accuracy=query.min_accuracy) if within else None
    return message if enough is None else f"{message}, and that accuracy takes {_rounded_up(enough.latency_s)}"


def _rounded_up(seconds: float) -> str:
    """Return a latency in four digits that can be asked for where `seconds` can be had."""
    shown = units.format_seconds(seconds)
    if units.parse(shown, "time") >= seconds - SLACK / 2:
        return shown
    return units.format_seconds(seconds + 10.0 ** (floor(log10(seconds)) - 3) / 2)


def _rounded_down(accuracy: float) -> str:
    """Return an accuracy in six digits that can be asked for where `accuracy` can be had."""
    return f"{floor((accuracy + SLACK / 2) * 1e6) / 1e6:.6g}"


def solve(
    topology: TopologyLike,
    profile: ProfileLike,
    *,
    objective: str = "latency",
    min_accuracy: float | None = None,
    max_latency: str | float | None = None,
    exits: Exits | None = None,
    order: Order = "any",
    solver: str = "auto",
    options: Options | None = None,
) -> Answer:
    """Return the best plan (problems P_lat and P_acc of the Joint model, section 2.4).

    Parameters
    ----------
    topology, profile
        Loaded ones, files, or the names of those that come with the package.
    objective
        What is made least: ``latency``, ``bytes``, ``energy`` or ``cost``; or greatest: ``accuracy``.
    min_accuracy
        Least accuracy, a share.
    max_latency
        Greatest expected latency: text such as ``"80 ms"``, or seconds.
    exits
        ``cuts``, ``final``, or None: cuts where the profile has exits.
    order
        ``any`` or ``forward``.
    solver
        ``auto`` or the name of a solver.
    options
        Threads, seed, time limit, progress.

    Raises
    ------
    InputError, QuestionError
        If a file or the question is wrong. An answer without plans is not an error: see `Answer.best`.

    Examples
    --------
    >>> import tiercut
    >>> answer = tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.9)
    >>> answer.best.placement
    """
    return _question("solve", topology, profile, objective, min_accuracy, max_latency, exits, order, solver, options)


def rank(
    topology: TopologyLike,
    profile: ProfileLike,
    *,
    top: int = 5,
    objective: str = "latency",
    min_accuracy: float | None = None,
    max_latency: str | float | None = None,
    exits: Exits | None = None,
    order: Order = "any",
    solver: str = "auto",
    options: Options | None = None,
) -> Answer:
    """Return the `top` best plans, best first; everything else is as in `solve`."""
    given = (objective, min_accuracy, max_latency, exits, order, solver, options)
    return _question("rank", topology, profile, *given, top=top)


def frontier(
    topology: TopologyLike,
    profile: ProfileLike,
    *,
    objective: str = "latency",
    min_accuracy: float | None = None,
    max_latency: str | float | None = None,
    exits: Exits | None = None,
    order: Order = "any",
    solver: str = "auto",
    options: Options | None = None,
) -> Answer:
    """Return the Pareto frontier of the objective against accuracy, quickest first; the rest is as in `solve`."""
    return _question("frontier", topology, profile, objective, min_accuracy, max_latency, exits, order, solver, options)


def _question(
    kind: Kind,
    topology: TopologyLike,
    profile: ProfileLike,
    objective: str,
    min_accuracy: float | None,
    max_latency: str | float | None,
    exits: Exits | None,
    order: Order,
    solver: str,
    options: Options | None,
    top: int = 5,
) -> Answer:
    query = Query(
        kind=kind,
        objective=objective,
        min_accuracy=min_accuracy,
        max_latency_s=_seconds(max_latency),
        exits=exits,
        order=order,
        top=top,
    )
    return ask(topology, profile, query, solver=solver, options=options)


def _seconds(latency: str | float | None) -> float | None:
    try:
        return units.parse(latency, "time") if isinstance(latency, str) else latency
    except ValueError as error:
        raise QuestionError(f"max_latency: {error}") from None


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
    what = (plan.partition, plan.placement, plan.threshold, plan.exits)
    again = decide(tables, *what, thresholds=plan.thresholds, codecs=plan.codecs)
    return explain_plan(price(tables, again), tables.nodes[tables.source])
