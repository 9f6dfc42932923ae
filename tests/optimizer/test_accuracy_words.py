"""Accuracies in people's words: a share of the network's own accuracy, points below it; and blocks by name."""

from __future__ import annotations

from math import isclose
from pathlib import Path
from typing import Any

import pytest
from support.made import both, exits_data, profile_data, topology_data

import tiercut
from tiercut.errors import QuestionError
from tiercut.optimizer.query import Query

TOPOLOGY = tiercut.Topology.from_data(topology_data("near far", [both("near", "far", 1, 4)]))
EXITS = exits_data([0.5, 0.75, 0.9], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5])
DATA = profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0], exits=EXITS)
PROFILE = tiercut.Profile.from_data(DATA)
BARE = tiercut.Profile.from_data(profile_data([1.0, 2.0, 4.0], [12.0, 8.0, 4.0, 0.0]))


def least(**asked: Any) -> float:
    """Return the least accuracy that the plans of an answer had to keep."""
    floor = tiercut.frontier(TOPOLOGY, PROFILE, **asked).query.min_accuracy
    assert floor is not None
    return floor


@pytest.mark.parametrize(
    ("asked", "floor"),
    [
        ({"min_accuracy": "80 % of final"}, 0.9 * 0.8),
        ({"min_accuracy": "0.8 of the final accuracy"}, 0.9 * 0.8),
        ({"min_accuracy": "100% of final"}, 0.9),
        ({"max_loss": "15 points"}, 0.75),
        ({"max_loss": "1 point"}, 0.89),
        ({"max_loss": 0.15}, 0.75),
        ({"max_loss": 0}, 0.9),
        ({"max_loss": "95 points"}, 0.0),
    ],
)
def test_a_least_accuracy_may_hang_on_that_of_the_whole_network(asked: dict[str, Any], floor: float) -> None:
    assert isclose(least(**asked), floor, rel_tol=1e-12, abs_tol=1e-12)
    plain = tiercut.frontier(TOPOLOGY, PROFILE, min_accuracy=floor)
    assert [plan.decision for plan in tiercut.frontier(TOPOLOGY, PROFILE, **asked)] == [p.decision for p in plain]


def test_the_answer_says_what_the_words_mean() -> None:
    said = tiercut.solve(TOPOLOGY, PROFILE, min_accuracy="80 % of final").notes
    assert "80 % of the final accuracy, 90.00% without early exits, means at least 72.00%" in said
    said = tiercut.solve(TOPOLOGY, PROFILE, max_loss="1 point").notes
    assert "a loss of at most 1 point, 90.00% without early exits, means at least 89.00%" in said


def test_the_final_accuracy_is_that_of_the_samples_where_they_choose() -> None:
    """Every estimator, and replay on another split, has its own accuracy of the whole network."""
    case = "mobile", "resnet20-clutter"
    test = tiercut.solve(*case, min_accuracy="90 % of final", evaluate="replay", split="test")
    whole = tiercut.replay(*case, tiercut.plan(*case, partition=[10], placement=["watch"]), split="test")
    assert test.query.min_accuracy == pytest.approx(0.9 * whole.accuracy, abs=1e-12)
    own = tiercut.solve(*case, min_accuracy="90 % of final", evaluate="replay")
    assert own.query.min_accuracy != test.query.min_accuracy


