"""Rankings list different plans: those that treat every sample alike count once."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from support.made import both, exits_data, profile_data, topology_data

import tiercut
from tiercut.analysis import distinct
from tiercut.analysis.distinct import treatment
from tiercut.solvers import Status
from tiercut.solvers.base import BaseSolver

IOT = ("iot", "resnet20-digits32")
CASES: dict[str, dict[str, Any]] = {
    "cuts": {"min_accuracy": 0.98},
    "anywhere": {"min_accuracy": 0.98, "exits": "free", "estimator": "marginal"},
    "another measure": {"min_accuracy": 0.98, "objective": "bytes"},
    "greatest accuracy": {"objective": "accuracy", "max_latency": "42 ms"},
    "a rule that an idle part can keep": {"min_accuracy": 0.98, "use_all_tiers": True},
    "by the formula": {"min_accuracy": 0.98, "estimator": "marginal"},
    "nested hits": {"min_accuracy": 0.98, "estimator": "nested", "exits": "free"},
}


def same(answer: tiercut.Answer) -> list[Any]:
    return [treatment(answer.space.problem, plan) for plan in answer]


@pytest.mark.parametrize("name", CASES)
def test_a_ranking_has_the_first_of_all_decisions_that_treat_samples_alike(name: str) -> None:
    asked = CASES[name]
    every = tiercut.rank(*IOT, **asked, all_decisions=True, top=400)
    first = dict(zip(reversed(same(every)), reversed(every.plans), strict=True))
    wanted = list(dict.fromkeys(same(every)))
    answer = tiercut.rank(*IOT, **asked, top=len(wanted) - 1)
    assert len(wanted) < 400
    assert same(answer) == wanted[:-1]
    assert list(answer) == [first[each] for each in wanted[:-1]]
    assert answer.outcome.status == "optimal"


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"a rule that an idle part can keep"}))
def test_the_parts_without_idle_ends_make_the_same_ranking(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = tiercut.rank(*IOT, **CASES[name], top=9)
    monkeypatch.setattr(distinct, "_TOGETHER", 10)
    assert list(tiercut.rank(*IOT, **CASES[name], top=9)) == list(wanted)


@pytest.mark.parametrize(("ended", "status"), [("interrupted", "interrupted"), ("stopped", "feasible")])
def test_parts_whose_ranking_ends_early_prove_nothing(
    ended: Status, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = BaseSolver.solve, count()

    def short(solver: Any, task: Any, options: Any) -> Any:
        outcome = real(solver, task, options)
        return outcome if next(calls) < 5 else replace(outcome, status=ended, decisions=(), reason="it ended early")

    monkeypatch.setattr(distinct, "_TOGETHER", 10)
    monkeypatch.setattr(BaseSolver, "solve", short)
    answer = tiercut.rank(*IOT, **CASES["another measure"], top=9)
    assert answer.plans
    assert answer.outcome.status == status


def test_twelve_plans_of_a_ranking_are_twelve_plans() -> None:
    answer = tiercut.rank(*IOT, min_accuracy=0.98, top=12, estimator="marginal")
    shown = {(plan.shown, plan.exits, plan.thresholds_shown) for plan in answer}
    assert (len(answer), len(shown), len(set(same(answer)))) == (12, 12, 12)
    assert str(answer[0]) == "micro 1-7"
    assert str(answer[1]) == "micro 1-7 → local 8"


def test_plans_chosen_by_replay_are_different_ones_too() -> None:
    answer = tiercut.rank(*IOT, min_accuracy=0.98, top=12, evaluate="replay")
    assert answer.replayed is not None
    assert len(answer) == 12
    assert len({treatment(answer.replayed.problem, plan) for plan in answer}) == 12


def test_a_ranking_of_few_decisions_has_what_there_is() -> None:
    """All leave at the first of two blocks; it runs alone at either node, or the second follows, reached by none."""
    exits = exits_data([0.5, 0.9], [1.0, 0.0])
    profile = tiercut.Profile.from_data(profile_data([1.0, 1.0], [1.0] * 3, exits=exits))
    topology = tiercut.Topology.from_data(topology_data("near far", [both("near", "far", 1, 1)]))
    assert [str(plan) for plan in tiercut.rank(topology, profile, top=50)] == [
        "near 1", "near 1-2", "far 1", "far 1-2",
    ]  # fmt: skip
    assert len(tiercut.rank(topology, profile, top=50, all_decisions=True)) == 6
    with pytest.raises(tiercut.InfeasibleError):
        _ = tiercut.rank(topology, profile, min_accuracy=0.95).best


def test_rankings_without_exits_do_not_change() -> None:
    plain = tiercut.rank(*IOT, exits="final", top=30)
    assert list(plain) == list(tiercut.rank(*IOT, exits="final", top=30, all_decisions=True))


def test_a_time_limit_holds_for_all_rankings_together() -> None:
    answer = tiercut.rank(*IOT, exits="free", thresholds="per-exit", min_accuracy=0.98, top=9, time_limit="0.3 s")
    assert answer.outcome.status == "feasible"
    assert 0 < len(set(same(answer))) == len(answer) <= 9


def test_all_decisions_are_for_rankings(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from tiercut.cli import main

    monkeypatch.setattr("sys.argv", ["tiercut", "solve", *IOT, "--all-decisions"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "--all-decisions is about what tiercut rank lists" in capsys.readouterr().err
