"""Bounds of the cp-sat solver: none is above a plan, and what none leaves out is listed whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest
from support.made import grown_problem
from support.seeded.questions import random_question

from tiercut.optimizer.problem import Problem
from tiercut.optimizer.query import Bound, Query
from tiercut.optimizer.space import Space, make_space
from tiercut.solvers.cp_sat import bound_kernels, search
from tiercut.solvers.cp_sat.bounds import Relaxation
from tiercut.solvers.cp_sat.decision_graph import COST, LOSS
from tiercut.solvers.cp_sat.search import Search
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import find
from tiercut.solvers.task import make_task

SOLVER = find("cp-sat")
ALL = 20_000  # more than there are of anything


def searches() -> Iterator[tuple[Space, Search]]:
    """Yield what is searched in random questions for the least latency, one threshold for all exits."""
    for seed in range(60):
        question = random_question(seed)
        if question is not None and not question[0].per_exit:
            space, query = question
            yield space, Search(make_task(space, replace(query, kind="solve", objective="latency")), Options())


def test_no_arc_of_a_plan_has_a_bound_above_what_the_plan_comes_to() -> None:
    checked = 0
    for space, work in searches():
        for index in range(len(space.threshold_indices)):
            network = work.network(index)
            relaxed = Relaxation(space, network, 0, work.plans.caps)
            work.list_all(relaxed)
            relaxed.tighten(lambda _: inf)
            for decision, (where, path) in work.plans.paths.items():
                if where == index:
                    assert relaxed.bounds[sorted(path)].max() <= work.plans.pool[decision].values[0] + 1e-12
                    checked += 1
    assert checked > 500


def test_few_paths_are_listed_whole_and_many_not_at_all() -> None:
    space = make_space(grown_problem(4, 3, 2))
    work = Search(make_task(space, Query(kind="frontier")), Options())
    relaxed = Relaxation(space, work.network(1), COST, work.plans.caps)
    paths = relaxed.paths(ALL, ALL)
    assert paths
    assert len({tuple(path) for path in paths}) == len(paths)
    assert [relaxed.value(path) for path in paths] == sorted(relaxed.value(path) for path in paths)
    assert relaxed.paths(len(paths), ALL) == paths
    assert relaxed.paths(len(paths) - 1, ALL) is None
    assert relaxed.paths(ALL, len(paths)) is None, "there are more arcs to try than paths"
    work.list_all(relaxed)
    listed = {path for where, path in work.plans.paths.values() if where == 1}
    assert listed == {frozenset(path) for path in paths}


def all_paths(problem: Problem, strict: float = inf) -> tuple[Relaxation, list[list[int]]]:
    """Return the relaxation of a threshold along its frontier, with a cap on the loss, and all paths."""
    space = make_space(problem)
    work = Search(make_task(space, Query(kind="frontier")), Options())
    relaxed = Relaxation(space, work.network(1), COST, np.array([inf, strict]))
    paths = relaxed.paths(ALL, ALL)
    assert paths
    return relaxed, paths


def test_room_for_paths_grows_with_what_is_found_and_the_list_ends_when_it_is_stopped() -> None:
    relaxed, paths = all_paths(grown_problem(4, 3, 2))
    assert len(paths) > 50
    assert relaxed.paths(1 << 50, ALL) == paths
    assert relaxed.paths(ALL, ALL, stop=np.ones(1, np.int64)) is None


def test_a_search_that_is_stopped_in_a_list_of_paths_ends() -> None:
    space = make_space(grown_problem(5, 3, 2))
    work = Search(make_task(space, Query(kind="frontier")), Options())
    relaxed = Relaxation(space, work.network(1), COST, work.plans.caps)
    work.stop[0] = 1
    with pytest.raises(search.StoppedError):
        work._few(relaxed, lambda _: inf, None, ALL)


def test_no_path_with_a_group_twice_is_listed_whether_its_use_is_marked_or_looked_up() -> None:
    relaxed, paths = all_paths(grown_problem(5, 4, 2))
    assert relaxed.bit.any()
    again = Relaxation(make_space(grown_problem(5, 4, 2)), relaxed.network, COST, np.array([inf, inf]))
    again._mark(np.empty(0, np.int64), np.unique(again.entered[again.entered >= 0]))
    unmarked = again.paths(ALL, 100 * ALL)
    assert unmarked is not None
    assert not again.bit.any()
    assert {frozenset(path) for path in unmarked} == {frozenset(path) for path in paths}


def test_a_path_below_a_strict_cap_by_more_than_rounding_is_listed_and_one_that_reaches_it_is_not() -> None:
    relaxed, paths = all_paths(grown_problem(4, 3, 2), strict=1.0)
    place = relaxed.capped.index(LOSS)
    losses = {tuple(path): float(relaxed.over[place, path].sum()) * relaxed.sizes[place] for path in paths}
    for path in sorted(paths, key=lambda path: -losses[tuple(path)])[:: len(paths) // 10]:  # as caps may only fall
        for below, listed in ((1e-10, True), (2e-13, True), (5e-14, False), (0.0, False)):
            relaxed.lower(LOSS, losses[tuple(path)] + below * relaxed.sizes[place], inf)
            assert (path in (relaxed.paths(ALL, ALL, LOSS) or ())) == listed
            assert path in (relaxed.paths(ALL, ALL) or ()), "within the cap"


def test_all_paths_that_may_be_as_good_as_the_best_but_for_rounding_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relaxed, paths = all_paths(grown_problem(4, 3, 2))
    cap, near = 2.0, 1e-9 * (relaxed.size + 2.0)
    relaxed.cut(cap)
    offsets = (-near, 0.5 * near, 0.9 * near, 1.1 * near, 2.0 * near)
    assert [relaxed.of_interest(cap + each) for each in offsets] == [True, True, True, False, False]
    values = {tuple(path): cap + each for path, each in zip(paths, offsets[1:], strict=False)}
    looked: list[list[int]] = []
    monkeypatch.setattr(relaxed, "paths", lambda *_: paths[: len(values)])
    monkeypatch.setattr(relaxed, "value", lambda path: values[tuple(path)])
    work = Search(make_task(make_space(grown_problem(4, 3, 2)), Query(kind="frontier")), Options())

    def look(path: list[int]) -> float:
        looked.append(path)
        return cap

    assert work._few(relaxed, look, None, ALL)
    assert looked == paths[:2]


def test_prices_that_were_found_are_all_kept() -> None:
    relaxed, _ = all_paths(grown_problem(5, 3, 3), strict=-0.2)
    rng = np.random.default_rng(0)
    wanted = []
    for _ in range(100):
        prices, bound = rng.random(len(relaxed.limit)), float(rng.random())
        relaxed._prove(prices, bound)
        wanted.append(bound - 1e-9 * (relaxed.size + abs(bound + prices @ relaxed.limit)))
    got = relaxed._bounds_now()
    assert len(got) == 100
    assert np.allclose(got, wanted, rtol=0, atol=1e-8)


def test_no_kernel_of_the_bounds_is_loaded_again_for_a_question() -> None:
    space = make_space(grown_problem(8, 4, 3))
    bounds = (Bound("blocks", "n0", at_most=5), Bound("bytes", at_most=1e9))
    for query in (Query(), Query(bounds=bounds), Query(kind="frontier", bounds=bounds), Query(kind="rank", top=5)):
        SOLVER.solve(make_task(space, query), Options())
    kernels: tuple[Any, ...] = (bound_kernels.shortest, bound_kernels.beam, bound_kernels.near_shortest)
    assert [len(kernel.signatures) for kernel in kernels] == [1, 1, 1]


def test_what_is_listed_is_what_every_price_and_every_cap_lets_pass() -> None:
    """Of random questions, up to the least cost and to one that a few plans have; all plans are listed by CP-SAT."""
    checked = left_out = 0
    for space, work in searches():
        for index in range(len(space.threshold_indices)):
            network = work.network(index)
            relaxed = Relaxation(space, network, COST, work.plans.caps)
            work.list_all(relaxed)
            plans = [(work.plans.pool[each], path) for each, (at, path) in work.plans.paths.items() if at == index]
            relaxed.tighten(lambda _: inf)
            for most in sorted({plan.values[COST] for plan, _ in plans})[:4:3]:
                relaxed.caps[COST] = most
                wanted = {path for plan, path in plans if plan.values[COST] <= most}
                paths = relaxed.paths(ALL, ALL)
                assert paths is not None
                got = {frozenset(path) for path in paths}
                assert wanted <= got
                assert not relaxed.closed
                checked += len(wanted)
                left_out += len(plans) - len(wanted)
    assert checked > 100
    assert left_out > 500


def test_prices_that_were_found_close_the_points_after_them_and_none_that_has_a_plan() -> None:
    closed = 0
    for seed in range(20):
        space = make_space(grown_problem(6, 3, 3, seed=seed))
        work = Search(make_task(space, Query(kind="frontier")), Options())
        every = Search(make_task(space, Query(kind="frontier")), Options())
        for index in range(3):
            network = work.network(index)
            every.list_all(Relaxation(space, network, COST, every.plans.caps))
            values = every.plans.values
            caps = np.array([inf, -0.2])
            relaxed = Relaxation(space, network, COST, caps)
            relaxed.cut(float(np.median(values[:, COST])))
            relaxed.tighten(lambda _: inf)
            for loss in np.linspace(-0.2, -1.0, 30):
                for cost in np.quantile(values[:, COST], (0.0, 0.1, 0.3)):
                    relaxed.lower(LOSS, float(loss), float(cost))
                    if relaxed.closed:
                        closed += 1
                        plans = [every.plans.pool[each] for each, (at, _) in every.plans.paths.items() if at == index]
                        assert not any(plan.values[COST] <= cost and plan.values[LOSS] <= loss for plan in plans)
    assert closed > 100
