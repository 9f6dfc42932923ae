"""Plans of several sources, held to trying every combination in plain Python."""

from __future__ import annotations

import json
import warnings
from math import inf, isclose
from pathlib import Path
from typing import Any

import pytest
from support.seeded.joint import JointCase, by_trying, joint_case

import tiercut
from tiercut.analysis import JointAnswer
from tiercut.analysis.sources.checked import check_joint
from tiercut.solvers.joint import columns, generating, search

GOALS = ("mean", "worst", "served")


def solved(case: JointCase, goal: Any) -> JointAnswer:
    topology = tiercut.Topology.from_data(case.topology)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tiercut.TiercutWarning)  # that memory is not checked of all that is asked
        return tiercut.solve_sources(
            topology, joint=goal, max_utilisation=case.most, workers=1, estimator="marginal", **case.question
        )


def assert_as_tried(seed: int, folder: Path, *, memory: bool = False) -> dict[str, str]:
    """Check the answers to a random question for every goal, and return what is proved of each."""
    case = joint_case(seed, memory=memory)
    for name, profile in case.profiles.items():
        (folder / f"{name}.json").write_text(json.dumps(profile))
    for source in case.sources:
        source["profile"] = str(folder / f"{source['profile'].removesuffix('.json')}.json")
    tried = by_trying(joint_case(seed, memory=memory))
    seen = {}
    for goal in GOALS:
        answer = solved(case, goal)
        wanted = getattr(tried, goal)
        if goal != "served" and wanted == inf:
            assert answer.status == "infeasible", (seed, goal, answer.outcome)
            assert answer.message
        elif goal == "served" and not any(tried.alone):
            assert answer.status == "infeasible"
        else:
            assert answer.status == "optimal", (seed, goal, answer.outcome)
            assert isclose(answer.outcome.value, wanted, rel_tol=1e-8, abs_tol=1e-12), (
                seed,
                goal,
                wanted,
                answer.outcome,
            )
            check_joint(answer.sources, answer.loads, answer.memory)
        seen[goal] = f"{answer.status}, {answer.outcome.rounds} rounds"
    return seen


@pytest.mark.parametrize("seed", [*range(24), 41])  # of the last: a least cap at which only mixes go together
def test_no_combination_of_plans_is_better(seed: int, tmp_path: Path) -> None:
    assert_as_tried(seed, tmp_path)


@pytest.mark.parametrize("seed", range(30))
def test_no_combination_of_plans_that_fit_together_is_better(seed: int, tmp_path: Path) -> None:
    assert_as_tried(seed, tmp_path, memory=True)


def begin_with_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have networks of three blocks count as long ones."""
    monkeypatch.setattr(columns, "_CUTS", 1)
    monkeypatch.setattr(columns, "_THRESHOLDS", 1)


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_no_combination_of_plans_is_better_than_those_that_began_with_a_few(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_with_few(monkeypatch)
    assert_as_tried(seed, tmp_path, memory=seed % 2 == 1)


# Of the last: a part in which no plan may end after a block, while its best plan has an exit there.
@pytest.mark.parametrize("seed", [*range(0, 30, 3), 2001])
def test_no_combination_of_plans_is_better_where_parts_are_looked_through_to_the_end(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_LISTED", 0)
    monkeypatch.setattr(generating, "_TAIL", 0.9)
    monkeypatch.setattr(generating, "_NO_CHOICE", 0.5)
    if seed % 2 == 0:
        begin_with_few(monkeypatch)
    assert_as_tried(seed, tmp_path, memory=seed % 2 == 1)


@pytest.mark.slow
def test_no_combination_of_plans_is_better_than_those_that_began_with_a_few_for_500_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_with_few(monkeypatch)
    for seed in range(60, 560):
        assert_as_tried(seed, tmp_path, memory=seed % 2 == 1)


@pytest.mark.slow
def test_no_combination_of_plans_that_fit_together_is_better_for_500_questions(tmp_path: Path) -> None:
    for seed in range(30, 530):
        assert_as_tried(seed, tmp_path, memory=True)


@pytest.mark.slow
def test_no_combination_of_plans_is_better_for_500_questions(tmp_path: Path) -> None:
    for seed in range(24, 524):
        assert_as_tried(seed, tmp_path)
