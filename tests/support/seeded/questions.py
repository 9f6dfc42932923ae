"""Random questions with all that may be asked: any bound, any rule for placement, exits, thresholds and codecs."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite, nan
from typing import Any

import numpy as np

from support.seeded.problems import random_case
from tiercut.optimizer.constraints import bound_measure, bound_value, constraints_of, is_rule, limit_with_slack
from tiercut.optimizer.measures.names import split_name
from tiercut.optimizer.measures.registry import KINDS
from tiercut.optimizer.measures.tables import measure
from tiercut.optimizer.placement import narrow
from tiercut.optimizer.plan import Decision
from tiercut.optimizer.pricing import evaluate_tables, price
from tiercut.optimizer.problem import Problem
from tiercut.optimizer.query import Bound, Query
from tiercut.optimizer.space import Space, make_space
from tiercut.solvers.interface import Options, Outcome
from tiercut.solvers.registry import find
from tiercut.solvers.task import make_task
from tiercut.topologies.changes import directions_of

FEW = 60_000  # decisions that the exhaustive solver is asked to try


def priced(space: Space, outcome: Outcome, query: Query) -> list[tuple[float, float]]:
    """Return objective and accuracy of the plans of an outcome."""
    tables = measure(space.problem, query.additive, query.rate_fps)
    plans = [price(space.problem, decision) for decision in outcome.decisions]
    return [(evaluate_tables(space.problem, each.decision, tables), each.accuracy or 0.0) for each in plans]


def told_all(problem: Problem, rng: np.random.Generator) -> Problem:
    """Return a problem with the power, prices and bytes that some measures need."""
    count, nodes = problem.block_count, problem.node_count
    more = rng.spawn(1)[0]  # a stream of its own, so that the rest of a question is what it is without
    return replace(
        problem,
        parameter_bytes=rng.integers(1, 100, count) * 1e3,
        activation_bytes=np.where(rng.random(count) < 0.2, nan, rng.integers(1, 100, count) * 1e3),
        power=rng.integers(1, 50, nodes) * 1.0,
        price=rng.integers(1, 50, nodes) * 1e-5,
        idle_power=more.integers(0, 3, nodes) * 1.0,
        workers=more.integers(1, 4, nodes) * 1.0,
    )


def random_question(seed: int) -> tuple[Space, Query] | None:
    """Return a random question; None where it cannot be asked."""
    rng = np.random.default_rng([7, seed])
    problem = told_all(random_case([0, seed], blocks=6, nodes=4).problem, rng)
    exits: Any = rng.choice(["cuts", "final", "free"]) if problem.has_exits else "final"
    objective = str(rng.choice(["latency", "bytes", "energy", "cost", "accuracy", *random_measures(problem, rng)]))
    query = Query(
        kind=rng.choice(["solve", "solve", "rank", "frontier"]),
        objective=_placed(objective, problem),
        exits=exits,
        per_exit=bool(exits != "final" and not np.isnan(problem.stay_alone).any() and rng.random() < 0.3),
        codec=str(rng.choice(["none", "auto"])),
        order=rng.choice(["any", "any", "forward"]),
        top=int(rng.integers(1, 8)),
        rate_fps=10.0,
        **random_rules(problem, rng),
    )
    made = make_space(problem, exits=query.exits, order=query.order, per_exit=query.per_exit, codec=query.codec)
    space = narrow(made, query)
    if (query.needs_accuracy and not space.knows_accuracy) or space.decisions > FEW:
        return None
    return space, replace(query, **random_bounds(space, query, rng))


def _placed(name: str, problem: Problem) -> str:
    """Return energy as that of a node, in half of the problems."""
    return f"energy:{problem.nodes[-1]}" if name == "energy" and problem.block_count % 2 else name


def random_measures(problem: Problem, rng: np.random.Generator) -> list[str]:
    """Return a measure of each sort that has a place, but for shares, each of a random one."""
    places = [*problem.nodes, *problem.tiers]
    named = [f"{head}:{rng.choice(places)}" for head in ("compute", "utilisation", "blocks", "memory", "out")]
    named.append(f"bytes:{'>'.join(rng.choice(problem.nodes, 2))}")
    assert problem.network is not None
    if links := problem.network.link_names:
        link = directions_of(problem.network, links[int(rng.integers(len(links)))])
        name = (">" if len(link) == 1 or rng.random() < 0.5 else "-").join(link[0])
        named += [f"link:{name}", f"utilisation:{name}"]
    return named


def random_rules(problem: Problem, rng: np.random.Generator) -> dict[str, Any]:
    """Return rules for the placement, few enough for something to be left most of the time."""
    rules: dict[str, Any] = {}
    if rng.random() < 0.2:
        rules["include"] = (str(rng.choice(problem.nodes)),)
    if rng.random() < 0.2 and "include" not in rules:
        rules["exclude"] = (str(rng.choice(problem.tiers)),)
    if rng.random() < 0.1:
        rules["use_all_tiers"] = True
    if rng.random() < 0.2:
        rules["pins"] = ((int(rng.integers(1, problem.block_count + 1)), str(rng.choice(problem.nodes))),)
    if rng.random() < 0.1:
        rules["keep_first"] = 1
    if rng.random() < 0.3:
        rules["fewest_partitions"] = int(rng.integers(1, 3))
        rules["most_partitions"] = int(rng.integers(2, 5))
    return rules


def random_bounds(space: Space, query: Query, rng: np.random.Generator) -> dict[str, Any]:
    """Return bounds that some plan just reaches, or some lie beyond."""
    ranking = make_task(space, replace(query, kind="rank", objective="latency", top=40))
    found = find("exhaustive").solve(ranking, Options())
    if not found.decisions:
        return {}
    plans = [found.decisions[int(place)] for place in rng.integers(len(found.decisions), size=5)]
    bounds = []
    for decision in plans[: int(rng.integers(0, 4))]:
        share = f"share:{rng.choice(space.problem.nodes)}"
        # Quantiles are left out, because some topologies refuse them; rates, because they are bounded from one side.
        whole = [
            kind.name for kind in KINDS.values() if "" in kind.places.forms and kind.tail is None and not kind.peak
        ]
        named = rng.choice([*whole, share, *random_measures(space.problem, rng)])
        name, place = split_name(_placed(str(named), space.problem))
        value = value_of(space, decision, name, place)
        if isfinite(value):
            bounds.append(
                Bound(name, place, **{str(rng.choice(["at_most", "at_least"])): value * rng.choice([1, 0.9])})
            )
    more: dict[str, Any] = {"bounds": tuple(bounds)}
    last = price(space.problem, plans[-1])
    if rng.random() < 0.3 and isfinite(last.latency_s):
        more["max_latency_s"] = last.latency_s
    if rng.random() < 0.3 and space.knows_accuracy:
        more["min_accuracy"] = min(1.0, max(0.0, last.accuracy or 0.0))
    return more


def value_of(space: Space, decision: Decision, name: str, place: str | None) -> float:
    value = evaluate_tables(
        space.problem, decision, bound_measure(space.problem, Bound(name, place, at_most=0.0), 10.0)
    )
    return value / (price(space.problem, decision).latency_s or 1.0) if name == "share" else value


def holds(space: Space, query: Query, decision: Decision) -> bool:
    """Return whether a plan holds the bounds that its objective does not carry."""
    constraints = constraints_of(space, query)
    rules = [bound for bound in query.bounds if bound.at_most is not None and is_rule(space, bound)]
    values = ((bound_value(space.problem, decision, bound), bound.at_most or 0.0) for bound in rules)
    return all(evaluate_tables(space.problem, decision, each.measure) <= each.cap for each in constraints) and all(
        value <= limit_with_slack(limit) for value, limit in values
    )
