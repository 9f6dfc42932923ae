"""A table of pieces is read as the array that it stands for, to the last bit, and holds one table for each device."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.made import both, problem_of, profile_data, topology_data

from tiercut.optimizer.measures.piece_table import LatePieceTable, PieceTable
from tiercut.optimizer.measures.tables import measure
from tiercut.optimizer.placement import narrow
from tiercut.optimizer.plan import Decision
from tiercut.optimizer.pricing import price
from tiercut.optimizer.query import Query
from tiercut.optimizer.space import make_space

RNG = np.random.default_rng(7)
TABLES, WHICH, FACTOR = RNG.uniform(0, 9, (2, 5, 5)), np.array([1, 0, 1]), np.array([0.3, 1.0, 7.7])
EACH = np.arange(3)


@pytest.mark.parametrize(
    "index",
    [
        1,
        slice(None),
        slice(1, 3),
        EACH,
        (2, 0, 4),
        (0, 3),
        (1, slice(None), -1),
        (slice(None), 0),
        (slice(None), 0, slice(None)),
        (EACH, EACH, EACH + 1),
        (EACH[:, None], 1, np.arange(2, 5)),
        (np.array([2, 0]), 1, slice(2, None)),
        (..., 0),
        (EACH, EACH[:, None], 0),
    ],
)
def test_a_table_is_read_as_the_array_that_it_stands_for(index: Any) -> None:
    array = TABLES[WHICH] * FACTOR[:, None, None]
    table = PieceTable(TABLES, WHICH, FACTOR)
    assert table.shape == array.shape
    assert np.array_equal(table[index], array[index])
    assert np.array_equal(np.asarray(table), array)
    assert np.array_equal(PieceTable.of(array)[index], array[index])


def test_an_array_that_can_never_fit_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiercut.memory.available", lambda: 16 * 3 * 5 * 5 - 1)
    with pytest.raises(MemoryError, match="a table of pieces for each of 3 nodes"):
        np.asarray(PieceTable(TABLES, WHICH, FACTOR))


def test_a_problem_takes_arrays_too() -> None:
    problem = problem_of(topology_data("a b", [both("a", "b", 1, 1)]), profile_data([0.1, 0.2], [8.0] * 3))
    again = replace(problem, span_s=problem.span_s.whole, bare_s=problem.bare_s.whole)  # type: ignore[arg-type]
    assert isinstance(again.span_s, PieceTable)
    assert np.array_equal(again.span_s.whole, problem.span_s.whole)
    assert np.array_equal(again.bare_s.whole, problem.bare_s.whole)


def test_nodes_of_one_device_share_its_table() -> None:
    nodes = [{"name": name, "slowdown": slowdown} for name, slowdown in (("a", 1.0), ("b", 3.0), ("c", 0.7))]
    links = [{"between": pair, "bandwidth": "1 MB/s", "latency": "1 ms"} for pair in (["a", "b"], ["b", "c"])]
    problem = problem_of(topology_data(nodes, links), profile_data([0.1, 0.2, 0.3], [8.0] * 4))
    assert problem.span_s.shape == (3, 3, 3)
    assert problem.span_s.tables.shape == (1, 3, 3)
    assert problem.span_s[1, 0, 2] == (0.1 + 0.2 + 0.3) * 3.0


def test_a_late_table_is_made_once_when_it_is_read_and_travels_as_any_other() -> None:
    made: list[int] = []

    def make() -> Any:
        made.append(1)
        return TABLES

    table = LatePieceTable(make, 5, WHICH, FACTOR)
    assert table.shape == (3, 5, 5)
    assert PieceTable.of(table) is table
    assert not made
    again = pickle.loads(pickle.dumps(table))
    for each in (table, again):
        np.testing.assert_array_equal(each.whole, PieceTable(TABLES, WHICH, FACTOR).whole)
        np.testing.assert_array_equal(each[2, 1], TABLES[1, 1] * FACTOR[2])
    assert made == [1]


def test_pieces_without_a_branch_are_worked_out_only_for_questions_that_have_some() -> None:
    topology = topology_data("a b", [both("a", "b", 0.1, 1e3)])
    exits = {"thresholds": [0.5], "exit_rate": [[0.5, 0.5]], "accuracy": [0.6, 0.9]}
    problem = problem_of(topology, profile_data([1.0, 2.0], [10.0, 10.0, 10.0], exits=exits))

    def refuse() -> Any:
        raise AssertionError("nobody asked for these")

    late = replace(problem, bare_s=LatePieceTable(refuse, 2, problem.bare_s.which, problem.bare_s.factor))
    space = narrow(make_space(late, exits="cuts"), Query())
    assert space.costs(measure(late, "latency")).bare[0, 0, 1] == problem.span_s[0, 0, 1]
    assert set(space.allowed.strides) == {0}
    with pytest.raises(AssertionError, match="nobody"):
        _ = make_space(late, exits="free").costs(measure(late, "latency")).bare[0, 0, 1]


def test_equal_stages_of_a_frontier_are_one_object() -> None:
    problem = problem_of(
        topology_data("a b c", [both("a", "b", 0.1, 1e3), both("b", "c", 0.1, 1e3)]),
        profile_data([1.0, 2.0, 3.0], [10.0] * 4),
    )
    cuts = [((1, 3), (0, 1)), ((2, 3), (0, 1)), ((1, 2, 3), (0, 1, 2)), ((1, 3), (0, 2))]
    known: dict[Any, Any] = {}
    decisions = [Decision(partition, placement, partition[-1:]) for partition, placement in cuts]
    plans = [price(problem, decision, known=known) for decision in decisions]
    assert plans == [price(problem, decision) for decision in decisions]
    stages = [stage for plan in plans for stage in plan.stages]
    assert len({id(stage) for stage in stages}) == len(set(stages)) < len(stages)
