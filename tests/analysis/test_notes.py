"""What is said beside an answer: that nothing was bounded, what the plan gains, and which cuts are left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.made import both, exits_data, profile_data, topology_data
from support.seeded.problems import random_case

import tiercut
from tiercut.errors import TiercutError

NODES = [{"name": "near", "slowdown": 4.0}, {"name": "far"}]
TOPOLOGY = tiercut.Topology.from_data(topology_data(NODES, [both("near", "far", 1, 4)]))
FAST = tiercut.Topology.from_data(
    topology_data([{"name": "near", "slowdown": 2.0}, {"name": "far", "slowdown": 0.1}], [both("near", "far", 1, 1)])
)
EXITS = exits_data([0.5, 0.75, 0.9], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5])
PROFILE = tiercut.Profile.from_data(profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0], exits=EXITS))


def said(**asked: Any) -> str:
    return "\n".join(tiercut.solve(TOPOLOGY, PROFILE, **asked).notes)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "the least latency of all plans, whatever its accuracy, 50.00%"),
        ({"objective": "bytes"}, "the least bytes of all plans"),
        ({"objective": "accuracy"}, "nothing is more accurate, however long it takes"),
        ({"exclude": ["far"]}, "no bound is asked for"),
    ],
)
def test_a_question_without_a_bound_is_told_so(asked: dict[str, Any], words: str) -> None:
    assert "no bound is asked for" in said(**asked)
    assert words in said(**asked)


@pytest.mark.parametrize(
    "asked",
    [{"min_accuracy": 0.6}, {"max_loss": "20 points"}, {"max_latency": "30 s"}, {"max_p99": "60 s"},
     {"bounds": ["bytes<=1 MB"]}],
)  # fmt: skip
def test_a_question_with_any_bound_is_not(asked: dict[str, Any]) -> None:
    assert "no bound" not in said(**asked)


def test_only_a_best_plan_is_told_so() -> None:
    for answer in (tiercut.rank(TOPOLOGY, PROFILE), tiercut.frontier(TOPOLOGY, PROFILE)):
        assert answer.notes == ()
        assert answer.native is None


def test_the_gain_over_one_machine_is_told() -> None:
    """Near takes 14 s, far 0.7 s after 13 s for the input; cut after block 2: 6 s, 5 s for its output, 0.4 s, 1 s."""
    asked: dict[str, Any] = {"exits": "final", "max_latency": "20 s"}
    answer = tiercut.solve(FAST, PROFILE, **asked)
    ((native,), best) = tiercut.rank(FAST, PROFILE, only="native", top=1, **asked), answer.best
    assert (str(best), str(native), native.latency_s) == ("near 1-2 → far 3", "near 1-3", 14.0)
    assert answer.native == native
    times = native.latency_s / best.latency_s
    (line,) = answer.notes
    assert line.startswith(f"the best on one machine is {native}: ")
    assert f"({times:.3g} times as much), accuracy {native.accuracy:.2%}" in line
    assert answer.to_data()["native"] == native.to_data(1)


def test_where_the_best_plan_is_on_one_machine_no_cut_pays() -> None:
    assert "no cut pays: the best plan runs on one machine" in said()


def test_of_accuracy_the_gain_is_in_points() -> None:
    answer = tiercut.solve(FAST, PROFILE, objective="accuracy", max_latency="13 s")
    assert (answer.best.accuracy, str(answer.native)) == (0.825, "near 1-2")
    assert answer.notes[0] == "the best on one machine is near 1-2, accuracy 75.00%: 7.50 points less"


def test_where_no_machine_alone_meets_the_question_nothing_is_said_of_one() -> None:
    answer = tiercut.solve(TOPOLOGY, PROFILE, use_all_tiers=True)
    assert answer.native is None
    assert not any("machine" in note for note in answer.notes)


@pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")
@pytest.mark.parametrize("seed", range(30))
def test_the_best_on_one_machine_is_what_a_question_for_native_plans_finds(seed: int) -> None:
    case = random_case([31, seed], blocks=5, nodes=4)
    topology, profile = tiercut.Topology.from_data(case.topology), tiercut.Profile.from_data(case.profile)
    try:
        answer = tiercut.solve(topology, profile, exits=case.exits)
        native = tiercut.solve(topology, profile, exits=case.exits, only="native").best
    except TiercutError:
        return
    assert answer.native == native
    assert answer.best.latency_s <= native.latency_s


def test_an_answer_with_notes_is_read_back(tmp_path: Path) -> None:
    answer = tiercut.solve(FAST, PROFILE, exits="final", max_latency="20 s")
    path = tmp_path / "answer.json"
    path.write_text(answer.to_json())
    assert list(tiercut.load_plans(path)) == [answer.best]


# Cuts that are left out


def network(accuracy: list[float | None]) -> tiercut.Profile:
    rate = [0.5 if each is not None else 0.0 for each in accuracy[:-1]]
    exits = exits_data(accuracy, [*rate, 1.0 - sum(rate)])
    return tiercut.Profile.from_data(profile_data([1.0] * 4, [12.0, 8.0, 4.0, 2.0, 0.0], exits=exits))


def test_cuts_without_a_branch_are_counted_where_a_question_leaves_them_out() -> None:
    sparse = network([None, 0.6, None, 0.9])
    for ask in (tiercut.solve, tiercut.rank, tiercut.frontier):
        (line,) = (note for note in ask(TOPOLOGY, sparse).notes if "cuts" in note)
        assert line.startswith("2 of 3 cuts are left out, where no branch stands")
        assert "exits free" in line
    assert "1 of 3 cuts is left out" in "\n".join(tiercut.solve(TOPOLOGY, network([0.5, None, 0.5, 0.9])).notes)


@pytest.mark.parametrize("exits", ["free", "final"])
def test_where_no_cut_is_left_out_nothing_is_said_of_them(exits: Any) -> None:
    assert not any(
        "cuts" in note for note in tiercut.solve(TOPOLOGY, network([None, 0.6, None, 0.9]), exits=exits).notes
    )
    assert not any("left out" in note for note in tiercut.solve(TOPOLOGY, PROFILE).notes)
