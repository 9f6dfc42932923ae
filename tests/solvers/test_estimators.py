"""Estimators: what they say of samples, and that solvers are as exact with them as with the formula."""

from __future__ import annotations

from dataclasses import replace
from math import isclose
from typing import Any

import numpy as np
import pytest
from support.made import both, exits_data, profile_data, topology_data
from support.replayed import random_samples
from support.seeded.problems import Case, random_case

import tiercut
from tiercut import Profile, QuestionError, Samples, Topology
from tiercut.optimizer.frontier import front_of
from tiercut.optimizer.own_plan import decide
from tiercut.optimizer.plan import Plan
from tiercut.optimizer.pricing import price
from tiercut.optimizer.problem import Problem
from tiercut.optimizer.query import Bound, Query
from tiercut.optimizer.samples.estimators import with_estimator
from tiercut.optimizer.samples.exit_shares import shares_of
from tiercut.optimizer.space import make_space
from tiercut.solvers.interface import Options
from tiercut.solvers.registry import choose, find, in_time, needs
from tiercut.solvers.task import make_task

FEW = 1500
CASES = 60

# Three samples are sure at once and right; of the others one is right at the second branch and both at the third.
FIVE = Samples(
    np.array([[0.0, 0.0, 0.0]] * 3 + [[0.5, 0.05, 0.5], [0.5, 0.5, 0.5]], np.float32),
    np.array([[1, 1, 1]] * 3 + [[0, 1, 1], [0, 0, 1]], bool),
)


@pytest.fixture
def problem() -> Problem:
    exits = exits_data([0.6, 0.8, 1.0], [0.6, 0.2, 0.2])
    profile = profile_data([1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], exits=exits)
    topology = topology_data("a b", [both("a", "b", 0.0, 1.0)])
    return tiercut.problem(Topology.from_data(topology), Profile.from_data(profile))


def accuracy(problem: Problem, estimator: Any, partition: list[int], placement: str) -> float:
    known = with_estimator(problem, estimator, FIVE)
    threshold = None if len(partition) == 1 else 0.1
    return price(known, decide(known, partition, placement.split(), threshold)).accuracy or 0.0


def test_accuracy_of_who_really_leaves_by_hand(problem: Problem) -> None:
    # 3 of 5 leave at the first branch, all of them right; of the 2 others 1 is right at the second branch
    assert accuracy(problem, "marginal", [1, 2], "a b") == pytest.approx(0.6 * 0.6 + 0.4 * 0.8)
    for estimator in ("conditional", "replay"):
        assert accuracy(problem, estimator, [1, 2], "a b") == pytest.approx(0.6 * 1.0 + 0.4 * 0.5)
        assert accuracy(problem, estimator, [1, 3], "a b") == pytest.approx(1.0)
        assert accuracy(problem, estimator, [2], "a") == pytest.approx(0.8)


def test_where_no_sample_leaves_the_accuracy_is_that_over_all_samples(problem: Problem) -> None:
    sure = replace(FIVE, entropy=np.ones_like(FIVE.entropy))
    known = with_estimator(problem, "conditional", sure).leavers
    assert known is not None
    for table in (known.one[..., 0], known.each[..., 0]):
        np.testing.assert_array_equal(table, np.broadcast_to(problem.accuracy, table.shape))


def test_nested_hits_by_hand() -> None:
    """A tenth leaves at the first branch, 8 % right and 2 % wrong.

    Of all that branch 1 gets wrong (40 %), branch 2 gets half right, and branch 3 three quarters. So of the 2 % that
    left wrong, 1 % would have been right at branch 2, and 1.5 % at branch 3. Half leave at branch 2 by itself, 48 %
    right: of the 40 % that do after branch 1, 48 - 8 - 1 = 39 % are. At the end 90 % are right by themselves: after
    branch 1, 90 - 8 - 1.5 = 80.5 % of the 90 % that are left.
    """
    exits = exits_data([0.6, 0.8, 0.9], [0.1, 0.4, 0.5])
    exits |= {"exit_rate_alone": [[0.1, 0.5, 1.0]], "hit_rate_alone": [[0.08, 0.48, 0.9]]}
    profile = Profile.from_data(profile_data([1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], exits=exits))
    topology = Topology.from_data(topology_data("a b c", [both("a", "b", 0.0, 1.0), both("b", "c", 0.0, 1.0)]))
    known = tiercut.problem(topology, profile, estimator="nested")

    def right(partition: list[int]) -> float | None:
        threshold = None if len(partition) == 1 else 0.1
        return price(known, decide(known, partition, ["a", "b", "c"][: len(partition)], threshold)).accuracy

    assert right([1]) == 0.6
    assert right([1, 2]) == pytest.approx(0.08 + 0.8 - 0.08 - 0.01)
    assert right([1, 3]) == pytest.approx(0.08 + 0.805)
    # Of the 2 % that leave wrong at branch 2, half would be right at the end: 90 - 48 - 1 = 41 %.
    assert right([1, 2, 3]) == pytest.approx(0.08 + 0.39 + 0.41)
    exits.pop("hit_rate_alone")
    bare = Profile.from_data(profile_data([1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], exits=exits))
    with pytest.raises(QuestionError, match=r"'nested' needs the key 'exits\.hit_rate_alone'"):
        tiercut.problem(topology, bare, estimator="nested")


