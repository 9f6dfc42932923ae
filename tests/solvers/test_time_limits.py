"""One clock for routes, tables, states and search; and a plan at once."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import cache
from typing import Any

import numpy as np
import pytest
from support.checkout import ROOT
from support.made import both, grown_problem, problem_of, profile_data, topology_data

import tiercut
from tiercut.clock import cut_short, paused, seconds_left, time_limit
from tiercut.optimizer.placement import narrow
from tiercut.optimizer.query import Query
from tiercut.optimizer.space import Space, make_space
from tiercut.solvers.base import Found
from tiercut.solvers.cp_sat.solver import CpSat
from tiercut.solvers.first_plan import first_plan
from tiercut.solvers.interface import Options
from tiercut.solvers.labels.front import PointLabels
from tiercut.solvers.labels.solver import _Search, load_lines
from tiercut.solvers.registry import find
from tiercut.solvers.states import states_of
from tiercut.solvers.task import bounded_goals, make_task
from tiercut.stages import listening, stage
from tiercut.topologies import Topology, transfer_seconds


def star(count: int) -> Topology:
    nodes = [{"name": f"n{v}"} for v in range(count)]
    return Topology.from_data(topology_data(nodes, [both("n0", f"n{v}", 1, 1) for v in range(1, count)]))


def test_an_inner_limit_ends_with_the_outer_one_and_loading_does_not_count() -> None:
    assert seconds_left() == np.inf
    with time_limit(100) as outer, time_limit(1000) as inner:
        assert seconds_left() <= 100
        before = outer.deadline
        with paused():
            assert seconds_left() == np.inf
            time.sleep(0.01)
        assert outer.deadline >= before + 0.01
        cut_short("the rest")
        assert outer.cut == inner.cut == ["the rest"]
    with time_limit(0):
        assert seconds_left() == 0


def test_without_time_the_routes_from_the_source_are_known_before_any_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiercut.topologies.routes.time.perf_counter", iter(range(100)).__next__)
    monkeypatch.setattr("tiercut.topologies.routes.seconds_left", lambda: 10.0)
    with time_limit(10) as clock:
        table = transfer_seconds(star(5), [1.0])[0]
    assert np.isfinite(table[0]).all()
    assert not np.isfinite(table[1:]).any()
    assert clock.cut == ["routes from some of the nodes"]


def test_what_rests_on_some_of_the_routes_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_: object) -> float:
        cut_short("routes from some of the nodes")
        return np.inf

    whole = tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.8)
    monkeypatch.setattr("tiercut.topologies.routes.seconds_left", cut)
    answer = tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.8)
    assert answer.best == whole.best
    assert answer.outcome.status == "feasible"
    assert "too short for routes" in answer.outcome.reason
    none = tiercut.solve("mobile", "resnet20-digits32", max_latency="1 us")
    assert none.outcome.status == "stopped"
    with pytest.raises(tiercut.StoppedError, match="too short for routes"):
        _ = none.best


def reached_by_steps(space: Space) -> set[tuple[int, int]]:
    """The states, written from the definition."""
    found, waiting = {(0, 0)}, [(0, 0)]
    while waiting:
        begin, level = waiting.pop()
        for end in range(begin, space.problem.block_count):
            for after in space.jump[level, end]:
                if after >= 0 and (end + 1, int(after)) not in found:
                    found.add((end + 1, int(after)))
                    waiting.append((end + 1, int(after)))
    return found


@pytest.mark.parametrize("exits", ["cuts", "final", "free"])
def test_states_are_those_that_steps_lead_to(exits: str) -> None:
    space = make_space(grown_problem(9, 3, 2), exits=exits)  # type: ignore[arg-type]
    states = states_of(space)
    pairs = list(zip(states.begins.tolist(), states.levels.tolist(), strict=True))
    assert pairs == sorted(reached_by_steps(space))


@pytest.mark.parametrize(
    "query", [Query(), Query(min_accuracy=0.5), Query(objective="accuracy"), Query(max_latency_s=4.0)]
)
def test_the_first_plan_is_the_best_of_those_with_one_partition(query: Query) -> None:
    space = make_space(grown_problem(5, 3, 2))
    task = make_task(space, query)
    wanted = find("exhaustive").solve(make_task(narrow(space, Query(most_partitions=1)), query), Options()).decisions
    assert [each.partition + each.placement for each in first_plan(task)] == [
        each.partition + each.placement for each in wanted
    ]


def test_no_first_plan_breaks_a_rule() -> None:
    space = make_space(
        problem_of(
            topology_data([{"name": "a"}, {"name": "b"}], [both("a", "b", 1, 1)]), profile_data([1.0] * 2, [0.0] * 3)
        )
    )
    assert first_plan(make_task(space, Query(max_latency_s=0.5))) == ()
    assert first_plan(make_task(narrow(space, Query(fewest_partitions=2)), Query())) == ()
    (plan,) = first_plan(make_task(narrow(space, Query(exclude=("a",))), Query()))
    assert plan.placement == (1,)


def test_bounds_of_labels_end_before_they_write_their_tables_where_time_is_up() -> None:
    """A thousand blocks with exits anywhere have tables of a gigabyte, which take seconds to write."""
    task = make_task(make_space(grown_problem(9, 3, 2), exits="free"), Query())
    search = _Search(task)
    thread = search._thread()
    assert len(search._bounds(0, search.grains[0], thread).budgets.rows) > 100
    thread.stop[0] = 1
    assert len(search._bounds(0, search.grains[0], thread).budgets.rows) == 2
    search._grow(0, thread)
    assert search.found.count == 0


def test_labels_in_several_measures_end_before_they_write_their_tables_where_time_is_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    query = Query(kind="frontier", over=("latency", "accuracy", "bytes"))
    task = make_task(make_space(grown_problem(9, 3, 2), exits="free"), query)
    assert task.goals is not None
    find("labels").solve(task, Options())  # kernels are compiled before numpy is changed
    search = PointLabels(task, task.goals)
    tables: list[Any] = []

    def sevens(shape: tuple[int, ...]) -> Any:
        tables.append(np.full(shape, 7.0))
        return tables[-1]

    monkeypatch.setattr("tiercut.solvers.labels.front.np.empty", sevens)
    search.search(0, np.ones(2, np.int64))
    large = [table for table in tables if table.ndim == 3]
    assert len(large) == 2
    assert all((table == 7.0).all() for table in large)


def test_labels_without_room_name_the_solver_that_needs_none_where_measures_are_bounded() -> None:
    space = make_space(grown_problem(9, 3, 2), exits="free")
    bounded = make_task(space, Query(bounds=(tiercut.Bound("bytes", at_most=1e9),)))
    traded = make_task(space, Query(kind="frontier", over=("latency", "accuracy", "bytes")))
    assert traded.goals is not None
    assert PointLabels(bounded, bounded_goals(bounded)).full_reason.endswith("for one threshold); cp-sat keeps none")
    assert PointLabels(traded, traded.goals).full_reason.endswith("for one threshold)")


def test_kernels_are_loaded_before_the_clock_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of trying everything, those too that know bounds and several measures."""
    loaded: list[str] = []
    monkeypatch.setattr("tiercut.solvers.exhaustive.solver._load_kernels", loaded.append)
    space = make_space(grown_problem(3, 2, 2))
    for query in (Query(), Query(objective="bytes"), Query(kind="frontier", over=("latency", "accuracy", "bytes"))):
        find("exhaustive").solve(make_task(space, query), Options())
    assert loaded == ["plain", "any", "many"]


