"""Times near the ends of what a number holds: every solver answers as for any other times, or they are named."""

from __future__ import annotations

from typing import Any

import pytest
from support.made import both, exits_data, grown_problem, problem_of, profile_data, topology_data, with_times

from tiercut.errors import QuestionError
from tiercut.optimizer.placement import narrow
from tiercut.optimizer.query import Query
from tiercut.optimizer.space import Space, make_space
from tiercut.solvers.interface import Options
from tiercut.solvers.labels.front import PointLabels
from tiercut.solvers.registry import SOLVERS, find
from tiercut.solvers.task import make_task

LATENCIES = (1e-323, 1e-300, 1.0, 1e300)
QUESTIONS = {
    "solve": Query(min_accuracy=0.7),
    "capped": Query(objective="accuracy", max_latency_s=1e300),
    "rank": Query(kind="rank", top=3, min_accuracy=0.7),
    "frontier": Query(kind="frontier"),
}


def space_of(seconds: float) -> Space:
    """Return a network whose first block takes so many seconds, on three nodes."""
    rates = [0.1, 0.2, 0.3, 1.0], [0.4, 0.5, 0.6, 1.0]
    more: dict[str, Any] = {"exits": exits_data([0.5, 0.6, 0.7, 0.9], *rates, alone=True)}
    profile = profile_data([seconds * share for share in (1.0, 2.0, 3.0, 4.0)], [1000.0, *[500.0] * 4], **more)
    nodes = [{"name": "a", "slowdown": 10}, {"name": "b"}, {"name": "c", "slowdown": 3}]
    return make_space(
        problem_of(topology_data(nodes, [both("a", "b", 0.001, 1e5), both("b", "c", 0.001, 1e5)]), profile)
    )


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("seconds", LATENCIES)
@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "exhaustive"])
def test_every_solver_finds_the_plans_of_trying_everything(solver: str, seconds: float, question: str) -> None:
    query = QUESTIONS[question]
    space = narrow(space_of(seconds), query)
    task = make_task(space, query)
    wanted = find("exhaustive").solve(task, Options(workers=1))
    found = find(solver).solve(task, Options(workers=1, time_limit_s=5))
    assert found.decisions == wanted.decisions


@pytest.mark.parametrize("third", ["bytes", "compute:n1"])
@pytest.mark.parametrize("seconds", [1e-323, 1e-310, 1e-300, 1.0, 1e99, 1e300])
def test_zones_between_plans_of_three_measures_lose_none(seconds: float, third: str) -> None:
    space = make_space(with_times(grown_problem(6, 3, 3), lambda times: times * seconds))
    task = make_task(space, Query(kind="frontier", over=("latency", "accuracy", third)))
    assert task.goals is not None
    wanted = find("exhaustive").solve(task, Options(workers=1))
    found = PointLabels(task, task.goals, few=0).found(Options(workers=1))
    assert found.decisions == wanted.decisions
    assert len(found.decisions) >= 6


def test_times_that_add_up_to_no_number_are_named() -> None:
    with pytest.raises(QuestionError, match=r"on node 'a' add up to more than a number can hold .* slowdown \(10\)"):
        space_of(1e307)
