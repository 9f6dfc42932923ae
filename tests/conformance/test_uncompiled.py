"""The first question ever: NumPy scores every decision while nothing is compiled, and to the same last bit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from support.proof import problem
from support.questions import questions
from support.seeded.questions import random_question

import tiercut
from tiercut.optimizer import Query
from tiercut.solvers import registry
from tiercut.solvers.base import Found
from tiercut.solvers.exhaustive import uncompiled
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import find
from tiercut.solvers.task import Task, make_task
from tiercut.stages import Stage, listening

SEEDS = range(40)


@pytest.fixture
def nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it look as if no kernel had been compiled, nor a question been asked."""
    monkeypatch.setattr(registry, "MOST_UNCOMPILED", 1_000_000)
    monkeypatch.setattr("tiercut.kernel_cache.is_ready", lambda kernel: False)
    monkeypatch.setattr(uncompiled, "_SPENT", [0])


def _tasks(seed: int) -> list[Task]:
    asked = [random_question(seed)]
    _, case = problem(seed)
    if case is not None:
        drawn = questions(case, np.random.default_rng([12, seed]), ("latency", "accuracy", "bytes"))
        asked += [(case.space, each.query) for each in drawn]
    return [make_task(*each) for each in asked if each is not None]


@pytest.mark.parametrize("seed", SEEDS)
def test_numpy_finds_what_kernels_find_whatever_is_asked(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = _tasks(seed)
    wanted = [find("exhaustive").solve(task, Options(workers=1)) for task in tasks]
    monkeypatch.setattr(registry, "MOST_UNCOMPILED", 1_000_000)
    monkeypatch.setattr(uncompiled, "_SPENT", [0])
    simple = [task for task in tasks if uncompiled.is_simple(task)]
    found = [uncompiled.score_all(task) for task in simple]
    held = [each for each, task in zip(wanted, tasks, strict=True) if task in simple]
    assert [(each.decisions, each.scored) for each in found] == [(each.decisions, each.scored) for each in held]


@pytest.mark.usefixtures("nothing_compiled")
def test_the_first_question_ever_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = tiercut.ask("mobile", "resnet20-digits32", Query(kind="frontier"), solver="labels")
    for name in ("tiercut.solvers.labels.solver._load_kernels", "tiercut.solvers.exhaustive.solver._load_kernels"):
        monkeypatch.setattr(name, None)
    answer = tiercut.ask("mobile", "resnet20-digits32", Query(kind="frontier"))
    assert answer.plans == wanted.plans
    assert answer.outcome.solver == "exhaustive"
    assert answer.outcome.status == "optimal"


@pytest.mark.usefixtures("nothing_compiled")
def test_who_asks_again_and_again_gets_solvers_that_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MOST_UNCOMPILED", 400_000)
    solvers = [tiercut.ask("mobile", "resnet20-digits32", Query()).outcome.solver for _ in range(4)]
    assert solvers == ["exhaustive", "exhaustive", "labels", "labels"]


def _task() -> Task:
    return make_task(tiercut.ask("mobile", "resnet20-digits32", Query(), solver="labels").space, Query())


@pytest.mark.usefixtures("nothing_compiled")
def test_threads_together_leave_no_more_to_numpy_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MOST_UNCOMPILED", 400_000)
    task, begun = _task(), Barrier(2)
    monkeypatch.setattr(uncompiled, "_SPENT", [0])

    def wait_for_another(_: Task) -> Found:
        begun.wait(60)
        return Found(decisions=(), reason="as this is a test", scored=task.space.decisions)

    monkeypatch.setattr("tiercut.solvers.exhaustive.solver.score_all", wait_for_another)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: find("exhaustive").solve(task, Options(workers=1)), range(6)))
    assert sorted(each.status for each in found) == ["feasible"] * 2 + ["optimal"] * 4
    assert [2 * task.space.decisions] == uncompiled._SPENT


@pytest.mark.usefixtures("nothing_compiled")
def test_numpy_ends_what_it_was_to_do_whatever_other_threads_do_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    task = _task()
    for name in ("_load_kernels", "_found"):
        monkeypatch.setattr(f"tiercut.solvers.exhaustive.solver.{name}", None)

    def another(_: Stage | None) -> None:
        uncompiled._SPENT[0] = 10**9

    with listening(another):
        assert find("exhaustive").solve(task, Options()).status == "optimal"


@pytest.mark.usefixtures("nothing_compiled")
def test_a_search_that_prices_many_plans_is_left_to_kernels_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    task = _task()
    assert uncompiled.is_simple(task)
    monkeypatch.setattr("tiercut.solvers.exhaustive.solver.score_all", None)
    assert tiercut.solve_sources("factory", joint="served", workers=1).status == "optimal"
    assert not uncompiled.is_simple(task)


@pytest.mark.usefixtures("nothing_compiled")
def test_who_asks_why_is_not_left_to_score_everything_once_kernels_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MOST_UNCOMPILED", 400_000)
    monkeypatch.setattr("tiercut.solvers.exhaustive.solver._found", None)  # kernels that score every decision
    reasons = tiercut.why("mobile", "resnet20-digits32", min_accuracy=0.9)
    assert str(reasons.plan) == "phone 1-4"
    assert uncompiled._SPENT[0] > 300_000


@pytest.mark.usefixtures("nothing_compiled")
def test_what_is_too_large_for_numpy_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MOST_UNCOMPILED", 1_000)
    assert tiercut.ask("mobile", "resnet20-digits32", Query()).outcome.solver == "labels"


@pytest.mark.usefixtures("nothing_compiled")
def test_a_ranking_that_numpy_would_not_end_is_not_begun_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MOST_UNCOMPILED", 400_000)
    assert tiercut.ask("mobile", "resnet20-digits32", Query(kind="rank", top=5)).outcome.solver == "labels"
    monkeypatch.setattr(registry, "MOST_UNCOMPILED", 600_000)
    assert tiercut.ask("mobile", "resnet20-digits32", Query(kind="rank", top=5)).outcome.solver == "exhaustive"


@pytest.mark.usefixtures("nothing_compiled")
def test_a_time_limit_holds_before_anything_is_compiled() -> None:
    answer = tiercut.ask("mobile", "resnet20-digits32", Query(), options=Options(time_limit_s=1e-9))
    assert answer.outcome.status in {"feasible", "stopped"}
    assert answer.outcome.solver == "exhaustive"
