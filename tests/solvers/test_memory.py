"""Memory is what a node needs for all that it holds at once, however many exits stand in it: every solver keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from support.made import exits_data, problem_of, profile_data, topology_data
from support.seeded.problems import random_case
from support.seeded.questions import FEW, told_all

from tiercut.optimizer.plan import Decision
from tiercut.optimizer.pricing import evaluate, price
from tiercut.optimizer.problem import Problem
from tiercut.optimizer.query import Bound, Query
from tiercut.optimizer.space import make_space
from tiercut.solvers.interface import Options, Outcome
from tiercut.solvers.registry import find, needs
from tiercut.solvers.task import make_task

EXACT = ("labels", "exhaustive", "cp-sat")
HEURISTICS = ("annealing", "nsga2", "random")


def with_memory(profile: dict[str, Any], parameters: Sequence[float], activations: Sequence[float]) -> dict[str, Any]:
    """Return a profile whose blocks say what they keep in memory."""
    sizes = zip(profile["blocks"], parameters, activations, strict=True)
    blocks = [{**block, "parameter_bytes": own, "activation_bytes": most} for block, own, most in sizes]
    return profile | {"blocks": blocks}


@pytest.fixture
def two_blocks() -> Problem:
    """One node, two blocks of 100 B of parameters and 500 B of activation each; 60 % leave at the first exit."""
    profile = profile_data([1.0, 1.0], [1, 1, 1], exits=exits_data([0.5, 0.9], [0.6, 0.4]))
    return problem_of(topology_data("a", []), with_memory(profile, [100, 100], [500, 500]))


def solved(problem: Problem, query: Query, solver: str, **options: Any) -> Outcome:
    space = make_space(problem, exits=query.exits, order=query.order, per_exit=query.per_exit, codec=query.codec)
    return find(solver).solve(make_task(space, query), Options(**options))


@pytest.mark.parametrize("solver", [*EXACT, *HEURISTICS])
@pytest.mark.parametrize(("limit", "exits"), [(800, (1, 2)), (700, (1, 2)), (699, None)])
def test_the_largest_activation_counts_once_for_a_partition_with_two_exits(
    two_blocks: Problem, solver: str, limit: float, exits: tuple[int, ...] | None
) -> None:
    """200 B of parameters and one activation of 500 B, for exits 1 and 2: 1 + 0.4 s."""
    query = Query(exits="free", min_accuracy=0.6, bounds=(Bound("memory", "a", at_most=limit),))
    found = solved(two_blocks, query, solver, time_limit_s=None if solver in EXACT else 1.0)
    assert [each.exits for each in found.decisions] == ([] if exits is None else [exits])
    if solver in EXACT:
        assert found.status == ("infeasible" if exits is None else "optimal")
    if exits is not None:
        assert price(two_blocks, found.decisions[0]).latency_s == 1.4


def test_the_value_of_a_plan_counts_a_partition_once_wherever_exits_stand(two_blocks: Problem) -> None:
    plans = Decision((2,), (0,), (2,)), Decision((2,), (0,), (1, 2), 0), Decision((1,), (0,), (1,))
    assert [evaluate(two_blocks, plan, "memory:a") for plan in plans] == [700, 700, 600]


def needed(problem: Problem, decision: Decision, node: int) -> float:
    """Return what a node needs, from the definition: the parameters of its blocks, and the largest activation."""
    begins = (0, *decision.partition)
    for v, begin, end in zip(decision.placement, begins, decision.partition, strict=False):
        if v == node:
            blocks = range(begin, end)
            activations = [float(np.nan_to_num(problem.activation_bytes[i])) for i in blocks]
            return sum(float(problem.parameter_bytes[i]) for i in blocks) + max(activations)
    return 0.0


def free_problem(seed: int) -> Problem | None:
    """Return a random problem with exits; None where there are too many decisions to try, or no exits."""
    rng = np.random.default_rng([31, seed])
    problem = told_all(random_case([31, seed], blocks=6, nodes=4).problem, rng)
    if not problem.has_exits or not problem.knows_accuracy:
        return None
    space = make_space(problem, exits="free")
    return problem if space.decisions <= min(FEW, 20_000) else None


def every_decision(problem: Problem, **rules: Any) -> list[Decision]:
    query = Query(kind="rank", top=20_000, exits="free", **rules)
    return list(solved(problem, query, "exhaustive").decisions)


PROBLEMS = [(seed, problem) for seed in range(40) if (problem := free_problem(seed)) is not None]


@pytest.mark.parametrize(("seed", "problem"), PROBLEMS, ids=[str(seed) for seed, _ in PROBLEMS])
def test_exact_solvers_keep_memory_as_trying_everything_does(seed: int, problem: Problem) -> None:
    rng = np.random.default_rng(seed)
    decisions = every_decision(problem)
    one = decisions[int(rng.integers(len(decisions)))]
    node = int(rng.choice(one.placement))
    limit = needed(problem, one, node) * float(rng.choice([1.0, 1.0, 0.99]))
    floor = float(rng.choice([0.0, price(problem, one).accuracy or 0.0]))
    bound = Bound("memory", problem.nodes[node], at_most=limit)
    for kind in ("solve", "rank", "frontier"):
        query = Query(kind=kind, exits="free", bounds=(bound,), min_accuracy=floor, top=7)  # type: ignore[arg-type]
        fits = [each for each in decisions if needed(problem, each, node) <= limit * (1 + 1e-12)]
        prices = [(price(problem, each).latency_s, price(problem, each).accuracy or 0.0) for each in fits]
        held = sorted((cost, -right) for cost, right in prices if right >= floor - 1e-9)
        for name in EXACT:
            outcome = solved(problem, query, name)
            assert outcome.status == ("optimal" if held else "infeasible")
            assert all(needed(problem, each, node) <= limit * (1 + 1e-12) for each in outcome.decisions)
            found = [price(problem, each).latency_s for each in outcome.decisions]
            if kind == "frontier":
                wanted = [each for at, each in enumerate(held) if all(each[1] < other[1] for other in held[:at])]
                assert found == pytest.approx([cost for cost, _ in wanted])
            else:
                top = 7 if kind == "rank" else 1
                assert found == pytest.approx([cost for cost, _ in held[:top]])


@pytest.mark.parametrize(("seed", "problem"), PROBLEMS[:12], ids=[str(seed) for seed, _ in PROBLEMS[:12]])
def test_frontiers_over_three_measures_and_heuristics_keep_memory(seed: int, problem: Problem) -> None:
    decisions = every_decision(problem)
    node = seed % problem.node_count
    sizes = sorted({needed(problem, each, node) for each in decisions})
    bound = Bound("memory", problem.nodes[node], at_most=sizes[len(sizes) // 2])
    query = Query(kind="frontier", exits="free", over=("latency", "bytes", "accuracy"), bounds=(bound,))
    one, two = (solved(problem, query, name).decisions for name in ("labels", "exhaustive"))
    assert set(one) == set(two)
    for name in HEURISTICS:
        found = solved(problem, Query(exits="free", bounds=(bound,)), name, time_limit_s=0.5).decisions
        assert all(needed(problem, each, node) <= sizes[len(sizes) // 2] for each in found)


@pytest.mark.parametrize(("seed", "problem"), PROBLEMS[:12], ids=[str(seed) for seed, _ in PROBLEMS[:12]])
def test_memory_is_minimised_and_bounded_from_below_by_partition(seed: int, problem: Problem) -> None:
    node = seed % problem.node_count
    name = f"memory:{problem.nodes[node]}"
    decisions = every_decision(problem)
    right = max(price(problem, each).accuracy or 0.0 for each in decisions)
    wanted = min(needed(problem, each, node) for each in decisions if (price(problem, each).accuracy or 0.0) >= right)
    query = Query(exits="free", objective=name, min_accuracy=right)
    assert "once" in needs(make_task(make_space(problem, exits="free"), query))
    assert needed(problem, solved(problem, query, "exhaustive").decisions[0], node) == wanted
    most = max(needed(problem, each, node) for each in decisions)
    least = Query(kind="rank", top=3, exits="free", bounds=(Bound("memory", problem.nodes[node], at_least=most),))
    found = solved(problem, least, "exhaustive").decisions
    assert found
    assert all(needed(problem, each, node) >= most * (1 - 1e-9) for each in found)
