"""The label solver: equal to trying everything under every rule for exits, and honest when it is stopped."""

from __future__ import annotations

import importlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.checkout import ROOT
from support.seeded.problems import Case, random_case

import tiercut
from tiercut.optimizer.placement import narrow
from tiercut.optimizer.pricing import price
from tiercut.optimizer.query import SLACK, Query
from tiercut.optimizer.space import Space, make_space, without_idle_ends, without_repeats
from tiercut.solvers.encoding import Layout, decision_of, decisions_of, key_of
from tiercut.solvers.interface import Options
from tiercut.solvers.kept import Keeper
from tiercut.solvers.kernels import keep_kernels
from tiercut.solvers.labels import bounds, budget_kernels, cell_kernels, floor_kernels, solver as labels
from tiercut.solvers.labels.solver import _Search
from tiercut.solvers.labels.trials import Grain
from tiercut.solvers.registry import find
from tiercut.solvers.states import states_of
from tiercut.solvers.task import make_task

MOST = 20_000


@pytest.fixture
def instances(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the module that makes the instances of the benchmarks."""
    monkeypatch.syspath_prepend(str(ROOT / "experiments" / "benchmarks"))
    return importlib.import_module("instances")


def spaces(case: Case | SimpleNamespace) -> list[Space]:
    """Return every small space of a problem: rules for exits, thresholds and codecs."""
    problem, found = case.problem, []
    alone = problem.has_exits and not np.isnan(problem.stay_alone).any()
    for exits in ("cuts", "final", "free") if problem.has_exits else ("final",):
        for per_exit in (False, True) if alone and exits != "final" else (False,):
            for codec in ("none", "auto") if problem.codecs else ("none",):
                space = make_space(problem, exits=exits, per_exit=per_exit, codec=codec, order=case.order)  # type: ignore[arg-type]
                if space.decisions <= MOST:
                    found.append(space)
    return found


def values(space: Space, query: Query, solver: str) -> np.ndarray:  # type: ignore[type-arg]
    """Return latency and accuracy of the plans that a solver finds; which of several equal ones may differ."""
    outcome = find(solver).solve(make_task(space, query), Options(workers=1))
    assert outcome.status == ("optimal" if outcome.decisions else "infeasible")
    plans = [price(space.problem, decision) for decision in outcome.decisions]
    return np.array([(plan.latency_s, plan.accuracy or 0.0) for plan in plans]).reshape(-1, 2)


def questions(space: Space, rng: np.random.Generator) -> list[Query]:
    """Return a ranking, and where accuracies are known a frontier and bounded rankings."""
    asked = [Query(kind="rank", top=int(rng.integers(1, 9)))]
    if space.knows_accuracy:
        floor, cap = float(rng.uniform(0, 1)), float(rng.uniform(0, 5))
        asked += [
            Query(kind="frontier"),
            Query(kind="rank", min_accuracy=floor, top=4),
            Query(kind="rank", objective="accuracy", max_latency_s=cap, top=4),
        ]
    return asked


@pytest.mark.parametrize("chunk", range(8))
def test_labels_find_what_trying_everything_finds_under_every_rule_for_exits(chunk: int) -> None:
    asked = 0
    for seed in range(chunk * 30, (chunk + 1) * 30):
        rng = np.random.default_rng(seed)
        for space in spaces(random_case([7, seed], blocks=5, nodes=4)):
            for query in questions(space, rng):
                wanted = values(space, query, "exhaustive")
                got = values(space, query, "labels")
                assert got.shape == wanted.shape, (seed, query)
                assert np.allclose(got, wanted, rtol=1e-12, atol=1e-12), (seed, query)
                asked += 1
    assert asked > 100


def test_labels_find_what_trying_everything_finds_in_the_parts_of_a_space_without_idle_ends() -> None:
    """A part has one lane and fewer ways on than the plain plans that labels begin with."""
    asked = 0
    for seed in range(25):
        for space in spaces(random_case([8, seed], blocks=4, nodes=3)):
            for part in without_idle_ends(space):
                query = Query(kind="rank", top=6)
                wanted, got = values(part, query, "exhaustive"), values(part, query, "labels")
                assert got.shape == wanted.shape, seed
                assert np.allclose(got, wanted, rtol=1e-12, atol=1e-12), seed
                asked += 1
    assert asked > 100


def test_labels_hold_rules_for_the_placement_as_trying_everything_does() -> None:
    for seed in range(120):
        case = random_case([8, seed], blocks=5, nodes=4)
        names = case.problem.nodes
        rules = (
            {"include": (names[-1],)},
            {"exclude": (names[0],)},
            {"fewest_partitions": 2},
            {"most_partitions": 1},
            {"pins": ((1, names[-1]),)},
            {"keep_first": 1},
            {"use_all_tiers": True},
        )
        query = replace(Query(kind="rank", top=3), **rules[seed % len(rules)])  # type: ignore[arg-type]
        for space in spaces(case):
            part = narrow(space, query)
            assert np.allclose(values(part, query, "labels"), values(part, query, "exhaustive"), rtol=1e-12, atol=1e-12)


@pytest.fixture
def all_hard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every threshold count as hard after one label, and bounds know which nodes were used."""
    monkeypatch.setattr(labels, "_PATIENCE", 1)
    monkeypatch.setattr(labels, "_CELLS_A_LABEL", 1 << 40)


def groups_of(space: Space) -> list[int]:
    return sorted(set(space.group.tolist()))


def some_grains(space: Space, rng: np.random.Generator) -> tuple[Grain, ...]:
    """Return one to three grains of a few groups and cells."""
    groups = [group for group in groups_of(space) if rng.integers(2)]
    sets = [bounds.sets_of(space, groups[:count]) for count in rng.integers(4, size=rng.integers(1, 4))]
    return tuple(Grain(each, int(rng.integers(1, 60))) for each in sets)


@pytest.mark.parametrize("chunk", range(4))
@pytest.mark.usefixtures("all_hard")
def test_labels_within_bounds_that_know_the_nodes_used_find_what_trying_everything_finds(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the rule for exits, the codecs, the rules for placements, and however many nodes are known."""
    asked = 0
    for seed in range(chunk * 15, (chunk + 1) * 15):
        rng = np.random.default_rng(seed)
        case = random_case([14, seed], blocks=5, nodes=4)
        names = case.problem.nodes
        rules = (
            {},
            {},
            {},
            {"include": (names[-1],)},
            {"fewest_partitions": 2},
            {"most_partitions": 2},
            {"keep_first": 1},
        )
        for space in spaces(case):
            monkeypatch.setattr(labels, "_BEAM", int(rng.integers(1, 4)))
            few, count = int(rng.integers(1, 40)), int(rng.integers(5))
            for place in (labels, bounds):
                monkeypatch.setattr(place, "SET_CELLS", few)
            monkeypatch.setattr(labels, "critical_groups", lambda space, *_, count=count: groups_of(space)[:count])
            lined = bool(rng.integers(4))
            monkeypatch.setattr(_Search, "lined", property(lambda search, lined=lined: search.front and lined))
            monkeypatch.setattr(labels, "_LINED_LABELS", int(rng.choice([3, 10_000])))
            monkeypatch.setattr(labels, "grains_of", lambda space, *_, rng=rng: some_grains(space, rng))
            rule = rules[seed % len(rules)]
            for query in questions(space, rng):
                part = narrow(space, replace(query, **rule))  # type: ignore[arg-type]
                wanted, got = values(part, query, "exhaustive"), values(part, query, "labels")
                assert got.shape == wanted.shape, (seed, query)
                assert np.allclose(got, wanted, rtol=1e-12, atol=1e-12), (seed, query)
                asked += 1
    assert asked > 50


def test_thresholds_that_are_easy_though_their_neighbours_are_hard_are_answered_all_the_same(
    instances: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Search, "lined", property(lambda search: search.front))
    monkeypatch.setattr(labels, "_PATIENCE", 30)
    monkeypatch.setattr(labels, "_CELLS_A_LABEL", 1 << 40)
    untried = 0
    for seed in range(12):
        space = make_space(tiercut.problem(*instances.load(instances.loose(8, 4, 9, seed=seed))))
        search, query = _Search(make_task(space, Query(kind="frontier"))), Query(kind="frontier")
        search.begin()
        tried: list[int] = []
        bounds_of = search._bounds
        monkeypatch.setattr(
            search, "_bounds", lambda *given, to=bounds_of, noted=tried: noted.append(given[0]) or to(*given)
        )
        search.run(Options(workers=1))
        untried += len(tried) < 9
        found, expected = values(space, query, "labels"), values(space, query, "exhaustive")
        assert found.shape == expected.shape
        assert np.allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert untried > 3


@pytest.mark.usefixtures("all_hard")
def test_plans_of_a_beam_count_once_among_the_best() -> None:
    """A plan that a beam gave is found again, and must not push another out of the N best."""
    for seed in range(30):
        space = make_space(random_case([15, seed], blocks=6, nodes=3).problem)
        query = Query(kind="rank", top=30)
        assert np.allclose(values(space, query, "labels"), values(space, query, "exhaustive"), rtol=1e-12, atol=1e-12)


def test_where_every_node_is_quick_at_blocks_of_its_own_few_labels_survive_bounds_that_know_the_nodes_used(
    instances: Any,
) -> None:
    space = make_space(tiercut.problem(*instances.load(instances.loose(40, 5, 10))))
    known = find("labels").solve(make_task(space, Query(kind="frontier")), Options(workers=1))
    assert known.status == "optimal"
    assert known.scored is not None
    assert known.scored < (10 + 2) * labels._PATIENCE  # so many are tried first at each threshold


@pytest.mark.parametrize("cells", [1, 2, 7, 40])
def test_budgets_are_right_however_coarse_their_cells_are(
    cells: int, instances: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_CELLS", "_FEW_CELLS", "_MANY_CELLS", "SET_CELLS"):
        monkeypatch.setattr(labels, name, cells)
    monkeypatch.setattr(bounds, "SET_CELLS", cells)
    made = [(make, seed) for make in (instances.chain, instances.loose) for seed in range(6)]
    problems = [tiercut.problem(*instances.load(make(9, 4, 4, seed=seed))) for make, seed in made]
    for space in [make_space(problem) for problem in problems] + [
        space for seed in range(8) for space in spaces(random_case([11, seed], blocks=5, nodes=3))
    ]:
        for query in questions(space, np.random.default_rng(len(space.threshold_indices))):
            found, expected = values(space, query, "labels"), values(space, query, "exhaustive")
            assert found.shape == expected.shape
            assert np.allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_where_all_branches_are_as_accurate_a_floor_in_their_rounding_is_held_by_the_same_plans(instances: Any) -> None:
    """Their sums lie a little above the greatest accuracy there is, and so may a floor that some of them reach."""
    problem = tiercut.problem(*instances.load(instances.chain(8, 3, 4)))
    space = make_space(replace(problem, accuracy=np.full(8, 0.9)))
    query = Query(kind="rank", top=20, min_accuracy=float(np.nextafter(0.9 + SLACK, 1.0)))
    assert query.accuracy_floor > 0.9
    expected = values(space, query, "exhaustive")
    assert len(expected) == 20
    assert np.allclose(values(space, query, "labels"), expected, rtol=1e-12)


@pytest.mark.parametrize("below", [0.0, 2e-14, 6e-14, 9e-14, 2e-13])
def test_allowances_rise_up_to_the_greatest_accuracy_however_near_a_known_plan_comes_to_it(below: float) -> None:
    """Labels are dropped together where the most accurate of them may not cost so much: the others may cost no more."""
    for ceiling in np.linspace(0.05, 1.0, 40):
        known = np.array([1.0, 2.0]), np.array([ceiling / 2, ceiling - below])
        allowances: Any = cell_kernels.allowances
        allowed = allowances(*known, 2, 3.0, 0.0, ceiling, 0.0, 0.0, ceiling, labels._FINE)
        assert np.all(np.diff(allowed) >= 0)
        assert allowed[-1] == pytest.approx(2.0 if below == 0 else 3.0)


@pytest.mark.parametrize("times", [0.0, 30.0, 1e6])
def test_frontiers_are_right_whatever_the_slope_of_their_budgets(
    times: float, instances: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With accuracies in a narrow band slopes are so steep that costs all but vanish beside them."""
    slope = _Search.slope.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(_Search, "slope", property(lambda search: times * slope(search)))
    for seed in range(4):
        problem = tiercut.problem(*instances.load((instances.chain, instances.loose)[seed % 2](9, 4, 4, seed=seed)))
        for low, width in ((0.0, 1.0), (0.9, 1e-6), (0.9, 1e-10)):
            space = make_space(replace(problem, accuracy=low + width * problem.accuracy))
            found, expected = (values(space, Query(kind="frontier"), each) for each in ("labels", "exhaustive"))
            assert found.shape == expected.shape
            assert np.allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_codec_that_makes_answers_better_is_found_to() -> None:
    for seed in range(24):
        case = random_case([12, seed], blocks=5, nodes=3)
        drop = case.problem.codec_drop * np.where(np.arange(case.problem.block_count + 1) % 2, -1.0, 1.0)
        problem = replace(case.problem, codec_drop=drop)
        for space in spaces(SimpleNamespace(problem=problem, order=case.order)):
            for query in questions(space, np.random.default_rng(seed)):
                found, expected = values(space, query, "labels"), values(space, query, "exhaustive")
                assert found.shape == expected.shape
                assert np.allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_frontier_of_accuracies_above_1_stays_within_its_table() -> None:
    """Codecs that make answers better may promise too much; a table must not be written beyond its end for it."""
    around = np.full(3 * keep_kernels.BUCKETS, np.inf)
    keeper = Keeper(front=True, by_accuracy=False, capacity=4, width=5)
    keeper.table = around[: keep_kernels.BUCKETS + 1]
    keeper.offer(np.array([1.0, 2.0]), np.array([0.5, 2.5]), np.zeros((2, 5), np.int64))
    assert keeper.accuracies[: keeper.count].tolist() == [0.5, 2.5]
    assert np.isinf(around[keep_kernels.BUCKETS :]).all()


@pytest.mark.parametrize(("blocks", "nodes", "most"), [(100, 6, 2_000), (100, 8, 30_000), (300, 8, 100_000)])
def test_of_many_billions_of_decisions_few_labels_survive_their_budgets(
    blocks: int, nodes: int, most: int, instances: Any
) -> None:
    space = make_space(tiercut.problem(*instances.load(instances.chain(blocks, nodes, 20))))
    outcome = find("labels").solve(make_task(space, Query(kind="frontier")), Options(workers=1))
    assert outcome.status == "optimal"
    assert outcome.scored < most
    tables = 2 * blocks * nodes * 257 * 4
    assert outcome.memory_bytes is not None
    assert 0.5 * tables < outcome.memory_bytes < 3 * tables + 120 * most
    assert space.decisions > 1e13


def test_a_key_says_all_of_a_decision() -> None:
    for seed in range(40):
        for space in spaces(random_case([9, seed], blocks=5, nodes=4)):
            layout = Layout.of(space)
            outcome = find("exhaustive").solve(make_task(space, Query(kind="rank", top=50)), Options())
            keys = np.array([key_of(space, layout, decision) for decision in outcome.decisions])
            assert tuple(decision_of(space, layout, key) for key in keys) == outcome.decisions
            assert decisions_of(space, layout, keys) == outcome.decisions


def test_keys_of_plans_to_begin_with_are_those_that_the_search_writes() -> None:
    """Else a plan that was known and is found again before time runs out would be ranked twice."""
    for seed in range(12):
        for space in spaces(random_case([7, seed], blocks=5, nodes=4)):
            search = _Search(make_task(space, Query(kind="rank", top=9)))
            search.begin()
            search.run(Options(workers=1))
            decisions = search.result(finished=False).decisions(space, search.layout)
            assert len(set(decisions)) == len(decisions)


def test_labels_out_of_time_give_what_they_have_and_say_that_it_is_not_proved(instances: Any) -> None:
    hard = make_space(tiercut.problem(*instances.load(instances.loose(40, 5, 20))))
    for query in (Query(kind="frontier"), Query(kind="rank")):
        outcome = find("labels").solve(make_task(hard, query), Options(time_limit_s=0.0))
        assert outcome.decisions
        assert len(set(outcome.decisions)) == len(outcome.decisions)
        if query.kind == "rank" and outcome.status == "optimal":  # it takes but a few milliseconds
            assert outcome.decisions == find("labels").solve(make_task(hard, query), Options()).decisions
            continue
        assert outcome.status == "feasible"
        assert outcome.reason


def test_an_interrupt_in_compiled_code_ends_with_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    def broken(*_: Any) -> None:
        raise SystemError("something else")

    space = make_space(random_case([13, 6], blocks=5, nodes=3).problem)
    assert space.most == 3
    monkeypatch.setattr(_Search, "_grow", interrupted)
    labels._load_kernels.cache_clear()
    outcome = find("labels").solve(make_task(space, Query(kind="rank")), Options())
    assert (outcome.status, outcome.reason) == ("interrupted", "interrupted before the end")
    monkeypatch.setattr(_Search, "_grow", broken)
    with pytest.raises(SystemError, match="something else"):
        find("labels").solve(make_task(space, Query(kind="rank")), Options())


def test_the_best_plans_of_two_partitions_at_most_are_found_without_labels(
    instances: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels._load_kernels("plain")

    def grow(*_: Any) -> None:
        raise AssertionError("labels are grown")

    monkeypatch.setattr(_Search, "_grow", grow)
    topology, profile = instances.load(instances.chain(9, 4, 3))
    query = Query(kind="rank", most_partitions=2, top=9, min_accuracy=0.4)
    space = narrow(make_space(tiercut.problem(topology, profile)), query)
    outcomes = [find(name).solve(make_task(space, query), Options(workers=1)) for name in ("labels", "exhaustive")]
    assert outcomes[0].decisions == outcomes[1].decisions
    assert outcomes[0].scored == outcomes[1].scored


def test_it_does_not_matter_which_plans_a_frontier_begins_with(instances: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    topology, profile = instances.load(instances.chain(40, 4, 5))
    space = make_space(tiercut.problem(topology, profile))
    task = make_task(space, Query(kind="frontier"))
    whole = find("labels").solve(task, Options(workers=1))
    monkeypatch.setattr(bounds, "_FIRST", 1000)
    assert find("labels").solve(task, Options(workers=1)).decisions == whole.decisions


@pytest.mark.parametrize("long", [10, 1000])
def test_pieces_that_are_too_dear_are_passed_over_and_nothing_is_lost(
    long: int, instances: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_kernels, "_LONG", long)
    for topology, profile in map(instances.load, (instances.spans(70, 3, 2), instances.chain(70, 3, 3, seed=1))):
        task = make_task(make_space(tiercut.problem(topology, profile)), Query(kind="frontier"))
        answers = [find(name).solve(task, Options(workers=1)).decisions for name in ("labels", "exhaustive")]
        assert answers[0] == answers[1]


def test_long_networks_with_few_branches_give_what_trying_everything_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget_kernels, "_LONG", 1)
    for seed in range(60):
        space = make_space(random_case([17, seed], blocks=7, nodes=3).problem)
        if space.decisions <= MOST and space.knows_accuracy:
            front = Query(kind="frontier")
            assert values(space, front, "labels").tolist() == values(space, front, "exhaustive").tolist()


def test_the_end_of_a_long_network_is_worth_what_those_get_right_who_stay_until_then() -> None:
    """Where samples are told apart by where they stayed, that is another share than of those who leave on the way."""
    one, nothing = np.ones(1), np.zeros(1, np.int64)
    accuracy = np.array([[[0.0, 1.0]]])  # of those who leave, and of those who stay
    most = floor_kernels.ceilings(
        0.0, 0.0, 3.0, np.array([[2.0]]), 1.0, np.zeros((1, 1)), one, one, accuracy, np.full((1, 1, 1), -1, np.int32),
        np.array([True]), np.zeros((2, 1), np.int32), nothing, nothing, np.full((3, 1), -1), nothing, np.empty(1),
    )  # fmt: skip
    assert most.tolist() == [1.0]  # a plan takes 2 more, and gains 3


def test_long_frontiers_merged_at_once_keep_what_one_by_one_would() -> None:
    rng = np.random.default_rng(4)
    costs, rights = rng.integers(1, 60, 5000) / 64, rng.integers(1, 60, 5000) / 64
    keys = rng.integers(0, 3, (5000, 6))
    keys[:, 0] = 1
    sorted_at_once, one_by_one = (Keeper(front=True, by_accuracy=False, capacity=64, width=6) for _ in range(2))
    sorted_at_once.offer(costs, rights, keys)
    for low in range(0, 5000, 50):
        one_by_one.offer(*(each[low : low + 50] for each in (costs, rights, keys)))
    for at_once, each in zip(sorted_at_once.held, one_by_one.held, strict=True):
        assert np.array_equal(at_once, each)


def test_a_frontier_is_the_same_whether_plans_come_one_by_one_or_are_merged_by_sorting() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        many = int(rng.integers(60, 300))
        costs, rights = (rng.integers(1, 40, many) / 8.0 for _ in range(2))  # of which many are equal
        keys = rng.integers(0, 3, (many, 5))
        one, all_ = (Keeper(front=True, by_accuracy=False, capacity=4, width=5) for _ in range(2))
        all_.offer(costs, rights, keys)
        for place in rng.permutation(many):
            one.offer(costs[[place]], rights[[place]], keys[[place]])
        for left, right in zip(one.held, all_.held, strict=True):
            assert np.array_equal(left, right)


def test_tables_of_levels_and_states_are_of_one_type_in_every_space_so_that_kernels_are_compiled_once() -> None:
    for seed in range(20):
        for space in spaces(random_case([8, seed], blocks=4, nodes=3)):
            for part in (space, without_repeats(space), *without_idle_ends(space)):
                assert (part.jump.dtype, states_of(part).number.dtype) == (np.int32, np.int32)