def test_what_hard_thresholds_need_besides_is_loaded_when_there_are_some_while_the_clock_stands_and_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[tuple[str, ...]] = []
    load_lines()  # really, as what stands for it below does not

    def load() -> None:
        said.append(("loads",))
        assert seconds_left() == np.inf
        time.sleep(2.5)

    monkeypatch.setattr("tiercut.solvers.labels.solver.load_lines", load)
    monkeypatch.setattr(_Search, "lined", property(lambda search: search.front))
    task = make_task(make_space(grown_problem(9, 4, 3)), Query(kind="frontier"))
    easy = find("labels").solve(task, Options(workers=1))
    assert not said
    monkeypatch.setattr("tiercut.solvers.labels.solver._PATIENCE", 1)
    monkeypatch.setattr("tiercut.solvers.labels.solver._CELLS_A_LABEL", 1 << 40)
    with listening(lambda stage: said.append((stage.what,) if stage else ())), stage("all") as step:
        step(1, 2)
        hard = find("labels").solve(task, Options(workers=1, time_limit_s=2.4))
    assert said[said.index(("loads",)) - 1] == ("loading or compiling kernels",)
    assert said[-2:] == [("all",), ()]
    assert hard.status == "optimal"
    assert hard.seconds < 2.4
    assert hard.decisions == easy.decisions


def test_nothing_else_is_loaded_for_hard_thresholds_once_their_kernel_is_there() -> None:
    program = """
import sys, gc
sys.path.insert(0, "experiments/benchmarks")
import instances, tiercut
from numba.core.dispatcher import Dispatcher
from tiercut.optimizer import Query, make_space
from tiercut.solvers.interface import Options
from tiercut.solvers.labels import solver
from tiercut.solvers.task import make_task

def loaded():
    return {each.py_func.__name__ for each in gc.get_objects() if isinstance(each, Dispatcher) and each.signatures}

task = make_task(make_space(tiercut.problem(*instances.load(instances.loose(60, 5, 20)))), Query(kind="frontier"))
solver.Labels()._load(task)
before = loaded()
solver.load_lines()
after = loaded()
assert solver.Labels().solve(task, Options()).status == "optimal"
print(len(before) > 3, sorted(after - before), sorted(loaded() - after))
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n")[0] == "True ['heights_of'] []"


def test_cp_sat_has_the_kernels_of_the_solver_that_it_asks_first_before_the_clock_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr("tiercut.solvers.labels.solver._load_kernels", loaded.append)
    monkeypatch.setattr(CpSat, "_search", lambda *_: Found(decisions=()))
    space = make_space(grown_problem(3, 2, 2))
    for query in (Query(bounds=(tiercut.Bound("bytes", at_most=1e9),)), Query(kind="frontier")):
        find("cp-sat").solve(make_task(space, query), Options())
    assert loaded == ["plain", "plain"]


def test_cp_sat_keeps_its_time_limit_where_the_solver_that_it_asks_first_loads_more_for_hard_thresholds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = load_lines

    @cache
    def load() -> None:
        real()
        time.sleep(4.0)

    monkeypatch.setattr("tiercut.solvers.labels.solver.load_lines", load)
    monkeypatch.setattr(_Search, "lined", property(lambda search: search.front))
    monkeypatch.setattr("tiercut.solvers.labels.solver._PATIENCE", 1)
    monkeypatch.setattr("tiercut.solvers.labels.solver._CELLS_A_LABEL", 1 << 40)
    task = make_task(make_space(grown_problem(9, 4, 3)), Query(kind="frontier"))
    outcome = find("cp-sat").solve(task, Options(time_limit_s=1.5))
    assert outcome.seconds < 4.0
    assert outcome.decisions
