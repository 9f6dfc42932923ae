"""What a solver is to the rest of the package: what it says of itself, what it may import, how its threads end."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.checkout import ROOT
from support.made import grown_problem

from tiercut.errors import QuestionError
from tiercut.optimizer.pricing import price
from tiercut.optimizer.query import Bound, Query
from tiercut.optimizer.space import make_space
from tiercut.solvers import registry, task as compiler
from tiercut.solvers.heuristics.random_search import RandomSearch
from tiercut.solvers.interface import Options
from tiercut.solvers.parallel import Ending, share_out
from tiercut.solvers.registry import FEATURES, SOLVERS, choose, find, needs
from tiercut.solvers.task import Task, make_task

MODULES = sorted(path for path in (ROOT / "solvers").rglob("*.py") if path.name != "__init__.py")

COMPILE = {"task.py", "warm_up.py"}
"""The modules that make tasks of questions."""

FOREIGN = ("tiercut.optimizer.query", "tiercut.optimizer.questions", "tiercut.topologies", "tiercut.units")
PEOPLE = ("tiercut.documents", "tiercut.profiling", "tiercut.optimizer.build")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def a_task() -> Task:
    return make_task(make_space(grown_problem(4, 3, 2)), Query())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_solver_knows_neither_questions_nor_topologies_nor_units(path: Path) -> None:
    compiles = path.name in COMPILE
    banned = PEOPLE if compiles else (*FOREIGN, *PEOPLE)
    assert not [name for name in imported(path) if name.startswith(banned)]
    # Tables are made of the name of a measure only where tasks are made.
    tables = {name for name in imported(path) if name.startswith("tiercut.optimizer.measures.")}
    assert compiles or not [name for name in tables if name.endswith(".measure")]


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_names_features_that_there_are(name: str) -> None:
    assert SOLVERS[name].features <= FEATURES.keys()


def test_a_new_feature_is_supported_by_no_solver_until_one_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    task, before = a_task(), registry._needs
    monkeypatch.setattr(registry, "FEATURES", {**FEATURES, "moons": "plans for moons"})
    monkeypatch.setattr(registry, "_needs", lambda task: {*before(task), "moons"})
    for name, solver in SOLVERS.items():
        with pytest.raises(QuestionError) as raised:
            solver.solve(task, Options())
        assert str(raised.value) == f"solver '{name}' does not answer plans for moons; these do: none"
    with pytest.raises(QuestionError, match="no solver answers plans for moons"):
        choose(task)


def test_the_registry_imports_no_solver_and_solvers_import_no_extra() -> None:
    program = """
import sys
from tiercut.solvers.registry import SOLVERS
assert list(SOLVERS)[:2] == ["labels", "exhaustive"] and "nsga2" in SOLVERS and len(SOLVERS) == 6
solvers = ("labels", "exhaustive", "cp_sat", "heuristics")
assert not [name for name in sys.modules if name.startswith(tuple(f"tiercut.solvers.{each}" for each in solvers))]
assert "numpy" not in sys.modules
assert all(solver.about for solver in SOLVERS.values())
assert not {"ortools", "pymoo", "matplotlib"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_auto_never_takes_the_baseline() -> None:
    space = make_space(grown_problem(30, 70, 3))
    for query in (Query(), Query(kind="frontier"), Query(bounds=(Bound("bytes", at_most=1e5),))):
        assert choose(make_task(space, query))[0].name != "random"


def test_more_draws_find_a_plan_that_is_no_worse_until_the_time_is_up() -> None:
    task = make_task(make_space(grown_problem(40, 5, 10)), Query(min_accuracy=0.5))
    few, many = (RandomSearch(draws).solve(task, Options()) for draws in (100, 20_000))
    assert (few.status, few.exact, few.scored, many.scored) == ("feasible", False, 100, 20_000)
    first, second = (price(task.space.problem, each.decisions[0]).latency_s for each in (few, many))
    assert second <= first
    late = RandomSearch(10**9).solve(task, Options(time_limit_s=0.05))
    assert late.decisions
    assert (late.status, late.reason) == ("feasible", "stopped before the end")


def test_a_task_holds_what_decides_among_equals_once() -> None:
    space = make_space(grown_problem(4, 3, 2))
    free, bounded = (make_task(space, Query(objective="bytes", max_latency_s=cap)) for cap in (None, 1.0))
    assert free.ties is not None
    assert not free.bounds_ties
    assert bounded.bounds_ties
    assert bounded.ties is bounded.constraints[0].costs
    assert make_task(space, Query(max_latency_s=1.0)).ties is None


def test_a_frontier_over_several_measures_needs_one_feature_more_and_may_bound_them_all() -> None:
    space = make_space(grown_problem(4, 3, 2))
    bounds = (Bound("blocks", "n1", at_most=2),)
    one, several = (Query(kind="frontier", bounds=bounds, over=over) for over in ((), ("latency", "bytes", "accuracy")))
    assert needs(make_task(space, one)) == {"frontier", "constraints"}
    assert needs(make_task(space, several)) == {"frontier", "many"}


@pytest.mark.parametrize("threads", [1, 3])
def test_parts_of_the_work_are_done_once_whatever_the_threads(threads: int) -> None:
    stops = [np.zeros(1, np.int64) for _ in range(threads)]
    kept: list[list[int]] = [[] for _ in range(threads)]

    def work(part: int, mine: list[int]) -> None:
        mine.append(part)

    ending = share_out(range(50), work, kept, stops, Options(), lambda: (0, 50), small=threads == 1)
    assert ending == Ending.DONE
    assert sorted(part for each in kept for part in each) == list(range(50))


def test_work_that_is_stopped_is_not_said_to_be_done() -> None:
    stop = np.zeros(1, np.int64)

    def work(_: int, stop: NDArray[np.int64]) -> None:
        stop[0] = 1

    assert share_out(range(2), work, [stop], [stop], Options(), lambda: (0, 2), small=True) == Ending.STOPPED


def test_an_error_in_a_thread_is_raised() -> None:
    def work(part: int, _: int) -> None:
        raise ValueError(f"part {part}")

    with pytest.raises(ValueError, match="part 0"):
        share_out([0], work, [0], [np.zeros(1, np.int64)], Options(), lambda: (0, 1), small=False)


def test_the_task_of_a_solver_is_compiled_before_its_clock_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A measure that looks up routes takes long; nothing of it belongs to the seconds of an answer."""
    task = make_task(make_space(grown_problem(4, 3, 2)), Query(objective="bytes"))
    for solver in map(find, ("labels", "exhaustive", "annealing", "random")):
        solver.solve(task, Options())

    def fail(*_: object) -> None:
        raise AssertionError("a solver made tables of a measure")

    own = compiler.measure
    ours = [module for name, module in sys.modules.items() if name.startswith("tiercut.")]
    for module in ours:
        if vars(module).get("measure") is own:
            monkeypatch.setattr(module, "measure", fail)
    for solver in map(find, ("labels", "exhaustive", "cp-sat", "annealing", "random")):
        assert solver.solve(task, Options()).decisions
