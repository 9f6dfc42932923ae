"""Prices of plans where memory counts, held to pricing every plan."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isclose

import numpy as np
import pytest
from support.seeded.questions import random_question

from tiercut.optimizer import Decision, Measure, Space, evaluate_tables, memory_needed, price
from tiercut.solvers.interface import Options
from tiercut.solvers.joint.holding import Holding, held_bytes
from tiercut.solvers.registry import choose, find
from tiercut.solvers.task import Task, make_task


def asked(seed: int) -> Task | None:
    """Return the task of a random question for the least latency, mostly with a least accuracy."""
    question = random_question(seed)
    if question is None:
        return None
    space, query = question
    most = 2000
    if space.decisions > most:
        return None
    query = replace(query, kind="solve", objective="latency", bounds=(), max_latency_s=None)
    return make_task(space, query)


def assert_as_all(seed: int) -> int:
    """Check the cheapest plan at random prices of bytes, and return how often the labels were asked for it."""
    task = asked(seed)
    if task is None:
        return 0
    space, problem, rng, times = task.space, task.space.problem, np.random.default_rng([9, seed]), 0

    def ask(part: Space, tables: Measure, most: float) -> tuple[Decision | None, bool]:
        nonlocal times
        times += 1
        own = replace(
            task, space=part, measure=tables, costs=part.costs(tables), ties=part.costs(task.measure), cap=most
        )
        outcome = choose(own)[0].solve(own, Options(workers=1))
        return (outcome.decisions[0] if outcome.decisions else None), outcome.status in ("optimal", "infeasible")

    every = replace(task, kind="rank", top=space.decisions)
    all_plans = find("exhaustive").solve(every, Options()).decisions
    scale = min((price(problem, each).latency_s for each in all_plans), default=1.0)
    prices = rng.choice([0.0, 1e-6, 1e-5], problem.node_count) * scale * rng.uniform(0, 1, problem.node_count)
    sizes = problem.partition_bytes
    value, decision, proved = Holding(space, sizes).cheapest(space, task.measure, prices, 100.0 * scale, ask)
    costs = [
        evaluate_tables(problem, each, task.measure) + float(prices @ held_bytes(sizes, problem.node_count, each))
        for each in all_plans
    ]
    least = min(costs, default=inf)
    assert proved
    assert isclose(value, min(least, 100.0 * scale), rel_tol=1e-8), (seed, value, least)
    assert (decision is not None) == (least < 100.0 * scale)
    return times


@pytest.mark.parametrize("seed", range(60))
def test_no_plan_is_cheaper_with_what_it_holds(seed: int) -> None:
    assert_as_all(seed)


@pytest.mark.slow
def test_no_plan_is_cheaper_with_what_it_holds_in_2000_questions() -> None:
    times = [assert_as_all(seed) for seed in range(60, 2060)]
    assert max(times) > 3  # some needed parts of parts


def test_what_a_plan_holds_is_what_its_partitions_need() -> None:
    task = asked(5) or asked(6)
    assert task is not None
    problem = task.space.problem
    (decision, *_) = find("exhaustive").solve(task, Options()).decisions
    held = held_bytes(problem.partition_bytes, problem.node_count, decision)
    assert sum(memory_needed(problem, decision)) == held.sum()
