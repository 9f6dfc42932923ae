"""The p99 of a plan: by hand, against every path by itself, and in every solver that has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isclose, isfinite
from typing import Any

import numpy as np
import pytest
from support.made import both, exits_data, one, plan_of, problem_of, profile_data, topology_data
from support.reference import Choice, Reference
from support.seeded.choices import drawn_choices
from support.seeded.problems import random_case

import tiercut
from tiercut import QuestionError
from tiercut.optimizer.frontier import values_of
from tiercut.optimizer.measures.tails import quantile_of
from tiercut.optimizer.pricing import evaluate, path_seconds, price
from tiercut.optimizer.query import Bound, Query
from tiercut.optimizer.samples.exit_shares import shares_of
from tiercut.optimizer.space import make_space
from tiercut.profiling.profile.schema import Profile
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import find, needs
from tiercut.solvers.task import make_task
from tiercut.topologies.schema import Topology

CASE = ("iot", "resnet20-digits32")
FEW = 1500


class OnePath(Reference):
    """A problem in which everybody leaves at one exit of a choice."""

    def __init__(self, reference: Reference, block: int) -> None:
        super().__init__(reference.topology, reference.profile)
        self.block = block

    def stay(self, choice: Choice, block: int) -> float:
        return float(block < self.block)


def p99_of(reference: Reference, choice: Choice) -> float:
    """Return the 0.99 quantile of the latencies of all paths, each with the share of who takes it."""
    paths = []
    for before, block in zip((0, *choice.exits), choice.exits, strict=False):
        share = reference.stay(choice, before) - reference.stay(choice, block)
        paths.append((OnePath(reference, block).score(choice).latency, share))
    gone = 0.0
    for seconds, share in sorted(paths):
        gone += share
        if gone >= 0.99 - 1e-9:
            return seconds
    raise AssertionError(paths)


def test_pieces_count_whole_while_more_than_one_percent_get_there() -> None:
    topology = topology_data("a b", [both("a", "b", 1.0, 1e3)])
    rates = ([0.5, 0.48, 0.02], [0.5, 0.495, 0.005])
    sizes = [0.0, 1000.0, 2000.0, 0.0]
    problem = problem_of(topology, profile_data([1.0, 2.0, 4.0], sizes, exits=exits_data([0.5, 0.6, 0.9], *rates)))
    for threshold, wanted in ((0.1, 1 + 2 + 4 + 3 + 1.0), (0.2, 1 + 2.0)):
        plan = plan_of(problem, [2, 3], "a b", threshold=threshold)
        assert evaluate(problem, plan.decision, "p99") == wanted
    assert evaluate(problem, plan_of(problem, [3], "b").decision, "p99") == 1 + 7 + 1.0


def test_the_quantile_counts_shares_not_exits() -> None:
    assert quantile_of((1.0, 2.0, 3.0), (0.5, 0.01, 0.0), 0.99) == 2.0
    assert quantile_of((1.0, 2.0, 3.0), (0.5, 0.0101, 0.0), 0.99) == 3.0
    assert quantile_of((1.0, 5.0, 3.0), (0.5, 0.3, 0.0), 0.99) == 5.0
    assert quantile_of((4.0,), (0.0,), 0.99) == 4.0


@pytest.mark.parametrize("seed", range(150))
def test_the_sum_is_the_quantile_of_all_paths(seed: int) -> None:
    rng = np.random.default_rng([12, seed])
    case = random_case([12, seed])
    for choice in drawn_choices(case, rng):
        decision = case.decision(choice)
        got, wanted = evaluate(case.problem, decision, "p99"), p99_of(case.reference, choice)
        assert isclose(got, wanted, rel_tol=1e-9, abs_tol=1e-12)
        onward = shares_of(case.problem, decision).onward
        assert isclose(quantile_of(path_seconds(case.problem, decision), onward, 0.99), wanted, rel_tol=1e-9)


def triangle(*rates: float) -> tuple[Topology, Profile]:
    """Return three nodes on which nothing takes time to send, but a result from b takes 100 s: by c it is home at once.

    A sample that leaves on b takes 1 + 100 s; one that goes on to c takes 1 + 1 s. On a both blocks take 20 s.
    """
    links = [one("a", "b", 0.0, 1e6), one("b", "a", 100.0, 1e6), both("b", "c", 0.0, 1e6), one("c", "a", 0.0, 1e6)]
    profile = profile_data([1.0, 1.0], [0.0, 0.0, 0.0], exits=exits_data([0.5, 0.9], list(rates)))
    nodes = [{"name": "a", "slowdown": 10}, {"name": "b"}, {"name": "c"}]
    return Topology.from_data(topology_data(nodes, links)), Profile.from_data(profile)


@pytest.mark.parametrize(("rates", "wanted"), [((0.5, 0.5), 101.0), ((0.005, 0.995), 2.0), ((0.995, 0.005), 101.0)])
def test_where_later_exits_may_be_quicker_the_quantile_is_that_of_all_paths(
    rates: tuple[float, float], wanted: float
) -> None:
    problem = tiercut.problem(*triangle(*rates))
    assert evaluate(problem, plan_of(problem, [1, 2], "b c", threshold=0.1).decision, "p99") == wanted


def test_where_later_exits_may_be_quicker_a_solver_that_knows_all_paths_answers() -> None:
    """With two partitions, one on b: b then c takes 101 s at one of the exits, c then b 102 s, those with a 111 s."""
    rules: dict[str, Any] = {"include": ["b"], "partitions": 2, "min_accuracy": 0.6}
    answer = tiercut.rank(*triangle(0.5, 0.5), objective="p99", **rules)
    assert answer.outcome.solver == "exhaustive"
    assert [str(plan) for plan in answer] == ["b 1 → c 2", "c 1 → b 2", "a 1 → b 2", "b 1 → a 2"]
    assert answer.values(["p99"])[:, 0].tolist() == [101.0, 102.0, 111.0, 111.0]
    few = triangle(0.005, 0.995)
    assert [str(plan) for plan in tiercut.rank(*few, max_p99="3 s", **rules)] == ["b 1 → c 2"]
    assert "the least p99" in tiercut.solve(*few, max_p99="1 s", **rules).message
    for name in ("labels", "cp-sat"):
        with pytest.raises(QuestionError, match="may be done sooner"):
            tiercut.solve(*triangle(0.5, 0.5), objective="p99", solver=name)


@pytest.mark.parametrize("seed", range(60))
def test_exact_solvers_find_the_least_p99_and_keep_bounds_on_it(seed: int) -> None:
    case = random_case([13, seed], blocks=6, nodes=3)
    reference = case.reference
    if case.reference.exits is None or reference.decisions(case.exits, case.order) > FEW:
        return
    if not case.space.knows_accuracy:
        return
    choices = [each for each in reference.choices(case.exits, case.order) if reference.possible(each)]
    plans = [(p99_of(reference, each), reference.score(each)) for each in choices]
    plans = [(tail, score) for tail, score in plans if isfinite(tail)]
    if not plans:
        return
    rng = np.random.default_rng([13, seed])
    cap = plans[int(rng.integers(len(plans)))][0]
    floor = min(max(plans[int(rng.integers(len(plans)))][1].accuracy or 0.0, 0.0), 1.0)
    good = [tail for tail, score in plans if (score.accuracy or 0.0) >= floor - 1e-9]
    kept = [score.latency for tail, score in plans if tail <= cap + 1e-9]
    space = make_space(case.problem, exits=case.exits, order=case.order)
    for name in ("exhaustive", "labels", "cp-sat") if seed % 6 == 0 else ("exhaustive", "labels"):
        solver = find(name)
        least = Query(objective="p99", min_accuracy=floor)
        if not needs(make_task(space, least)) <= solver.features:
            continue
        (best,) = solver.solve(make_task(space, least), Options()).decisions
        assert isclose(evaluate(case.problem, best, "p99"), min(good), rel_tol=1e-9, abs_tol=1e-9)
        bounded = Query(bounds=(Bound("p99", at_most=cap),))
        if needs(make_task(space, bounded)) <= solver.features:
            (best,) = solver.solve(make_task(space, bounded), Options()).decisions
            assert isclose(price(case.problem, best).latency_s, min(kept), rel_tol=1e-9, abs_tol=1e-9)
            assert evaluate(case.problem, best, "p99") <= cap + 2e-9
    for query in (
        Query(kind="frontier", over=("p99", "bytes", "accuracy")),
        Query(kind="frontier", over=("bytes", "latency"), bounds=(Bound("p99", at_most=cap),)),
    ):
        points: list[tuple[float, ...]] = [(tail, score.bytes_sent, -(score.accuracy or 0.0)) for tail, score in plans]
        if "p99" not in query.over:
            points = [(score.bytes_sent, score.latency) for tail, score in plans if tail <= cap + 1e-9]
        for name in ("exhaustive", "labels"):
            solver = find(name)
            if not needs(make_task(space, query)) <= solver.features:
                continue
            found = values_of(
                case.problem,
                [price(case.problem, each) for each in solver.solve(make_task(space, query), Options()).decisions],
                query.compared,
            )
            if "p99" in query.over:
                found[:, -1] *= -1
            assert all(any(no_worse(one, point) for one in found) for point in points), name
            assert all(any(no_worse(point, one) for point in points) for one in found), name


def no_worse(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b or isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in zip(one, other, strict=True))


def test_a_frontier_over_p99_beats_every_other_plan() -> None:
    front = tiercut.frontier(*CASE, objective="p99")
    problem = front.space.problem
    points = np.array([(evaluate(problem, plan.decision, "p99"), plan.accuracy) for plan in front])
    assert np.all(np.diff(points, axis=0) > 0)
    for plan in tiercut.frontier(*CASE):
        value = evaluate(problem, plan.decision, "p99")
        assert points[points[:, 0] <= value + 1e-12, 1].max() >= (plan.accuracy or 0.0) - 1e-12


@pytest.mark.parametrize("how", [{}, {"estimator": "conditional"}, {"thresholds": "per-exit"}])
def test_a_frontier_over_p99_and_bytes_is_the_same_by_growing_and_by_trying(how: Any) -> None:
    asked = {"over": ("p99", "bytes", "accuracy"), "partitions": "1-2", "min_accuracy": 0.9, **how}
    fronts = {name: tiercut.frontier(*CASE, solver=name, **asked) for name in ("labels", "exhaustive")}
    assert len(fronts["labels"]) > 3
    assert list(fronts["labels"]) == list(fronts["exhaustive"])


@pytest.mark.parametrize("how", [{}, {"thresholds": "per-exit"}, {"exits": "free"}, {"evaluate": "replay"}])
def test_max_p99_is_a_bound_everywhere(how: Any) -> None:
    answer = tiercut.rank(*CASE, max_p99="45 ms", min_accuracy=0.9, partitions="1-2", top=10, **how)
    assert len(answer) == 10
    problem = answer.space.problem
    if "evaluate" in how:
        seen = tiercut.replay(*CASE, list(answer))
        assert all(each.quantile(0.99) <= 0.045 + 1e-9 for each in seen)
    else:
        assert all(evaluate(problem, plan.decision, "p99") <= 0.045 + 1e-9 for plan in answer)
    free = tiercut.rank(*CASE, min_accuracy=0.9, partitions="1-2", top=10, **how)
    assert free[0].latency_s <= answer[0].latency_s


def test_a_bound_that_nothing_keeps_names_the_nearest_value() -> None:
    with pytest.raises(tiercut.InfeasibleError, match=r"keeps p99 <= 1 ms; the least p99 is 32\.\d+ ms \(micro 1\)"):
        _ = tiercut.solve(*CASE, max_p99="1 ms").best


def test_an_explanation_has_the_p99_and_heuristics_say_that_they_do_not() -> None:
    plan = tiercut.plan(*CASE, partition=[5, 7, 9], placement=["micro", "local", "global"], threshold=0.45)
    explained = tiercut.explain(*CASE, plan)
    problem = tiercut.problem(*CASE)
    assert explained.p99_s == pytest.approx(evaluate(problem, plan.decision, "p99"), rel=1e-12)
    assert explained.to_data()["p99_s"] == explained.p99_s
    with pytest.raises(QuestionError, match="quantiles of the latency; these do: labels, exhaustive, cp-sat"):
        tiercut.solve(*CASE, objective="p99", solver="annealing")
    with pytest.raises(QuestionError, match="quantiles of the latency; these do: labels, exhaustive"):
        tiercut.frontier(*CASE, over=("p99", "bytes"), solver="nsga2")


def test_replay_lives_by_the_p99_of_its_samples() -> None:
    known = tiercut.problem(*CASE, estimator="replay")
    plans = list(tiercut.rank(*CASE, top=50, partitions=(3, None)))
    for plan, seen in zip(plans, tiercut.replay(*CASE, plans), strict=True):
        assert evaluate(replace(known), plan.decision, "p99") == pytest.approx(seen.quantile(0.99), rel=1e-12)
