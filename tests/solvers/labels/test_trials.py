"""How the label solver tries thresholds: with budgets that get finer, then as hard ones, and once more."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import pytest
from support.checkout import ROOT

import tiercut
from tiercut.optimizer.query import Query
from tiercut.optimizer.space import make_space
from tiercut.solvers.interface import Options
from tiercut.solvers.labels import bounds, grow_kernels
from tiercut.solvers.labels.solver import _Search
from tiercut.solvers.labels.trials import Trials, grains_of, quickest_groups
from tiercut.solvers.registry import find
from tiercut.solvers.task import make_task


@pytest.fixture
def instances(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the module that makes the instances of the benchmarks."""
    monkeypatch.syspath_prepend(str(ROOT / "experiments" / "benchmarks"))
    return importlib.import_module("instances")


def test_a_threshold_after_two_hard_ones_is_taken_for_hard() -> None:
    trials = Trials()
    for index, hard in ((0, True), (1, False), (2, True)):
        assert not trials.is_after_hard(index)
        trials.note(index, hard=hard)
    assert not trials.is_after_hard(3)
    trials.note(4, hard=True)  # by another thread, before 3 is done
    assert [trials.is_after_hard(index) for index in (3, 5)] == [False, True]
    trials.note(3, hard=False)
    assert not trials.is_after_hard(5)
    assert trials.hard == [0, 2, 4]


def test_the_middle_threshold_is_tried_in_any_case() -> None:
    trials = Trials([2, 5, 7, 8, 11])
    for index in (2, 5):
        trials.note(index, hard=True)
    assert [trials.is_after_hard(index) for index in (7, 8, 11)] == [False, True, True]
    trials.note(7, hard=False)
    assert not any(trials.is_after_hard(index) for index in (8, 11))


def test_thresholds_are_not_hard_as_those_before_lacked_plans(instances: Any) -> None:
    space = make_space(tiercut.problem(*instances.load(instances.loose(60, 7, 40, seed=1, looseness=0.7))))
    search = _Search(make_task(space, Query(kind="frontier")))
    search.begin()
    assert search.run(Options(workers=1)) == ""
    assert search.trials.hard == []


def test_a_search_that_is_stopped_as_its_patience_ends_is_not_out_of_room(
    instances: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = make_space(tiercut.problem(*instances.load(instances.chain(8, 4, 6))))
    search = _Search(make_task(space, Query(kind="frontier")))
    grown = search._grown

    def stopped(index: int, thread: Any, own: Any, **given: Any) -> Any:
        found = grown(index, thread, own, **given)
        thread.stop[0] = thread.stop[grow_kernels.FULL] = 1
        return found

    monkeypatch.setattr(search, "_grown", stopped)
    search.begin()
    assert "room" not in search.run(Options(workers=1))


def test_plans_of_two_partitions_are_not_all_there_are_where_the_time_ends_between_them(
    instances: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = replace(make_space(tiercut.problem(*instances.load(instances.chain(8, 4, 6)))), most=2)
    task = make_task(space, Query(kind="solve"))
    search = _Search(task)
    assert bounds.begin_with_two(task, search.known, search.bounds)
    monkeypatch.setattr(bounds, "seconds_left", lambda: 0.0)
    search = _Search(task)
    assert not bounds.begin_with_two(task, search.known, search.bounds)


def test_thresholds_are_tried_with_finer_cells_and_the_quickest_groups_while_lines_would_take_twice_as_long(
    instances: Any,
) -> None:
    space = make_space(tiercut.problem(*instances.load(instances.chain(9, 8, 2))))
    tables = _Search(make_task(space, Query(kind="frontier"))).tables
    assert quickest_groups(space, tables) == [7, 6, 5, 4, 3, 2, 1, 0]
    grains = grains_of(space, tables, 9, 256, 100)
    assert [(len(each.sets.sizes), each.cells, each.size) for each in grains] == [
        (1, 256, 256),
        (1, 512, 512),
        (1, 1024, 1024),
        (4, 512, 2048),
    ]
    assert [int(bit) for bit in grains[-1].sets.bit] == [0, 0, 0, 0, 0, 0, 1, 2]
    assert len(grains_of(space, tables, 9, 256, 1500)) == 3
    assert len(grains_of(space, tables, 9, 256, 5000)) == 1
    assert len(grains_of(space, tables, bounds.BUDGET_ROOM // (8 * 600), 256, 100)) == 2
    final = make_space(space.problem, exits="final")
    assert [each.cells for each in grains_of(final, tables, 9, 4, 100)] == [4]


def test_cells_of_long_chains_are_halved_until_few_labels_pass(instances: Any) -> None:
    """Else these thresholds count as hard, and lines let 600,000 labels pass."""
    space = make_space(tiercut.problem(*instances.load(instances.chain(200, 8, 20, seed=6))))
    found = find("labels").solve(make_task(space, Query(kind="frontier")), Options(workers=1))
    assert found.status == "optimal"
    assert found.scored is not None
    assert found.scored < 250_000


def test_thresholds_that_were_hard_for_lack_of_plans_are_tried_once_more(
    instances: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = make_space(tiercut.problem(*instances.load(instances.chain(8, 4, 6))))
    task = make_task(space, Query(kind="frontier"))
    search = _Search(task)
    tried, grow = list[int](), search._grow

    def growing(index: int, thread: Any) -> None:
        tried.append(index)
        if tried.count(index) == 1 and index in {0, 3}:
            search.trials.note(index, hard=True)
        else:
            grow(index, thread)

    monkeypatch.setattr(search, "_grow", growing)
    search.begin()
    assert search.run(Options(workers=1)) == ""
    assert tried == [0, 1, 2, 3, 4, 5, 0, 3]
    found = search.result(finished=True).decisions(space, search.layout)
    assert tuple(found) == find("exhaustive").solve(task, Options(workers=1)).decisions
