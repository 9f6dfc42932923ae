"""Zones hold what no known point dominates, and labels that they prune could not become of interest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.made import grown_problem, with_times

from tiercut.optimizer import Query, make_space
from tiercut.solvers.interface import Options
from tiercut.solvers.labels import front
from tiercut.solvers.labels.front import PointLabels
from tiercut.solvers.labels.points.zone_kernels import is_outside, zones_of
from tiercut.solvers.registry import find
from tiercut.solvers.task import make_task

ENDLESS = np.full(3, 1e100)


@pytest.mark.parametrize("coarse", [False, True])
def test_what_no_point_dominates_lies_in_a_zone_and_inside_of_zones_nothing_is_dominated(coarse: bool) -> None:
    rng = np.random.default_rng(1)
    points = rng.random((60, 3))
    points /= points.sum(axis=1, keepdims=True)  # nearly all of interest, and none of it exactly equal
    others = rng.random((4000, 3)) * rng.uniform(0.1, 0.9, (4000, 1))
    if coarse:
        points, others = np.round(points * 8), np.round(others * 8)
    points = points[np.argsort(points[:, 0], kind="stable")]
    zones = zones_of(points, ENDLESS)
    no_worse = (points[None] <= others[:, None]).all(axis=2)
    dominated = (no_worse & (points[None] < others[:, None]).any(axis=2)).any(axis=1)
    in_one = (others[:, None] <= zones[None]).all(axis=2).any(axis=1)
    inside = (others[:, None] < zones[None]).all(axis=2).any(axis=1)
    assert (in_one | dominated).all()
    assert not (inside & no_worse.any(axis=1)).any()
    assert (inside | no_worse.any(axis=1)).all()
    assert 100 < dominated.sum() < 3900


def test_without_points_everything_is_one_zone() -> None:
    assert zones_of(np.empty((0, 3)), ENDLESS).tolist() == [ENDLESS.tolist()]


@pytest.mark.parametrize("third", ["rate", "bytes", "energy", "blocks:n1"])
def test_labels_that_zones_prune_from_the_first_point_on_find_what_trying_everything_finds(third: str) -> None:
    asked = 0
    for seed in range(16):
        problem = grown_problem(5 + seed % 4, 3, 2, seed)
        problem = replace(problem, power=np.arange(1.0, 4.0))
        if seed % 2:  # ties decide
            problem = with_times(problem, lambda times: np.ceil(times * 8) / 8)
        over = tuple(np.random.default_rng(seed).permutation(["latency", "accuracy", third]).tolist())
        within = {"min_accuracy": 0.3} if seed % 5 == 0 else {}
        if seed % 3 == 0:
            within["max_latency_s"] = 0.6 * float(problem.span_s[0, 0, -1])  # a third of the plans hold it
        query = Query(kind="frontier", over=over, **within)
        task = make_task(make_space(problem, exits="free" if seed % 4 == 0 else "cuts"), query)
        assert task.goals is not None
        found = PointLabels(task, task.goals, few=0).found(Options(workers=1 + seed % 3))
        assert list(found.decisions) == list(find("exhaustive").solve(task, Options(workers=1)).decisions), seed
        asked += len(found.decisions)
    assert asked > 100


def test_zones_let_fewer_labels_grow() -> None:
    query = Query(kind="frontier", over=("latency", "accuracy", "bytes"))
    task = make_task(make_space(grown_problem(30, 4, 3)), query)
    assert task.goals is not None
    with_zones, without = (PointLabels(task, task.goals, few=few).found(Options(workers=1)) for few in (0, 10**9))
    assert with_zones.decisions == without.decisions
    assert with_zones.scored < 0.8 * without.scored


@pytest.fixture
def labels() -> PointLabels:
    task = make_task(make_space(grown_problem(6, 3, 2)), Query(kind="frontier", over=("latency", "accuracy", "bytes")))
    assert task.goals is not None
    return PointLabels(task, task.goals, few=0)


def test_zones_are_worked_out_again_once_many_plans_gave_way_to_better_ones(labels: PointLabels) -> None:
    points = np.random.default_rng(2).random((100, 3))
    first = labels._zones(points, 2)
    points[:2] /= 2.0
    assert labels._zones(points, 2) is first
    points[2] /= 2.0
    again = labels._zones(points, 2)
    assert again is not first
    assert labels._zones(points[:50], 2) is again


@pytest.mark.parametrize("stopped", [False, True])
def test_no_zones_are_worked_out_for_too_many_states_or_without_time(
    labels: PointLabels, stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    between = front.zones_between
    monkeypatch.setattr(front, "zones_between", lambda points, *more: calls.append(1) or between(points, *more))
    labels.search(0, np.array([int(stopped), 0]))
    assert len(calls) == 1 - stopped
    monkeypatch.setattr(front, "_WIDE", 1)
    labels.zones = (set(), None)
    labels.search(1, np.array([0, 0]))
    assert len(calls) == 1 - stopped


@pytest.mark.parametrize("boxes", [512, 4096])
def test_a_label_goes_on_where_very_many_boxes_do_not_turn_it_away(boxes: int) -> None:
    rows, starts, count = [], [], boxes
    while count > 8:  # zones that fail by measure or by line in turn, below boxes that fail by neither
        rows.append(np.ones((count, 4)))
        starts.append(sum(map(len, rows[:-1])))
        count //= 8
    rows.append(np.ones((count, 4)))
    rows[0][::2, 0], rows[0][1::2, 3] = -1.0, -1.0
    tree = np.array([*starts, sum(map(len, rows[:-1])), count])
    weights, nothing = np.zeros((1, 3)), np.zeros(3)
    label = (nothing, nothing, np.zeros((1, 1, 1)), 0, 0, np.arange(3), weights, np.full(1, 1e-300))
    assert is_outside(*label, np.vstack(rows), tree, np.zeros(1), np.zeros(1, np.int64)) == (boxes < 2048)
