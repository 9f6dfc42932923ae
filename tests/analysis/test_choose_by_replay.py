"""Plans chosen by replay: their figures are those of the samples, and they are the best of what was replayed."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import tiercut
from tiercut import InfeasibleError, QuestionError, StoppedError
from tiercut.analysis.choose_by_replay import beside
from tiercut.analysis.replay import replay_decisions
from tiercut.optimizer.pricing import evaluate
from tiercut.optimizer.samples.recorded import Recorded
from tiercut.report.plots.replayed import replayed_plans

CASE = ("iot", "resnet20-digits32")


@pytest.fixture(scope="module")
def front() -> tiercut.Answer:
    return tiercut.frontier(*CASE, evaluate="replay")


def test_every_plan_has_the_figures_of_the_samples(front: tiercut.Answer) -> None:
    assert front.replayed is not None
    assert [each.replayed for each in front.replayed.plans] == list(front)
    for plan, seen in zip(front, tiercut.replay(*CASE, list(front)), strict=True):
        assert (plan.latency_s, plan.accuracy) == (seen.mean_s, seen.accuracy)


def test_no_plan_of_the_model_beats_the_frontier_once_it_is_replayed(front: tiercut.Answer) -> None:
    assert front.replayed is not None
    assert len(front.replayed.modelled) == len(tiercut.frontier(*CASE))
    points = np.array([(plan.latency_s, plan.accuracy) for plan in front])
    assert np.all(np.diff(points, axis=0) > 0)
    for each in front.replayed.modelled:
        as_quick = points[points[:, 0] <= each.mean_s]
        assert as_quick[:, 1].max() >= each.accuracy - 1e-12


def test_bounds_hold_for_what_is_replayed_and_not_for_what_the_model_says() -> None:
    # the model prices plans of this network too low in accuracy, so it refuses quicker ones that are good enough
    asked: dict[str, Any] = {"min_accuracy": 0.98, "estimator": "marginal"}
    own, replayed = (tiercut.solve(*CASE, **asked, evaluate=how).best for how in ("model", "replay"))  # type: ignore[arg-type]
    assert (replayed.accuracy or 0.0) >= 0.98
    assert replayed.latency_s < own.latency_s
    where: dict[str, Any] = {"partition": replayed.partition, "placement": replayed.placement}
    plan = tiercut.plan(*CASE, **where, threshold=replayed.threshold, estimator="marginal")
    assert (plan.accuracy or 0.0) < 0.98


def test_a_bound_on_another_measure_is_judged_by_the_samples_too() -> None:
    asked = {"bounds": ["compute:micro<=8 ms", "bytes<=13 kB"], "min_accuracy": 0.9}
    answer = tiercut.rank(*CASE, top=30, evaluate="replay", **asked)  # type: ignore[arg-type]
    recorded = Recorded.of(tiercut.samples_of(tiercut.load_profile(CASE[1])))
    replayed = replace(answer.space.problem, recorded=recorded)
    assert len(answer) == 30
    for plan in answer:
        assert evaluate(replayed, plan.decision, "bytes") <= 13e3 + 2e-5
        assert evaluate(replayed, plan.decision, "compute:micro") <= 0.008 + 1e-9
        assert plan.bytes_sent == pytest.approx(evaluate(replayed, plan.decision, "bytes"))


def test_the_most_accurate_is_chosen_where_accuracy_is_the_objective() -> None:
    answer = tiercut.rank(*CASE, objective="accuracy", max_latency="41 ms", evaluate="replay")
    rights = [plan.accuracy or 0.0 for plan in answer]
    assert rights == sorted(rights, reverse=True)
    assert all(plan.latency_s <= 0.041 + 1e-9 for plan in answer)
    front = tiercut.frontier(*CASE, max_latency="41 ms", evaluate="replay")
    assert rights[0] == front[-1].accuracy


def test_the_answer_as_json_says_what_was_replayed_and_what_the_model_says(front: tiercut.Answer) -> None:
    data = json.loads(front.to_json())
    evaluation = data["evaluation"]
    assert (evaluation["by"], evaluation["split"], evaluation["samples"]) == ("replay", "profile", 720)
    assert evaluation["guarantee"] == "all 170,000 decisions were replayed: for these samples nothing is better"
    assert [each["replay"]["latency_s"] for each in evaluation["plans"]] == [
        each["latency_s"] for each in data["plans"]
    ]
    assert all(each["replay"]["accuracy_low"] <= each["replay"]["accuracy"] for each in evaluation["plans"])
    assert len(evaluation["model_plans"]) == len(tiercut.frontier(*CASE))
    assert "evaluation" not in tiercut.frontier(*CASE).to_data()


def test_what_no_plan_keeps_when_it_is_replayed_is_refused_with_the_nearest_value() -> None:
    with pytest.raises(InfeasibleError, match=r"reaches an accuracy of 0\.995; the best that can be had is 0\.9875 "):
        _ = tiercut.solve(*CASE, min_accuracy=0.995, evaluate="replay").best


@pytest.mark.parametrize("asked", [{}, {"max_latency": "41 ms"}, {"exits": "free", "min_accuracy": 0.97}])
def test_candidates_come_near_to_what_trying_everything_finds(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = tiercut.frontier(*CASE, estimator="replay", **asked)
    monkeypatch.setattr("tiercut.analysis.choose_by_replay._ALL_REPLAYED", 0)
    near = tiercut.frontier(*CASE, evaluate="replay", **asked)
    assert near.replayed is not None
    assert not near.replayed.proved
    assert "a better plan may lie beyond" in near.replayed.guarantee
    both = [{(plan.latency_s, plan.accuracy) for plan in answer} for answer in (exact, near)]
    assert len(both[0] & both[1]) >= 0.9 * len(both[0])
    for plan in near:
        assert any(other.latency_s <= plan.latency_s and other.accuracy >= plan.accuracy for other in exact)


def test_where_no_candidate_keeps_the_bounds_the_nearest_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiercut.analysis.choose_by_replay._ALL_REPLAYED", 0)
    answer = tiercut.solve(*CASE, min_accuracy=0.995, evaluate="replay")
    assert (answer.outcome.status, answer.outcome.exact) == ("stopped", False)
    with pytest.raises(StoppedError, match=r"keeps the bounds when it is replayed; nearest comes .* 0\.98"):
        _ = answer.best


def test_what_replay_proves_is_what_the_answer_says(front: tiercut.Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(answer: tiercut.Answer) -> tuple[bool, str]:
        solver = answer.to_data()["solver"]
        return solver["exact"], solver["status"]

    assert said(front) == (True, "optimal")
    assert said(tiercut.solve(*CASE, min_accuracy=0.995, evaluate="replay")) == (True, "infeasible")
    monkeypatch.setattr("tiercut.analysis.choose_by_replay._ALL_REPLAYED", 0)
    assert said(tiercut.solve(*CASE, min_accuracy=0.9, evaluate="replay")) == (False, "feasible")


def test_what_only_the_model_cannot_do_is_not_proved_for_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiercut.analysis.choose_by_replay._ALL_REPLAYED", 0)
    answer = tiercut.solve(*CASE, max_latency="1 ms", evaluate="replay")
    assert answer.outcome.status == "stopped"
    assert "no plan takes at most 1 ms" in answer.message


def test_what_the_model_cannot_do_either_is_refused_as_the_model_does() -> None:
    with pytest.raises(InfeasibleError, match="no plan takes at most 1 ms; the least latency is"):
        _ = tiercut.solve(*CASE, max_latency="1 ms", evaluate="replay").best


def test_an_unknown_evaluation_is_refused() -> None:
    with pytest.raises(QuestionError, match="there is no evaluation 'replays'; did you mean 'replay'"):
        tiercut.solve(*CASE, evaluate="replays")  # type: ignore[arg-type]


def test_a_split_that_is_unknown_or_would_not_be_looked_at_is_refused() -> None:
    with pytest.raises(QuestionError, match="there is no split of samples 'tests'; did you mean 'test'"):
        tiercut.solve(*CASE, split="tests")  # type: ignore[arg-type]
    with pytest.raises(QuestionError, match="split 'test' says which samples replay or certify plans"):
        tiercut.solve(*CASE, split="test")


def test_the_picture_holds_both_figures_of_both_sets_of_plans(front: tiercut.Answer) -> None:
    assert front.replayed is not None
    data = replayed_plans(front.replayed)
    assert data.chosen.shape == data.expected.shape == (len(front), 2)
    assert data.promised.shape == data.kept.shape == (len(front.replayed.modelled), 2)
    assert np.all(data.low <= data.chosen[:, 1])
    assert np.all(data.chosen[:, 1] <= data.high)
    np.testing.assert_allclose(data.chosen[:, 0], [1e3 * plan.latency_s for plan in front])


def test_with_a_threshold_for_each_exit_nothing_beside_the_plan_is_better() -> None:
    asked: dict[str, Any] = {"exits": "free", "thresholds": "per-exit", "min_accuracy": 0.98}
    answer = tiercut.solve("mobile", CASE[1], **asked, evaluate="replay")
    best = answer.best
    assert (best.accuracy or 0.0) >= 0.98
    assert answer.outcome.status == "feasible"
    assert answer.replayed is not None
    others = list(beside(answer.space, best.decision))
    assert len(set(others)) > 50
    recorded = Recorded.of(tiercut.samples_of(tiercut.load_profile(CASE[1])))
    for other in replay_decisions(answer.space.problem, others, recorded):
        assert other.accuracy < 0.98 or other.mean_s >= best.latency_s - 1e-12


def test_a_threshold_for_each_exit_finds_no_worse_plan_than_one_for_all() -> None:
    one, each = (
        tiercut.solve(*CASE, exits="free", thresholds=how, min_accuracy=0.97, evaluate="replay").best  # type: ignore[arg-type]
        for how in ("one", "per-exit")
    )
    assert each.latency_s <= one.latency_s


def test_what_was_found_when_the_time_is_up_is_replayed_and_the_limit_kept() -> None:
    asked: dict[str, Any] = {"exits": "free", "thresholds": "per-exit", "min_accuracy": 0.98, "evaluate": "replay"}
    tiercut.solve("mobile", CASE[1], **asked, time_limit="10 ms")  # compiles
    began = time.perf_counter()
    answer = tiercut.solve("mobile", CASE[1], **asked, time_limit="600 ms")
    assert time.perf_counter() - began < 30  # a busy machine takes longer to set the question up
    assert answer.replayed is not None
    assert answer.best.latency_s <= 0.24
    assert "a better plan may lie beyond" in answer.outcome.reason


@pytest.mark.parametrize("exits", ["cuts", "free"])
def test_what_a_plan_gains_its_rate_and_cuts_left_out_are_told_as_for_the_formula(exits: Any) -> None:
    per_exit: Any = "per-exit" if exits == "free" else "one"  # in the other case all are replayed
    asked: dict[str, Any] = {"exits": exits, "thresholds": per_exit, "min_accuracy": 0.985, "rate": "1 fps"}
    answer = tiercut.solve(*CASE, **asked, max_utilisation="none", evaluate="replay")
    assert answer.replayed is not None
    assert answer.native is not None
    assert (answer.native.accuracy or 0.0) >= 0.985
    assert answer.native.latency_s >= answer.best.latency_s
    gain, rate, *_ = answer.notes
    assert "on one machine" in gain
    assert rate.startswith("at 1 fps ")
    assert "is the busiest" in rate
