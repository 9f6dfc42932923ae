"""The best plan with one exit and the best native one: found among all decisions, one by one."""

from __future__ import annotations

from typing import Any

import pytest

import tiercut
from tiercut.analysis.answers.beside import NATIVE, ONE_EXIT

CASE = ("iot", "resnet20-digits32")


def best_of(plans: list[Any], asked: dict[str, Any]) -> tuple[float, float] | None:
    """Return accuracy and latency of the best: least latency where an accuracy is asked for, else most accurate."""
    least, most = asked.get("min_accuracy", 0.0), asked.get("max_latency", float("inf"))
    kept = [(-plan.accuracy, plan.latency_s) for plan in plans if plan.accuracy >= least and plan.latency_s <= most]
    if not kept:
        return None
    right, seconds = min(kept, key=lambda each: each[::-1] if least else each)
    return -right, seconds


@pytest.mark.parametrize("asked", [{}, {"min_accuracy": 0.9}, {"max_latency": 0.042}, {"exclude": ["micro"]}], ids=str)
def test_they_are_the_best_of_all_decisions(asked: dict[str, Any]) -> None:
    rules = {key: value for key, value in asked.items() if key == "exclude"}
    single = list(tiercut.rank(*CASE, partitions=1, top=10_000, all_decisions=True, **rules))
    whole = list(tiercut.rank(*CASE, exits="final", only="native", top=10_000, all_decisions=True, **rules))
    beside = tiercut.frontier(*CASE, **asked).beside
    for name, plans in ((ONE_EXIT, single), (NATIVE, whole)):
        found, best = beside.get(name), best_of(plans, asked)
        assert (found and (found.accuracy, found.latency_s)) == best
        assert found is None or len(found.exits) == len(found.partition) == 1


def test_one_exit_may_be_cut_where_exits_stand_anywhere() -> None:
    """With exits anywhere a plan of one exit is a cut network that may be trimmed: of these the best, for each end."""
    slow: dict[str, Any] = {"slowdown": {"micro": 2000, "raspberry": 2000}, "estimator": "marginal"}
    beside = tiercut.frontier(*CASE, exits="free", min_accuracy=0.98, **slow).beside
    assert beside[ONE_EXIT].exits == beside[ONE_EXIT].partition[-1:]
    found = tiercut.rank(*CASE, exits="free", min_accuracy=0.98, top=3000, all_decisions=True, **slow)
    first = next(plan for plan in found if len(plan.exits) == 1)
    assert beside[ONE_EXIT].latency_s == first.latency_s
    assert beside[ONE_EXIT].accuracy == first.accuracy


def test_without_exits_only_the_native_plan_stands_beside() -> None:
    assert set(tiercut.frontier(*CASE, exits="final").beside) == {NATIVE}
    assert tiercut.frontier(*CASE, over=["latency", "bytes", "accuracy"]).beside == {}
    assert tiercut.solve(*CASE).beside == {}
    assert tiercut.frontier(*CASE, only="distributed").beside == {}  # both are in one piece


def test_json_names_them_and_is_read_back(tmp_path: Any) -> None:
    found = tiercut.frontier(*CASE)
    data = found.to_data()["frontier"]
    assert data["over"] == ["latency", "accuracy"]
    assert data["one_exit"]["latency_s"] == found.beside[ONE_EXIT].latency_s
    assert data["native"]["partition"] == [10]
    path = tmp_path / "answer.json"
    path.write_text(found.to_json())
    assert len(tiercut.load_plans(path)) == len(found)
