"""The price of a plan against a second scorer in plain Python, on 5,000 random problems."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isclose

import numpy as np
import pytest
from support.reference import Score
from support.reference_measures import crossed, utilisations, value
from support.seeded.choices import drawn_choices
from support.seeded.problems import Case, random_case

from tiercut.analysis.answers.cloud import sample_cloud
from tiercut.optimizer.own_plan import decide
from tiercut.optimizer.plan import Plan
from tiercut.optimizer.pricing import evaluate, price

CHUNKS, PER_CHUNK = 20, 250


@dataclass(frozen=True)
class Drawn:
    """A random problem, and a few choices in it with what the second scorer says of them."""

    seed: int
    case: Case
    scores: list[Score]


@pytest.fixture(scope="module", params=range(CHUNKS))
def drawn(request: pytest.FixtureRequest) -> list[Drawn]:
    """One chunk of the random problems; the tests below take turns at it."""
    seeds = range(request.param * PER_CHUNK, (request.param + 1) * PER_CHUNK)
    cases = [(seed, random_case(seed)) for seed in seeds]
    return [Drawn(seed, case, drawn_scores(case, np.random.default_rng(seed))) for seed, case in cases]


def near(got: float, wanted: float) -> bool:
    """Whether two sums are the same to 12 digits; a share of no samples may miss 0 by the rounding of 1."""
    return isclose(got, wanted, rel_tol=1e-12, abs_tol=1e-15)


def drawn_scores(case: Case, rng: np.random.Generator) -> list[Score]:
    return [case.reference.score(choice) for choice in drawn_choices(case, rng)]


def assert_same_plan(plan: Plan, score: Score) -> None:
    assert near(plan.latency_s, score.latency)
    assert isclose(
        plan.bytes_sent, score.bytes_sent, rel_tol=1e-12, abs_tol=1e-8
    )  # megabytes times a share of no samples
    assert near(plan.input_s, score.input_s)
    assert (plan.accuracy is None) == (score.accuracy is None)
    assert near(plan.accuracy or 0.0, score.accuracy or 0.0)
    assert len(plan.stages) == len(score.parts)
    for stage, part in zip(plan.stages, score.parts, strict=True):
        assert (stage.node, stage.blocks, stage.send_to) == (part.node, part.blocks, part.send_to)
        assert abs(stage.reach - part.reach) < 1e-15 * 8
        assert abs(stage.exit_rate - part.exit_rate) < 1e-15 * 8
        assert stage.send_bytes == part.send_bytes
        assert near(stage.send_s, part.send_s)
        assert near(stage.result_s, part.result_s)
        if part.reach > 0:  # of several spans that no sample reaches there is no mean
            assert isclose(stage.compute_s, part.compute_s, rel_tol=1e-10, abs_tol=1e-15)  # a span less its branch


def test_every_plan_has_the_price_that_the_second_scorer_gives_it(drawn: list[Drawn]) -> None:
    for each in drawn:
        for score in each.scores:
            assert_same_plan(price(each.case.problem, each.case.decision(score.choice)), score)


def test_as_many_decisions_are_counted_as_there_are(drawn: list[Drawn]) -> None:
    for each in drawn:
        for case in (each.case, replace(each.case, codec="auto")):
            assert case.space.decisions == case.decisions, each.seed


def test_kernels_score_sampled_plans_as_the_second_scorer_does(drawn: list[Drawn]) -> None:
    """Every sampled point is the score of some plan with as many partitions."""
    for each in drawn:
        case, reference = each.case, each.case.reference
        if reference.decisions(case.exits, case.order) > 100:
            continue
        cloud = sample_cloud(case.space, 8, seed=each.seed)
        scores = reference.scores(case.exits, case.order)
        known = case.space.knows_accuracy
        for cost, accuracy, count in zip(cloud.costs, cloud.accuracies, cloud.partitions, strict=True):
            assert any(
                near(cost, score.latency) and (not known or near(accuracy, score.accuracy or 0.0))
                for score in scores
                if len(score.choice.partition) == count
            ), each.seed


def test_bytes_energy_and_cost_are_what_the_second_scorer_adds_up(drawn: list[Drawn]) -> None:
    for each in drawn:
        for score in each.scores:
            problem, decision = each.case.problem, each.case.decision(score.choice)
            assert isclose(evaluate(problem, decision, "bytes"), score.bytes_sent, rel_tol=1e-12, abs_tol=1e-8)
            if score.energy is not None and score.cost is not None:
                assert isclose(evaluate(problem, decision, "energy"), score.energy, rel_tol=1e-10, abs_tol=1e-12)
                assert isclose(evaluate(problem, decision, "cost"), score.cost, rel_tol=1e-10, abs_tol=1e-20)


def test_what_crosses_links_and_keeps_nodes_busy_is_what_the_second_scorer_adds_up(
    drawn: list[Drawn],
) -> None:
    for each in drawn[::25]:
        problem, reference = each.case.problem, each.case.reference
        for score in each.scores:
            decision, total = each.case.decision(score.choice), crossed(reference, score.parts)
            wanted = {f"link:{a}>{b}": size for (a, b), size in total.items()}
            for link in each.case.topology["links"]:
                if (ends := link.get("between")) is not None:
                    both = total[tuple(ends)] + total[tuple(reversed(ends))]
                    wanted[f"link:{'-'.join(ends)}"] = both
            for place, share in utilisations(reference, score, 30.0).items():
                wanted[f"utilisation:{place}"] = share
            if score.energy is not None:
                for node in reference.nodes:
                    wanted[f"energy:{node}"] = value(reference, score, f"energy:{node}")
            for node in reference.nodes:
                wanted[f"out:{node}"] = sum(size for (a, _), size in total.items() if a == node)
            for name, amount in wanted.items():
                got = evaluate(problem, decision, name, 30.0)
                assert isclose(got, amount, rel_tol=1e-10, abs_tol=1e-8), (each.seed, name)


def test_a_decision_given_by_name_is_the_one_that_is_priced(drawn: list[Drawn]) -> None:
    for each in drawn:
        for score in each.scores:
            choice = score.choice
            index = choice.threshold
            threshold = None if index is None else each.case.profile["exits"]["thresholds"][index]
            coded = {"codecs": choice.codecs or None, "input_codec": choice.input_codec}
            made = decide(each.case.problem, choice.partition, choice.placement, threshold, choice.exits, **coded)
            assert made == each.case.decision(choice)
