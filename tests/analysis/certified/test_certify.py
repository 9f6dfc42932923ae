"""Certified plans: tested on samples that did not choose them, from safe to fast; too few samples are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiercut
from tiercut import QuestionError, StoppedError
from tiercut.analysis.answering import _answered
from tiercut.analysis.certified.certificate import treatment_of
from tiercut.analysis.certified.certify import certified
from tiercut.analysis.certified.held_out import HeldOut, hold_out, profile_by
from tiercut.optimizer import Query, Recorded, binomial_tail, least_share, samples_to_show
from tiercut.profiling import Samples
from tiercut.solvers import Options

CASE = ("iot", "resnet20-clutter")


@pytest.fixture(scope="module")
def held() -> HeldOut:
    return hold_out(tiercut.load_profile(CASE[1]), "profile", 0)


@pytest.fixture(scope="module")
def front() -> tiercut.Answer:
    return tiercut.frontier(*CASE, min_accuracy=0.86, certify=0.95)


def asker(samples: Samples) -> Callable[[Query], tiercut.Answer]:
    """Return what answers questions by samples."""
    topology = tiercut.load_topology("iot")
    profile = profile_by(tiercut.load_profile("resnet20-clutter"), samples)
    return lambda query: _answered(topology, profile, query, "auto", Options(), own=samples)


def hits_of(plan: tiercut.Plan, samples: Recorded) -> int:
    """Count right answers sample by sample."""
    chosen = plan.thresholds or (plan.threshold or 0.0,) * (len(plan.exits) - 1)
    hits = 0
    for entropy, correct in zip(samples.entropy.T.tolist(), samples.correct.T.tolist(), strict=True):
        early = (e for e, limit in zip(plan.exits, chosen, strict=False) if entropy[e - 1] < limit)
        hits += correct[next(early, plan.exits[-1]) - 1]
    return hits


def test_halves_are_drawn_by_the_seed_and_have_no_sample_in_common() -> None:
    profile = tiercut.load_profile(CASE[1])
    whole = tiercut.samples_of(profile)
    one, other, same = (hold_out(profile, "profile", seed) for seed in (0, 1, 0))
    assert np.array_equal(one.choosing.entropy, same.choosing.entropy)
    assert not np.array_equal(one.choosing.entropy, other.choosing.entropy)
    both = np.vstack([one.choosing.entropy, one.certifying.entropy.T])
    assert sorted(map(tuple, both.tolist())) == sorted(map(tuple, whole.entropy.tolist()))
    assert len(one.choosing.entropy) == one.certifying.count == 3000


def test_a_profile_by_samples_has_their_rates_and_accuracies() -> None:
    profile = tiercut.load_profile(CASE[1])
    same = profile_by(profile, tiercut.samples_of(profile)).exits
    assert profile.exits is not None
    assert same is not None
    assert same.accuracy == pytest.approx(profile.exits.accuracy)
    assert np.allclose(same.exit_rate, profile.exits.exit_rate)
    half = hold_out(profile, "profile", 0).choosing
    other = profile_by(profile, half).exits
    assert other is not None
    assert other.accuracy == pytest.approx(half.correct.mean(axis=0).tolist())


def test_the_samples_that_certify_take_no_part_in_the_choice(held: HeldOut) -> None:
    wrong = Recorded(held.certifying.entropy, np.zeros_like(held.certifying.correct))
    seen: list[Any] = []

    def spied(samples: HeldOut) -> Callable[[Query], tiercut.Answer]:
        def ask(query: Query) -> tiercut.Answer:
            seen.append(query)
            return asker(samples.choosing)(query)

        return ask

    query = Query(min_accuracy=0.85)
    assert certified(query, 0.95, held, spied(held)).plans
    before, seen = seen, []
    nothing = certified(query, 0.95, replace(held, certifying=wrong), spied(held))
    assert not nothing.plans
    assert seen == before


def test_every_certified_plan_has_passed_the_exact_test(front: tiercut.Answer, held: HeldOut) -> None:
    found = front.certified
    assert found is not None
    assert (found.method, found.min_accuracy, found.samples, found.chosen_by) == ("fixed sequence", 0.86, 3000, 3000)
    for plan in front:
        row = found.of(plan)
        assert row.hits == hits_of(plan, held.certifying)
        assert row.p_value == binomial_tail(row.hits, 3000, 0.86)
        assert row.p_value <= 0.05
        assert row.at_least == 0.86
    assert not front.beside  # no plan is shown that was not tested


def test_plans_are_tested_from_safe_to_fast_until_one_fails() -> None:
    free: dict[str, Any] = {"exits": "free", "thresholds": "per-exit", "seed": 4}
    held = hold_out(tiercut.load_profile(CASE[1]), "profile", 4)
    every = asker(held.choosing)(Query(kind="frontier", exits="free", per_exit=True, min_accuracy=0.855))
    chosen = Recorded.of(held.choosing)
    order = sorted(every, key=lambda plan: (-hits_of(plan, chosen), plan.latency_s))
    order = [plan for place, plan in enumerate(order) if all(plan.latency_s < each.latency_s for each in order[:place])]
    fails = [binomial_tail(hits_of(plan, held.certifying), 3000, 0.875) > 0.05 for plan in order]
    first = fails.index(True)
    assert 1 < first < len(order) - 1
    assert not all(fails[first:])  # one that would pass comes after the first that fails, and is not certified
    answer = tiercut.frontier(*CASE, min_accuracy=0.875, certify=0.95, **free)
    assert answer.certified is not None
    assert (answer.certified.passed, answer.certified.tested) == (first, len(order))
    assert {treatment_of(plan.decision) for plan in answer} == {treatment_of(plan.decision) for plan in order[:first]}


def test_the_best_plan_is_the_quickest_of_the_certified_ones(front: tiercut.Answer) -> None:
    best = tiercut.solve(*CASE, min_accuracy=0.86, certify="95 %")
    assert best.best == front[0]
    assert best.certified is not None
    assert best.certified.uncertified is not None
    assert best.certified.uncertified.latency_s <= best.best.latency_s


def test_no_certificate_is_quicker_with_more_confidence() -> None:
    seconds = [tiercut.solve(*CASE, min_accuracy=0.86, certify=level).best.latency_s for level in (0.6, 0.95, 0.9999)]
    assert seconds == sorted(seconds)
    assert seconds[0] < seconds[-1]


def test_a_ranking_lists_certified_plans_in_order_each_once(held: HeldOut) -> None:
    answer = tiercut.rank(*CASE, min_accuracy=0.85, certify=0.95, top=6)
    assert len(answer) == 6
    assert len({(plan.placement, plan.partition, plan.exits, plan.threshold) for plan in answer}) == 6
    assert [plan.latency_s for plan in answer] == sorted(plan.latency_s for plan in answer)
    assert answer.certified is not None
    for plan in answer:
        assert answer.certified.of(plan).hits == hits_of(plan, held.certifying)
        assert answer.certified.of(plan).p_value <= 0.05  # type: ignore[operator]
    assert answer.best.latency_s <= tiercut.solve(*CASE, min_accuracy=0.85, certify=0.95).best.latency_s


def test_without_a_least_accuracy_all_plans_share_the_level() -> None:
    answer = tiercut.frontier(*CASE, certify=0.95, split="test")
    found, test = answer.certified, Recorded.of(tiercut.samples_of(tiercut.load_profile(CASE[1]), "test"))
    assert found is not None
    assert (found.method, found.samples, found.chosen_by, found.seed) == ("each", 6000, 6000, None)
    assert found.tested == len({treatment_of(plan.decision) for plan in answer})
    for plan in answer:
        row = found.of(plan)
        assert row.hits == hits_of(plan, test)
        assert row.at_least == least_share(row.hits, 6000, 1 - 0.05 / found.tested)
        assert row.p_value is None
    greatest = tiercut.solve(*CASE, objective="accuracy", certify=0.95, split="test")
    assert greatest.certified is not None
    row = greatest.certified.of(greatest.best)
    assert row.at_least == least_share(row.hits, 6000, 0.95)  # one plan has the level for itself


def test_answers_that_change_are_those_not_right_in_both(held: HeldOut) -> None:
    answer = tiercut.solve(*CASE, min_accuracy=0.86, certify=0.95, exits="free", thresholds="per-exit")
    plan, found = answer.best, answer.certified
    assert found is not None
    samples, limits = held.certifying, (*(plan.thresholds or ()), np.inf)
    taken = np.stack([samples.entropy[e - 1] < limit for e, limit in zip(plan.exits, limits, strict=True)]).argmax(0)
    last = np.array(plan.exits)[taken] - 1
    right = samples.correct[last, np.arange(3000)] * samples.correct[-1]
    changed = int(np.sum((last != 9) & (right == 0)))
    assert found.of(plan).changed == changed / 3000
    assert found.of(plan).changed_at_most >= 1 - least_share(3000 - changed, 3000, 0.95)


def test_recorded_answers_tell_without_labels_how_many_change(held: HeldOut) -> None:
    named = np.random.default_rng(2).integers(0, 3, held.certifying.entropy.shape).astype(np.int32)
    known = replace(held, certifying=replace(held.certifying, answer=named, correct=held.certifying.correct))
    answer = certified(Query(min_accuracy=0.86, exits="free"), 0.95, known, asker(held.choosing))
    plan, found = answer.best, answer.certified
    assert found is not None
    assert found.answers_known
    assert len(plan.exits) > 1
    limits = (*[plan.threshold or 0.0] * (len(plan.exits) - 1), np.inf)
    below = [known.certifying.entropy[e - 1] < limit for e, limit in zip(plan.exits, limits, strict=True)]
    last = np.array(plan.exits)[np.argmax(below, axis=0)] - 1
    assert found.of(plan).changed == np.mean(named[last, np.arange(3000)] != named[-1])


def test_bounds_in_terms_of_the_final_accuracy_are_settled_by_the_samples_that_choose(held: HeldOut) -> None:
    answer = tiercut.solve(*CASE, max_loss="4 points", certify=0.95)
    assert answer.certified is not None
    assert answer.certified.min_accuracy == pytest.approx(held.choosing.correct[:, -1].mean() - 0.04)
    assert any("a loss of at most 4 points" in note for note in answer.notes)


def test_an_answer_says_in_json_what_is_certified(front: tiercut.Answer, tmp_path: Path) -> None:
    data = json.loads(front.to_json())
    said = data["certified"]
    assert {name: said[name] for name in ("confidence", "method", "min_accuracy", "split", "seed", "samples")} == {
        "confidence": 0.95,
        "method": "fixed sequence",
        "min_accuracy": 0.86,
        "split": "profile",
        "seed": 0,
        "samples": 3000,
    }
    assert [row["rank"] for row in said["plans"]] == [plan["rank"] for plan in data["plans"]]
    assert all(plan["certified_accuracy"] == 0.86 for plan in data["plans"])
    assert data["solver"]["status"] == "feasible"  # nothing says that no other plan could be certified
    path = tmp_path / "answer.json"
    path.write_text(front.to_json())
    assert [plan.partition for plan in tiercut.load_plans(path)] == [plan.partition for plan in front]
    assert "certified_accuracy" in front.to_csv().splitlines()[0]
    assert len(front.thinned(points=3).to_data()["certified"]["plans"]) == 3


def test_too_few_samples_are_refused_with_the_number_that_it_takes() -> None:
    with pytest.raises(QuestionError, match=r"takes 2,995 samples .* \(5,990 recorded.*and there are 360"):
        tiercut.solve("iot", "resnet20-digits32", min_accuracy=0.999, certify=0.95)
    answer = tiercut.solve(*CASE, min_accuracy=0.885, certify=0.95)
    assert answer.outcome.status == "stopped"
    with pytest.raises(
        StoppedError, match=r"no plan is certified: .* of 3,000 samples held out .* about [\d,]+ samples"
    ):
        _ = answer.best


def test_plans_that_share_the_level_take_more_samples_than_one(held: HeldOut) -> None:
    query = Query(kind="rank", objective="accuracy", min_accuracy=0.88, top=12, distinct=True)
    answer = certified(query, 0.95, held, asker(held.choosing))
    tests = len({treatment_of(plan.decision) for plan in asker(held.choosing)(query)})
    seen = hits_of(asker(held.choosing)(query)[0], held.certifying) / 3000
    assert not answer.plans
    assert tests > 1
    needed = samples_to_show(0.88, 1 - 0.05 / tests, seen)
    assert f"with 95 % confidence in {tests} plans together, which would take about {needed:,} " in answer.message


def test_a_frontier_without_accuracy_has_the_certified_plans_that_none_beats(held: HeldOut) -> None:
    over = ("latency", "bytes")
    answer = tiercut.frontier(*CASE, over=over, min_accuracy=0.87, certify=0.95)
    three = tiercut.frontier(*CASE, over=(*over, "accuracy"), min_accuracy=0.87, certify=0.95)
    rows = {tuple(row) for row in three.values(over).tolist()}
    assert len(rows) > 3
    wanted = {each for each in rows if not any(o != each and o[0] <= each[0] and o[1] <= each[1] for o in rows)}
    assert {tuple(row) for row in answer.values(over).tolist()} == wanted
    assert answer.certified is not None
    for plan in answer:
        assert binomial_tail(hits_of(plan, held.certifying), 3000, 0.87) <= 0.05
    with pytest.raises(QuestionError, match="name two of latency, bytes, compute:micro, and bound the third"):
        tiercut.frontier(*CASE, over=(*over, "compute:micro"), min_accuracy=0.86, certify=0.95)


def test_an_interrupted_ranking_asks_no_more_and_says_so(held: HeldOut) -> None:
    asked: list[Query] = []

    def ask(query: Query) -> tiercut.Answer:
        answer = asker(held.choosing)(query)
        asked.append(query)
        if len(asked) < 3:
            return answer
        return replace(answer, outcome=replace(answer.outcome, status="interrupted", reason="interrupted"))

    answer = certified(Query(kind="rank", min_accuracy=0.85, top=3), 0.95, held, ask)
    assert len(asked) == 3
    assert answer.plans
    assert answer.outcome.status == "interrupted"


def test_what_the_samples_that_choose_rule_out_is_infeasible() -> None:
    answer = tiercut.solve(*CASE, min_accuracy=0.95, certify=0.95)
    assert answer.outcome.status == "infeasible"


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({}, "certify needs an accuracy to certify"),
        ({"min_accuracy": 0.8, "codec": "auto"}, "leave codec out"),
        ({"min_accuracy": 0.8, "evaluate": "replay"}, "leave evaluate 'replay' out"),
        ({"min_accuracy": 0.8, "certify": 1.0}, "between 0 and 1"),
        ({"min_accuracy": 0.8, "certify": "often"}, "a confidence is a share such as '95 %' or 0.95, not 'often'"),
        ({"min_accuracy": 1.0}, "no number of samples shows an accuracy of 100 %"),
    ],
)
def test_what_cannot_be_certified_is_refused(question: dict[str, Any], says: str) -> None:
    with pytest.raises(QuestionError, match=says):
        tiercut.solve(*CASE, **{"certify": 0.95, **question})


def test_a_frontier_without_accuracy_and_a_profile_without_samples_are_refused() -> None:
    with pytest.raises(QuestionError, match="put accuracy among"):
        tiercut.frontier(*CASE, over=["latency", "bytes"], certify=0.95)
    bare = tiercut.load_profile(CASE[1]).model_copy(update={"samples_file": None})
    with pytest.raises(QuestionError, match="samples_file"):
        tiercut.solve("iot", bare, min_accuracy=0.8, certify=0.95)


def test_certified_bounds_hold_as_often_as_they_say_and_uncertified_ones_do_not() -> None:
    """Draw records from a population that is known, and count how often what is chosen is not accurate enough."""
    population = tiercut.samples_of(tiercut.load_profile(CASE[1]), "test")
    everybody, floor, confidence, draws = Recorded.of(population, "test"), 0.875, 0.7, 40
    rng, problem = np.random.default_rng(5), tiercut.problem(*CASE)
    failed = {"certified": 0, "uncertified": 0}
    for _ in range(draws):
        rows = rng.integers(0, everybody.count, 2000)
        held = HeldOut(population.part(rows[:1000]), Recorded.of(population.part(rows[1000:])), 0)
        answer = certified(Query(min_accuracy=floor), confidence, held, asker(held.choosing))
        found = {"certified": answer.plans[:1], "uncertified": ()}
        if answer.certified is not None and answer.certified.uncertified is not None:
            found["uncertified"] = (answer.certified.uncertified,)
        for name, plans in found.items():
            right = HeldOut(population, everybody, 0).hits(problem, [plan.decision for plan in plans])
            failed[name] += any(hits / everybody.count < floor for hits in right)
    most = draws * (1 - confidence) + 2 * np.sqrt(draws * confidence * (1 - confidence))
    assert failed["certified"] <= most < failed["uncertified"] + draws / 4
    assert failed["certified"] < failed["uncertified"]