def test_a_profile_without_accuracies_is_asked_for_them() -> None:
    with pytest.raises(QuestionError, match="add the key 'accuracy'"):
        tiercut.solve(TOPOLOGY, BARE, max_loss="2 points")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"min_accuracy": "120 % of final"}, ["min_accuracy", "at most 100 %"]),
        ({"min_accuracy": "most of final"}, ["min_accuracy", "'most'"]),
        ({"min_accuracy": "finally"}, ["min_accuracy", "'95 % of final'"]),
        ({"max_loss": "2 %"}, ["max_loss", "'2 points'", "'98 % of final'"]),
        ({"max_loss": "2"}, ["max_loss", "'2 points'", "no unit"]),
        ({"max_loss": 2}, ["max_loss", "did you mean '2 points'?"]),
        ({"max_loss": "-1 points"}, ["max_loss", "0 or more"]),
        ({"max_loss": -0.1}, ["max_loss", "between 0 and 1"]),
        ({"max_loss": "2 points", "min_accuracy": 0.9}, ["min_accuracy or max_loss, not both"]),
    ],
)
def test_words_that_cannot_be_read_say_how_they_are_written(asked: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(QuestionError) as raised:
        tiercut.solve(TOPOLOGY, PROFILE, **asked)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_a_query_file_may_say_it_and_a_keyword_for_the_other_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "query.yaml"
    path.write_text("format: tiercut.query/1\nmin_accuracy: 80 % of final\n")
    assert isclose(least(query=path), 0.72)
    assert isclose(least(query=path, max_loss="15 points"), 0.75)
    path.write_text("format: tiercut.query/1\nmax_loss: 15 points\n")
    assert isclose(least(query=path), 0.75)
    assert isclose(least(query=path, min_accuracy=0.6), 0.6)


def test_why_follows_the_floor_that_the_words_mean() -> None:
    why = tiercut.why(TOPOLOGY, PROFILE, min_accuracy="80 % of final", kinds=())
    same = tiercut.why(TOPOLOGY, PROFILE, min_accuracy=0.9 * 0.8, kinds=())
    assert [(each.name, each.asked) for each in why.effects] == [(each.name, each.asked) for each in same.effects]
    assert why.effects


# Blocks by name


def named(*names: str) -> tiercut.Profile:
    blocks = [block | {"name": name} for block, name in zip(DATA["blocks"], names, strict=True)]
    return tiercut.Profile.from_data(DATA | {"blocks": blocks})


CONVS = named("conv1", "my conv=2", "7")


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        ({"pin": {"layer conv1": "far"}}, {"pin": {1: "far"}}),
        ({"pin": {"layer my conv=2": "far", 1: "near"}}, {"pin": {2: "far", 1: "near"}}),
        ({"pin": {"layer 7": "far"}}, {"pin": {3: "far"}}),
        ({"keep_first": "my conv=2"}, {"keep_first": 2}),
        ({"keep_first": "layer 7"}, {"keep_first": 3}),
        ({"keep_first": "1"}, {"keep_first": 1}),
    ],
)
def test_a_block_may_be_named_by_its_layer(asked: dict[str, Any], same: dict[str, Any]) -> None:
    one, other = (tiercut.rank(TOPOLOGY, CONVS, top=50, **each) for each in (asked, same))
    assert [plan.decision for plan in one] == [plan.decision for plan in other]
    assert len(one) < len(tiercut.rank(TOPOLOGY, CONVS, top=50))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"pin": {"conv1": "far"}}, ["pin", "number of a block", "'layer NAME'", "'conv1'"]),
        ({"pin": {"layer conv": "far"}}, ["no block 'conv'", "did you mean 'conv1'?", "tiercut blocks"]),
        ({"pin": {"layer ": "far"}}, ["'layer NAME'"]),
        ({"keep_first": "conv"}, ["no block 'conv'", "did you mean 'conv1'?"]),
        ({"keep_first": 1.5}, ["keep_first", "0 or more, or the name of a layer"]),
        ({"keep_first": True}, ["keep_first", "0 or more, or the name of a layer"]),
    ],
)
def test_a_name_that_no_block_has_is_refused(asked: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(QuestionError) as raised:
        tiercut.solve(TOPOLOGY, CONVS, **asked)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_a_name_that_two_blocks_have_is_refused_with_their_numbers() -> None:
    with pytest.raises(QuestionError, match="'conv' is the name of the blocks 1 and 3"):
        tiercut.solve(TOPOLOGY, named("conv", "pool", "conv"), pin={"layer conv": "far"})


def test_a_query_file_may_name_layers(tmp_path: Path) -> None:
    path = tmp_path / "query.yaml"
    path.write_text("format: tiercut.query/1\npin: {layer conv1: far, 3: near}\nkeep_first: 0\n")
    query = tiercut.rank(TOPOLOGY, CONVS, query=path).query
    assert query.pins == Query(pins=((3, "near"), ("conv1", "far"))).pins
    assert tiercut.rank(TOPOLOGY, CONVS, query=path, pin={"layer conv1": "near"}).query.pins[-1] == ("conv1", "near")


@pytest.mark.parametrize(("said", "blocks"), [("layer 7", 3), ("7", None), ("conv1", 1), ("my conv=2", 2), ("2", 2)])
def test_a_query_file_says_of_first_blocks_what_a_flag_says(tmp_path: Path, said: str, blocks: int | None) -> None:
    path = tmp_path / "query.yaml"
    path.write_text(f"format: tiercut.query/1\nkeep_first: {said}\n")
    if blocks is None:
        with pytest.raises(QuestionError, match="the first 7 blocks cannot be kept"):
            tiercut.rank(TOPOLOGY, CONVS, query=path)
        return
    found, same = (tiercut.rank(TOPOLOGY, CONVS, top=50, **each) for each in ({"query": path}, {"keep_first": blocks}))
    assert [plan.decision for plan in found] == [plan.decision for plan in same]
