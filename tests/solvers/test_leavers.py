"""Accuracies given the exit before: the second scorer's, and that every solver finds the best plans by them."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import isclose

import numpy as np
import pytest
from support.reference import Reference, Score, within
from support.replayed import random_samples
from support.seeded.problems import Case, random_case

from tiercut import Profile
from tiercut.optimizer.frontier import front_of
from tiercut.optimizer.pricing import price
from tiercut.optimizer.query import Query
from tiercut.optimizer.samples.estimators import with_estimator, with_nested_hits
from tiercut.optimizer.space import Space, make_space
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import SOLVERS, find, needs
from tiercut.solvers.task import make_task

FEW = 1200
CASES = 24
GIVEN = ["conditional", "nested"]


def known_case(seed: int, estimator: str, *, per_exit: bool) -> tuple[Case, Reference, Space] | None:
    """Return a random problem whose accuracies are given the exit before, both ways; None for one without exits.

    Exit rates alone rise and fall with depth and threshold at random, and hits with them: no law holds between them.
    """
    case = random_case([13, seed], blocks=5, nodes=3, plain=seed % 3 == 0)
    if case.reference.exits is None or case.exits == "final":
        return None
    rng = np.random.default_rng([13, seed])
    samples = random_samples(rng, 40, case.reference.blocks)
    exits = dict(case.profile["exits"])
    there = [each is not None for each in exits["accuracy"]]
    shape = (len(exits["thresholds"]), len(there))
    if "exit_rate_alone" not in exits:
        exits["exit_rate_alone"] = (rng.integers(0, 9, shape) / 8 * there).tolist()
    exits["hit_rate_alone"] = (np.array(exits["exit_rate_alone"]) * rng.integers(0, 9, shape) / 8).tolist()
    case = replace(case, profile={**case.profile, "exits": exits})
    rows = list(zip(samples.entropy.tolist(), samples.correct.tolist(), strict=True))
    reference = Reference(case.topology, case.profile, estimator, rows)
    if reference.decisions(case.exits, case.order) * (shape[0] ** 2 if per_exit else 1) > FEW:
        return None
    known = with_estimator(case.problem, "conditional", samples)
    if estimator == "nested":
        known = with_nested_hits(case.problem, Profile.from_data(case.profile).exits)
    return case, reference, make_space(known, exits=case.exits, order=case.order, per_exit=per_exit)


def every_score(case: Case, reference: Reference, *, per_exit: bool) -> list[Score]:
    choices = reference.choices(case.exits, case.order, per_exit=per_exit)
    return [reference.score(choice) for choice in choices if reference.possible(choice)]


@pytest.mark.parametrize("per_exit", [False, True])
@pytest.mark.parametrize("estimator", GIVEN)
def test_plans_are_priced_as_the_second_scorer_prices_them(estimator: str, per_exit: bool) -> None:
    tried = 0
    for seed in range(4 * CASES):
        drawn = known_case(seed, estimator, per_exit=per_exit)
        if drawn is None:
            continue
        case, reference, space = drawn
        for score in every_score(case, reference, per_exit=per_exit)[:300]:
            plan = price(space.problem, case.decision(score.choice))
            assert isclose(plan.latency_s, score.latency, rel_tol=1e-12, abs_tol=1e-12)
            assert plan.accuracy == pytest.approx(score.accuracy, abs=1e-12)
            tried += 1
    assert tried > 1000


@pytest.mark.parametrize("per_exit", [False, True])
@pytest.mark.parametrize("estimator", GIVEN)
@pytest.mark.parametrize("seed", range(CASES))
def test_exact_solvers_find_what_trying_every_plan_finds(seed: int, estimator: str, per_exit: bool) -> None:
    drawn = known_case(seed, estimator, per_exit=per_exit)
    if drawn is None:
        return
    case, reference, space = drawn
    scores = every_score(case, reference, per_exit=per_exit)
    rng = np.random.default_rng([14, seed])
    floor = None if not scores else min(scores[int(rng.integers(len(scores)))].accuracy or 0.0, 1.0)
    front = reference.frontier(scores, "latency")
    good = sorted(score.latency for score in within(scores, floor, None))
    for name in [name for name, solver in SOLVERS.items() if solver.exact]:
        assert {"leavers", "per-exit"} <= find(name).features
        found = answer(name, space, Query(kind="frontier"))
        assert len(found) == len(front), name
        wanted = np.array([(score.latency, score.accuracy) for score in front]).reshape(-1, 2)
        np.testing.assert_allclose(np.array(found).reshape(-1, 2), wanted, rtol=1e-9, atol=1e-12, err_msg=name)
        ranked = answer(name, space, Query(kind="rank", top=3, min_accuracy=floor))
        np.testing.assert_allclose([latency for latency, _ in ranked], good[:3], rtol=1e-12, err_msg=name)
        best = answer(name, space, Query(objective="accuracy"))
        assert best[0][1] == pytest.approx(max(score.accuracy or 0.0 for score in scores), abs=1e-12)


def answer(solver: str, space: Space, query: Query) -> list[tuple[float, float]]:
    """Return latency and accuracy of the plans that a solver finds."""
    found = find(solver).solve(make_task(space, query), Options(workers=1)).decisions
    plans = [price(space.problem, decision) for decision in found]
    return [(plan.latency_s, plan.accuracy or 0.0) for plan in plans]


@pytest.mark.parametrize("estimator", GIVEN)
def test_heuristics_find_plans_by_them_that_are_what_they_say(estimator: str) -> None:
    for seed, per_exit in product(range(12), (False, True)):
        drawn = known_case(seed, estimator, per_exit=per_exit)
        if drawn is None:
            continue
        case, reference, space = drawn
        scores = {score.choice: score for score in every_score(case, reference, per_exit=per_exit)}
        best = max(score.accuracy or 0.0 for score in scores.values())
        for name in [name for name, solver in SOLVERS.items() if not solver.exact]:
            found = find(name).solve(make_task(space, Query(kind="frontier")), Options(workers=1)).decisions
            assert all(case.choice(each) in scores for each in found)
            reached = max(price(space.problem, each).accuracy or 0.0 for each in found)
            assert name == "nsga2" or reached == pytest.approx(best, abs=1e-9), (
                "with so few plans chance finds the best"
            )


@pytest.mark.parametrize("estimator", GIVEN)
@pytest.mark.parametrize("seed", range(CASES))
def test_frontiers_over_several_measures_take_them(seed: int, estimator: str) -> None:
    drawn = known_case(seed, estimator, per_exit=seed % 4 == 0)
    if drawn is None:
        return
    case, reference, space = drawn
    query = Query(kind="frontier", over=("latency", "bytes", "accuracy"))
    points = [
        (score.latency, score.bytes_sent, -(score.accuracy or 0.0))
        for score in every_score(case, reference, per_exit=seed % 4 == 0)
    ]
    for name in ("exhaustive", "labels", "nsga2"):
        task = make_task(space, query)
        assert needs(task) <= find(name).features
        found = [
            (plan.latency_s, plan.bytes_sent, -(plan.accuracy or 0.0))
            for plan in (price(space.problem, each) for each in find(name).solve(task, Options(workers=1)).decisions)
        ]
        assert all(any(near(one, other) for other in points) for one in found), name
        if find(name).exact:
            assert all(any(covers(one, other) for one in found) for other in points), name


@pytest.mark.parametrize("seed", range(CASES))
def test_frontiers_over_several_measures_may_be_those_of_the_samples(seed: int) -> None:
    drawn = known_case(seed, "nested", per_exit=False)
    if drawn is None:
        return
    case, reference, _ = drawn
    samples = random_samples(np.random.default_rng([13, seed]), 40, case.reference.blocks)
    seen = make_space(with_estimator(case.problem, "replay", samples), exits=case.exits, order=case.order)
    choices = [each for each in reference.choices(case.exits, case.order) if reference.possible(each)]
    every = [price(seen.problem, case.decision(each)) for each in choices]
    query = Query(kind="frontier", over=("bytes", "latency", "accuracy"))
    wanted = front_of(seen.problem, query, every)
    found = find("exhaustive").solve(make_task(seen, query), Options(workers=1)).decisions
    assert [each.indices for each in wanted] == list(found)


def near(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in zip(one, other, strict=True))


def covers(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a <= b or isclose(a, b, rel_tol=1e-9, abs_tol=3e-12) for a, b in zip(one, other, strict=True))