def every_plan(case: Case, problem: Problem) -> list[Plan]:
    """Return the price of every plan, found by trying every subset."""
    choices = case.reference.choices(case.exits, case.order)
    return [price(problem, case.decision(each)) for each in choices if case.reference.possible(each)]


def small_cases(seed: int) -> Any:
    """Return a random problem with exits and few plans, its samples, and random numbers; None for others."""
    case = random_case([11, seed], blocks=6, nodes=3, plain=seed % 3 == 0)
    if case.reference.exits is None or case.reference.decisions(case.exits, case.order) > FEW:
        return None
    rng = np.random.default_rng([11, seed])
    return case, random_samples(rng, 70, case.reference.blocks), rng


@pytest.mark.parametrize("estimator", ["conditional", "replay"])
@pytest.mark.parametrize("seed", range(CASES))
def test_exact_solvers_find_what_trying_every_plan_finds(seed: int, estimator: Any) -> None:
    drawn = small_cases(seed)
    if drawn is None:
        return
    case, samples, rng = drawn
    problem = with_estimator(case.problem, estimator, samples)
    space = make_space(problem, exits=case.exits, order=case.order)
    plans = every_plan(case, space.problem)
    front = front_of(space.problem, Query(kind="frontier"), plans)
    some = plans[int(rng.integers(len(plans)))] if plans else None
    floor = None if some is None else float(np.clip(some.accuracy or 0.0, 0.0, 1.0))
    good = sorted(plan.latency_s for plan in plans if floor is None or (plan.accuracy or 0.0) >= floor - 1e-9)
    for name in ("exhaustive", "labels"):
        solver = find(name)
        if needs(make_task(space, Query(kind="frontier"))) - solver.features:
            continue
        found = solver.solve(make_task(space, Query(kind="frontier")), Options()).decisions
        assert_same([price(space.problem, each) for each in found], front)
        query = Query(kind="rank", top=4, min_accuracy=floor)
        ranked = [price(space.problem, each) for each in solver.solve(make_task(space, query), Options()).decisions]
        np.testing.assert_allclose([plan.latency_s for plan in ranked], good[: len(ranked)], rtol=1e-12)
        assert len(ranked) == min(4, len(good))
        best = solver.solve(make_task(space, Query(objective="accuracy")), Options()).decisions
        assert bool(best) == bool(plans)
        if best:
            greatest = max(plan.accuracy or 0.0 for plan in plans)
            assert isclose(price(space.problem, best[0]).accuracy or 0.0, greatest, rel_tol=1e-12, abs_tol=1e-12)


