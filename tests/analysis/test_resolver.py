"""The same question again with links and nodes changed: always what a solve from the beginning gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from support.made import both, exits_data, profile_data, topology_data
from support.seeded.problems import random_case

import tiercut
from tiercut.analysis.warm.known import Solved, least_of_others
from tiercut.errors import InfeasibleError, QuestionError, TiercutError
from tiercut.profiling.profile.schema import Profile
from tiercut.topologies.schema import Topology

pytestmark = pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")  # of spans whose branch is not known

laws = settings(derandomize=True, deadline=None, max_examples=6, database=None)
seeds = st.integers(0, 2**32 - 1)

CHAIN = Topology.from_data(
    topology_data(
        [{"name": "near", "slowdown": 4.0}, {"name": "middle", "slowdown": 2.0}, {"name": "far"}],
        [both("near", "middle", 0.1, 100.0), both("middle", "far", 0.1, 50.0)],
    )
)
STEPS = Profile.from_data(
    profile_data(
        [1.0, 2.0, 4.0],
        [90.0, 60.0, 30.0, 1.0],
        branch_s=[0.1, 0.1, 0.1],
        exits=exits_data([0.5, 0.7, 0.9], [0.2, 0.3, 0.5], [0.5, 0.3, 0.2]),
        result_bytes=1,
    )
)


def changes_of(rng: np.random.Generator, topology: Topology) -> dict[str, Any]:
    """Return a few numbers of a topology, changed a little or a lot, and now and then back where they were."""
    changes: dict[str, Any] = {}
    for _ in range(int(rng.integers(1, 4))):
        factor = float(rng.choice([1.0, 0.999, 1.01, 0.5, 3.0, 40.0]))
        node = topology.nodes[int(rng.integers(len(topology.nodes)))]
        changes.setdefault("slowdown", {})[node.name] = node.slowdown * factor
        if topology.links:
            link = topology.links[int(rng.integers(len(topology.links)))]
            kind = str(rng.choice(["bandwidth", "latency"]))
            name = ">".join(link.directions[int(rng.integers(len(link.directions)))])
            changes.setdefault(kind, {})[name] = getattr(link, kind) * factor
    return {kind: changes[kind] for kind in changes if rng.random() < 0.6}


def outcome_of(call: Any) -> Any:
    """Return a plan, or the error in its place."""
    try:
        return call()
    except TiercutError as error:
        return type(error), str(error)


def held_to_solves(seed: int, plain: bool) -> tuple[int, int]:
    """Ask a random question under seven conditions, and return how often it was asked, and how often solved."""
    case = random_case(seed, plain=plain, blocks=5, nodes=4)
    topology, profile = Topology.from_data(case.topology), Profile.from_data(case.profile)
    rng = np.random.default_rng(seed)
    question: dict[str, Any] = {"exits": case.exits, "order": case.order, "estimator": "marginal"}
    if case.space.knows_accuracy and rng.random() < 0.5:
        question["min_accuracy"] = float(rng.uniform(0, 0.6))
    resolver = tiercut.Resolver(topology, profile, **question)
    for _ in range(7):
        changes = changes_of(rng, topology)
        cold = outcome_of(lambda changes=changes: tiercut.solve(topology, profile, **question, **changes).best)
        assert outcome_of(lambda changes=changes: resolver.best(**changes)) == cold
    return 7, resolver.solves


@laws
@given(seeds, st.booleans())
def test_every_answer_is_that_of_a_solve_from_the_beginning(seed: int, plain: bool) -> None:
    held_to_solves(seed, plain)


@pytest.mark.slow
def test_of_hundreds_of_questions_every_answer_is_that_of_a_solve_and_a_third_need_none() -> None:
    asked, solved = np.sum([held_to_solves(seed, seed % 3 == 0) for seed in range(200)], axis=0)
    assert asked - solved > asked / 3


def test_a_change_that_the_plan_does_not_meet_is_answered_without_a_solve() -> None:
    resolver = tiercut.Resolver(CHAIN, STEPS, min_accuracy=0.75)
    before = resolver.best()
    assert set(before.placement) == {"near"} or resolver.solves == 1
    unused = next(name for name in ("far", "middle", "near") if name not in before.placement)
    assert resolver.best(slowdown={unused: 50.0}) == before
    assert resolver.solves == 1


def test_between_two_solved_conditions_with_one_plan_nothing_is_solved() -> None:
    resolver = tiercut.Resolver(CHAIN, STEPS)
    ends = [resolver.best(bandwidth={"near-middle": each}) for each in (1.0, 9.0)]
    assert ends[0].decision == ends[1].decision
    solves = resolver.solves
    for bandwidth in (1.5, 3.0, 8.0):
        found = resolver.best(bandwidth={"near-middle": bandwidth})
        assert found == tiercut.solve(CHAIN, STEPS, bandwidth={"near-middle": bandwidth}).best
    assert resolver.solves == solves


def test_beyond_a_switching_point_the_other_plan_is_found_and_remembered() -> None:
    resolver = tiercut.Resolver(CHAIN, STEPS, exits="final")
    slow, fast = {"near-middle": 5.0, "middle-far": 5.0}, {"near-middle": 1e5, "middle-far": 1e5}
    plans = [resolver.best(bandwidth=each) for each in (slow, fast)]
    assert plans[0].placement != plans[1].placement
    solves = resolver.solves
    assert [resolver.best(bandwidth=each) for each in (slow, fast)] == plans
    assert resolver.solves == solves


def test_what_moves_with_the_numbers_is_solved_each_time() -> None:
    for question in ({"max_latency": 100.0}, {"objective": "accuracy"}, {"bounds": ["compute:near<=100 s"]}):
        resolver = tiercut.Resolver(CHAIN, STEPS, **question)
        for _ in range(2):
            assert resolver.best() == tiercut.solve(CHAIN, STEPS, **question).best
        assert resolver.solves == 2


def test_a_bound_that_no_number_moves_does_not_stand_in_the_way() -> None:
    resolver = tiercut.Resolver(CHAIN, STEPS, bounds=["blocks:near<=2"])
    for slowdown in (1.0, 1.0001):
        changes = {"slowdown": {"far": slowdown}}
        assert resolver.best(**changes) == tiercut.solve(CHAIN, STEPS, bounds=["blocks:near<=2"], **changes).best
    assert resolver.solves == 1


def test_other_conditions_are_solved_and_errors_are_those_of_a_solve() -> None:
    resolver = tiercut.Resolver(CHAIN, STEPS, min_accuracy=0.75)
    assert resolver.best(without=["far"]) == tiercut.solve(CHAIN, STEPS, min_accuracy=0.75, without=["far"]).best
    assert resolver.best(source="middle") == tiercut.solve(CHAIN, STEPS, min_accuracy=0.75, source="middle").best
    with pytest.raises(QuestionError, match="nowhere"):
        resolver.best(slowdown={"nowhere": 2.0})
    with pytest.raises(QuestionError, match="bandwidth near-middle"):
        resolver.best(bandwidth={"near-middle": "fast"})
    with pytest.raises(QuestionError, match="leave out certify"):
        tiercut.Resolver(CHAIN, STEPS, certify=0.95)
    with pytest.raises(InfeasibleError):
        tiercut.Resolver(CHAIN, STEPS, min_accuracy=0.95).best()


def test_conditions_of_the_question_stand_below_those_of_a_call() -> None:
    own, call = {"near": 1.0}, {"middle": 1.0}
    resolver = tiercut.Resolver(CHAIN, STEPS, slowdown=own)
    for slowdown in (call, {"near": 3.0}):
        assert resolver.best(slowdown=slowdown) == tiercut.solve(CHAIN, STEPS, slowdown=own | slowdown).best


def solved(place: list[float], passed: str, cost: float, after: float) -> Solved:
    return Solved(np.array(place), None, (passed,), cost, after)  # type: ignore[arg-type]


def test_others_cost_no_less_than_by_the_share_that_numbers_fell() -> None:
    known = [solved([2.0, 4.0], "a", 1.0, 1.5)]
    assert least_of_others(known, ("a",), np.array([2.0, 9.0]), straight=True) == 1.5
    assert least_of_others(known, ("a",), np.array([1.0, 9.0]), straight=True) == 0.75
    assert least_of_others(known, ("b",), np.array([2.0, 4.0]), straight=True) == 1.0


def test_between_two_places_others_cost_no_less_than_the_straight_line() -> None:
    known = [solved([1.0, 1.0], "a", 1.0, 2.0), solved([3.0, 1.0], "a", 1.0, 4.0)]
    place = np.array([2.0, 1.0])
    assert least_of_others(known, ("a",), place, straight=True) == 3.0
    assert least_of_others(known, ("a",), place, straight=False) == pytest.approx(8 / 3)
    assert least_of_others(known, ("a",), np.array([2.0, 0.5]), straight=True) == 2.0  # no line leads there
