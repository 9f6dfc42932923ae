"""The solvers that prove nothing: what they answer holds, comes back by seed, and is nearly as good as the best."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise

import pytest

import tiercut
from tiercut import Answer, Options, Query
from tiercut.optimizer.pricing import price
from tiercut.optimizer.query import Bound
from tiercut.solvers.registry import SOLVERS

HEURISTICS = [solver.name for solver in SOLVERS.values() if not solver.exact]
RECORDED = ("iot", "resnet20-digits32")


@pytest.fixture(params=HEURISTICS)
def heuristic(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(query: Query, solver: str, **options: object) -> Answer:
    return tiercut.ask(*RECORDED, query, solver=solver, options=Options(**options))  # type: ignore[arg-type]


def hypervolume(answer: Answer, worst: float) -> float:
    """Return the area of latency and accuracy that a frontier beats, up to the latency `worst`."""
    area, right = 0.0, 0.0
    for plan in answer:
        assert plan.accuracy is not None
        area += max(worst - plan.latency_s, 0.0) * (plan.accuracy - right)
        right = plan.accuracy
    return area


def test_a_heuristic_frontier_covers_nearly_what_the_exact_one_does(heuristic: str) -> None:
    exact = ask(Query(kind="frontier"), "labels")
    found = ask(Query(kind="frontier"), heuristic)
    worst = exact[-1].latency_s * 1.01
    assert 0.99 <= hypervolume(found, worst) / hypervolume(exact, worst) <= 1 + 1e-9


def test_the_plans_of_a_heuristic_frontier_beat_each_other_nowhere_and_are_priced_right(heuristic: str) -> None:
    found = ask(Query(kind="frontier"), heuristic)
    for before, after in pairwise(found):
        assert after.latency_s > before.latency_s
        assert (after.accuracy or 0) > (before.accuracy or 0)
    for plan in found:
        assert price(found.space.problem, plan.decision) == plan
    assert found.outcome.status == "feasible"


@pytest.mark.parametrize(
    "query",
    [
        Query(min_accuracy=0.95),
        Query(objective="accuracy", max_latency_s=0.04),
        Query(kind="rank", min_accuracy=0.9, exits="free"),
        Query(min_accuracy=0.95, per_exit=True),
        Query(min_accuracy=0.9, include=("local",), keep_first=0),
        Query(min_accuracy=0.9, bounds=(Bound("bytes", at_most=20000.0),)),
    ],
)
def test_every_bound_and_rule_of_a_question_is_held(heuristic: str, query: Query) -> None:
    found = ask(query, heuristic, time_limit_s=2.0)
    assert len(found) > 0
    assert len({plan.decision for plan in found}) == len(found)
    for plan in found:
        assert query.min_accuracy is None or (plan.accuracy or 0) >= query.min_accuracy - 1e-9
        assert query.max_latency_s is None or plan.latency_s <= query.max_latency_s + 1e-9
        assert set(query.include) <= set(plan.placement)
        assert not query.bounds or plan.bytes_sent <= 20000.0 * (1 + 1e-9)


def test_the_same_seed_gives_the_same_plans_in_another_process(heuristic: str) -> None:
    code = (
        "import tiercut; a = tiercut.ask('iot', 'resnet20-digits32', tiercut.Query(kind='frontier'), "
        f"solver='{heuristic}', options=tiercut.Options(seed=3, workers=1)); print([str(p) for p in a])"
    )
    here = ask(Query(kind="frontier"), heuristic, seed=3, workers=1)
    there = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert there.strip() == str([str(plan) for plan in here])


def test_a_time_limit_ends_the_search_with_what_was_found(heuristic: str) -> None:
    ask(Query(), heuristic, time_limit_s=0.1)
    began = time.perf_counter()
    found = ask(Query(kind="frontier"), heuristic, time_limit_s=0.3)
    assert len(found) > 0
    assert time.perf_counter() - began < 20  # a loaded machine; without the limit it is a fixed amount of work
    assert found.outcome.reason


def test_progress_is_told_while_it_works(heuristic: str) -> None:
    told: list[tuple[int, int]] = []
    ask(Query(kind="frontier"), heuristic, progress=lambda done, total: told.append((done, total)))
    assert told
    assert all(done <= total for done, total in told)