def assert_same(found: list[Plan], wanted: list[Plan]) -> None:
    points = [[(plan.latency_s, plan.accuracy) for plan in plans] for plans in (found, wanted)]
    assert len(found) == len(wanted)
    if wanted:
        np.testing.assert_allclose(points[0], points[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "asked", [{"thresholds": "per-exit"}, {"codec": "auto"}, {"exits": "free", "max_latency": "45 ms"}]
)
def test_replay_as_estimator_prices_plans_as_replay_does(asked: Any) -> None:
    topology, profile = tiercut.load_topology("iot"), tiercut.load_profile("resnet20-digits32")
    codec = {"bytes": [None] + [4096.0] * 9 + [None], "accuracy_drop": [None] + [0.01] * 9 + [None]}
    coded = profile.model_copy(
        update={
            "codecs": {
                "half": type(profile)
                .from_data(
                    {
                        **profile.model_dump(exclude_defaults=True),
                        "format": "tiercut.profile/1",
                        "codecs": {"half": codec},
                    }
                )
                .codecs["half"]
            }
        }
    )
    only = {"partitions": "1-2", "bounds": ["bytes<=20 kB"]}
    answer = tiercut.rank(topology, coded, estimator="replay", min_accuracy=0.97, top=20, **only, **asked)
    assert answer.outcome.solver == "exhaustive"
    assert len(answer) == 20
    for plan, seen in zip(answer, tiercut.replay(topology, coded, list(answer)), strict=True):
        assert (plan.latency_s, plan.accuracy) == (seen.mean_s, seen.accuracy)


def test_conditional_estimates_of_a_real_network_come_near_to_its_samples() -> None:
    case = ("iot", "resnet20-digits32")
    plans = list(tiercut.rank(*case, top=300, min_accuracy=0.9, partitions=(2, None), estimator="marginal"))
    seen = np.array([each.accuracy for each in tiercut.replay(*case, plans)])
    errors = {}
    for estimator in ("marginal", "nested", "conditional"):
        known = tiercut.problem(*case, estimator=estimator)  # type: ignore[arg-type]
        errors[estimator] = np.abs(np.array([price(known, plan.decision).accuracy for plan in plans]) - seen).mean()
    assert errors["conditional"] < errors["marginal"] / 4
    assert errors["nested"] < errors["marginal"] / 2


def test_equal_thresholds_for_each_exit_have_the_accuracy_of_one_for_all() -> None:
    case = ("iot", "resnet20-digits32")
    for estimator in ("conditional", "nested"):
        known = tiercut.problem(*case, estimator=estimator)  # type: ignore[arg-type]
        for exits in ((5, 9), (4, 7, 10), (1, 3, 5, 8)):
            one = decide(known, exits, known.nodes[: len(exits)], 0.45)
            index = one.threshold or 0
            if not np.all(np.diff(known.stay_alone[index, list(exits)]) < 0):
                continue
            each = replace(one, threshold=None, thresholds=(index,) * (len(exits) - 1))
            shares = [shares_of(known, decision) for decision in (one, each)]
            leave = [np.diff([1.0, *each.onward]) for each in shares]
            if np.allclose(*leave):
                assert shares[0].right == pytest.approx(shares[1].right)


def test_solvers_without_an_estimator_name_those_that_have_it() -> None:
    case = ("iot", "resnet20-digits32")
    for solver, estimator, able in (
        ("labels", "replay", "exhaustive"),
        ("annealing", "replay", "exhaustive"),
    ):
        with pytest.raises(QuestionError, match=f"solver '{solver}' does not answer .*; these do: {able}$"):
            tiercut.solve(*case, solver=solver, estimator=estimator)  # type: ignore[arg-type]
    with pytest.raises(QuestionError, match="there is no estimator 'margin'"):
        tiercut.solve(*case, estimator="margin")  # type: ignore[arg-type]


def test_accuracies_of_branches_trained_alone_do_not_go_with_samples_of_the_whole_network() -> None:
    profile = tiercut.load_profile("resnet20-digits32")
    assert profile.exits is not None
    exits = profile.exits.model_copy(update={"accuracy_separate": [0.5] * profile.block_count})
    alone = profile.model_copy(update={"exits": exits}).with_separate_accuracies()
    for estimator in ("conditional", "nested", "replay"):
        with pytest.raises(QuestionError, match="accuracies 'separate' go with the marginal estimator"):
            tiercut.solve("iot", alone, estimator=estimator)  # type: ignore[arg-type]
    assert tiercut.solve("iot", alone).best.accuracy == pytest.approx(0.5)


def test_what_only_enumeration_answers_is_said_where_decisions_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    case, bounded = ("iot", "resnet20-digits32"), Query(bounds=(Bound("bytes", at_most=13e3),))
    monkeypatch.setattr("tiercut.solvers.registry._MOST_ENUMERATED", 1000)
    memory = Query(bounds=(Bound("p99", at_most=1.0),), objective="memory:micro")
    free = make_space(tiercut.problem(*case, estimator="conditional"), exits="free")
    solver, why = choose(make_task(free, memory))
    assert (solver.name, why) == (
        "exhaustive",
        f"nothing else answers it, and {free.decisions:,} decisions to score may take long",
    )
    with pytest.raises(QuestionError, match="170,000 are too many"):
        choose(make_task(make_space(tiercut.problem(*case, estimator="replay")), bounded))
    assert not in_time(make_task(free, memory))
    assert in_time(make_task(free, Query()))
    assert in_time(make_task(free, bounded))


def test_without_early_exits_every_estimator_says_the_same_and_every_solver_answers() -> None:
    case = ("iot", "resnet20-digits32")
    own = tiercut.solve(*case, exits="final").best
    for estimator in ("conditional", "nested", "replay"):
        assert tiercut.solve(*case, exits="final", estimator=estimator, solver="cp-sat").best == own  # type: ignore[arg-type]
