"""Replays: against one sample at a time in plain Python, and by hand."""

from __future__ import annotations

from dataclasses import replace
from math import isclose
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats
from support.made import both, exits_data, profile_data, topology_data
from support.replayed import lives, random_samples
from support.seeded.choices import drawn_choices
from support.seeded.problems import random_case

import tiercut
from tiercut import Profile, QuestionError, Samples, Topology
from tiercut.analysis.distribution import Distribution
from tiercut.analysis.replay import replay_decisions
from tiercut.errors import InputError
from tiercut.optimizer.plan import Decision
from tiercut.optimizer.pricing import evaluate
from tiercut.optimizer.samples.intervals import clopper_pearson, rank_of, samples_needed
from tiercut.optimizer.samples.recorded import Recorded, single_precision
from tiercut.profiling.profile.samples import save_samples

CASES = 150
COUNT = 40

TWO = topology_data("a b", [both("a", "b", 1.0, 1e3)])
THREE_BLOCKS = profile_data(
    [1.0, 2.0, 4.0], [0.0, 1000.0, 2000.0, 0.0], exits=exits_data([0.5, 0.6, 0.9], [0.5, 0.25, 0.25])
)


def table(entropy: list[list[float]], correct: list[list[int]]) -> Samples:
    return Samples(np.array(entropy, np.float32), np.array(correct, bool))


FOUR = table(
    [[0.05, 0.5, 0.5], [0.5, 0.09, 0.5], [0.5, 0.1, 0.5], [0.1, 0.5, 0.01]],
    [[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 1, 1]],
)
"""At threshold 0.1 the first leaves at block 1, the second at block 2; single precision 0.1 is not below 0.1."""


def of_four(samples: Samples = FOUR, **plan: object) -> tiercut.Replay:
    loaded = Topology.from_data(TWO), Profile.from_data(THREE_BLOCKS)
    wanted = {"partition": [2, 3], "placement": ["a", "b"], "threshold": 0.1} | plan
    return tiercut.replay(*loaded, tiercut.plan(*loaded, **wanted), samples=samples)  # type: ignore[arg-type]


def test_four_samples_by_hand() -> None:
    seen = of_four()
    assert [(each.block, each.node, each.left, each.right) for each in seen.exits] == [(2, "a", 1, 1), (3, "b", 3, 1)]
    # blocks 1 and 2 take 3 s; sending 2000 bytes 3 s, block 3 4 s, and the empty result 1 s back from b
    assert [each.latency_s for each in seen.exits] == [3.0, 11.0]
    assert seen.mean_s == (3.0 + 3 * 11.0) / 4
    assert seen.accuracy == 0.5
    assert seen.latencies == Distribution((3.0, 11.0), (1, 3), (1, 1))
    assert [each.model_exit_rate for each in seen.exits] == [0.75, 0.25]
    assert (seen.model.latency_s, seen.model.accuracy) == (0.75 * 3 + 0.25 * 11, 0.75 * 0.6 + 0.25 * 0.9)
    assert [stage.reach for stage in seen.replayed.stages] == [1.0, 0.75]


def test_a_free_exit_inside_a_partition_lets_samples_go_before_the_cut() -> None:
    seen = of_four(exits=[1, 2, 3])
    assert [(each.left, each.right, each.latency_s) for each in seen.exits] == [(1, 1, 1.0), (1, 1, 3.0), (2, 1, 11.0)]
    assert [each.node for each in seen.exits] == ["a", "a", "b"]


def test_a_plan_with_one_exit_asks_nobody() -> None:
    seen = of_four(partition=[3], placement=["b"], threshold=None)
    assert [(each.left, each.right) for each in seen.exits] == [(4, 1)]


@pytest.mark.parametrize("seed", range(CASES))
def test_replay_is_what_every_sample_comes_to_by_itself(seed: int) -> None:
    rng = np.random.default_rng([7, seed])
    case = random_case([7, seed])
    samples = random_samples(rng, COUNT, case.reference.blocks)
    for choice in drawn_choices(case, rng)[:2]:
        wanted = lives(case, choice, samples)
        (seen,) = replay_decisions(case.problem, [case.decision(choice)], Recorded.of(samples))
        assert isclose(seen.mean_s, wanted.mean("latency"), rel_tol=1e-12, abs_tol=1e-15)
        assert isclose(seen.accuracy, wanted.mean("accuracy"), rel_tol=1e-12, abs_tol=1e-12)
        assert isclose(seen.replayed.bytes_sent, wanted.mean("bytes_sent"), rel_tol=1e-12, abs_tol=1e-8)
        assert seen.quantile(0.5) == pytest.approx(np.quantile(wanted.latencies, 0.5, method="inverted_cdf"), rel=1e-12)
        assert sum(each.left for each in seen.exits) == COUNT


@pytest.mark.parametrize("seed", range(30))
def test_replay_prices_other_measures_too(seed: int) -> None:
    rng = np.random.default_rng([8, seed])
    case = random_case([8, seed])
    samples = random_samples(rng, COUNT, case.reference.blocks)
    for choice in drawn_choices(case, rng)[:1]:
        decision = case.decision(choice)
        (seen,) = replay_decisions(case.problem, [decision], Recorded.of(samples))
        assert seen.replayed.decision == decision
        replayed = replace(case.problem, recorded=Recorded.of(samples))
        if len(case.reference.watts) == len(case.reference.nodes):
            wanted = lives(case, choice, samples).mean("energy")
            assert isclose(evaluate(replayed, decision, "energy"), wanted, rel_tol=1e-12)


def test_many_plans_at_once_are_each_by_itself() -> None:
    answer = tiercut.rank("mobile", "resnet20-digits32", top=40, exits="free")
    recorded = Recorded.of(tiercut.samples_of(tiercut.load_profile("resnet20-digits32")))
    together = replay_decisions(answer.space.problem, [plan.decision for plan in answer], recorded)
    apart = [tiercut.replay("mobile", "resnet20-digits32", plan) for plan in answer]
    assert [each.to_data() for each in together] == [each.to_data() for each in apart]


def test_a_threshold_per_exit_is_asked_at_its_exit() -> None:
    plan = tiercut.plan(
        "mobile",
        "resnet20-digits32",
        partition=[3, 5, 8],
        placement=["watch", "phone", "cloud"],
        thresholds=[0.3, 0.6],
    )
    samples = tiercut.samples_of(tiercut.load_profile("resnet20-digits32"))
    seen = tiercut.replay("mobile", "resnet20-digits32", plan)
    first = samples.entropy[:, 2].astype(float) < 0.3
    second = ~first & (samples.entropy[:, 4].astype(float) < 0.6)
    assert [each.left for each in seen.exits[:2]] == [first.sum(), second.sum()]
    assert seen.exits[1].right == (second & samples.correct[:, 4]).sum()


def test_in_the_full_configuration_replay_and_the_rates_of_the_profile_agree() -> None:
    profile = tiercut.load_profile("resnet20-digits32")
    assert profile.exits is not None
    assert profile.exits.exit_rate is not None
    for index in (0, 9, 19):
        how = {"partition": [10], "placement": ["phone"], "exits": range(1, 11)}
        plan = tiercut.plan("mobile", profile, threshold=profile.exits.thresholds[index], **how)  # type: ignore[arg-type]
        seen = tiercut.replay("mobile", profile, plan)
        np.testing.assert_allclose([each.exit_rate for each in seen.exits], profile.exits.exit_rate[index], atol=1e-12)
        assert seen.mean_s == pytest.approx(plan.latency_s, rel=1e-12)


def test_the_fall_that_a_codec_brings_is_taken_off_for_who_crosses() -> None:
    codec = {"bytes": [None, 10.0, 20.0], "accuracy_drop": [None, 0.0, 0.04]}
    times = {key: {"d": [None, 0.5, 0.5]} for key in ("encode_s", "decode_s")}
    profile = Profile.from_data({**THREE_BLOCKS, "codecs": {"small": codec | times}})
    topology = Topology.from_data(TWO)
    plan = tiercut.plan(topology, profile, partition=[2, 3], placement=["a", "b"], threshold=0.1, codecs=["small"])
    seen = tiercut.replay(topology, profile, plan, samples=FOUR)
    assert seen.codec_drop == pytest.approx(0.75 * 0.04)
    assert seen.accuracy == pytest.approx(0.5 - 0.03)
    low, high = clopper_pearson(2, 4)
    assert seen.accuracy_interval() == pytest.approx((low - 0.03, high - 0.03))


def test_the_fall_that_a_codec_of_the_input_brings_is_taken_off_for_all() -> None:
    times = {key: {"d": [0.5, None, None]} for key in ("encode_s", "decode_s")}
    codec = {"bytes": [10.0, None, None], "accuracy_drop": [0.04, None, None]} | times
    profile = Profile.from_data({**THREE_BLOCKS, "codecs": {"small": codec}})
    topology = Topology.from_data(TWO)
    plan = tiercut.plan(topology, profile, partition=[3], placement=["b"], input_codec="small")
    seen = tiercut.replay(topology, profile, plan, samples=FOUR)
    assert seen.codec_drop == pytest.approx(0.04)
    assert seen.replayed.input_codec == "small"


# Thresholds in single precision


@given(st.floats(0, 1), st.floats(0, 1, width=32))
def test_single_precision_keeps_what_is_below_a_threshold(threshold: float, entropy: float) -> None:
    limit = single_precision(np.array([threshold]))[0]
    assert (np.float32(entropy) < limit) == (entropy < threshold)


# Quantiles and intervals


def test_quantiles_are_refused_with_the_number_that_they_need() -> None:
    seen = of_four()
    with pytest.raises(QuestionError, match=r"0\.99 quantile of the latency needs 662 samples, and there are 4"):
        seen.quantile(0.99)
    assert seen.quantiles == {"p50": None, "p95": None, "p99": None}
    assert seen.to_data()["latency"]["samples_needed"] == {"p50": 11, "p95": 130, "p99": 662}
    enough = of_four(Samples(np.tile(FOUR.entropy, (166, 1)), np.tile(FOUR.correct, (166, 1))))
    assert enough.quantiles == {"p50": 11.0, "p95": 11.0, "p99": 11.0}
    assert enough.quantile(0.25) == 3.0
    few = of_four(Samples(np.tile(FOUR.entropy, (165, 1)), np.tile(FOUR.correct, (165, 1))))
    assert few.quantiles["p99"] is None


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_enough_samples_are_the_fewest_with_two_beyond_the_quantile_almost_surely(quantile: float) -> None:
    needed = samples_needed(quantile)
    assert stats.binom.cdf(1, needed, 1 - quantile) <= 0.01 < stats.binom.cdf(1, needed - 1, 1 - quantile)
    assert samples_needed(round(1 - quantile, 12)) == pytest.approx(needed, abs=1)


@pytest.mark.parametrize("quantile", [0.0, 1.0, -1.0, float("nan")])
def test_what_is_no_quantile_is_refused(quantile: float) -> None:
    with pytest.raises(QuestionError, match="between 0 and 1"):
        samples_needed(quantile)


@given(st.integers(1, 100_000), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_interval_is_that_of_clopper_and_pearson(count: int, share: float, confidence: float) -> None:
    hits = round(share * count)
    exact = stats.binomtest(hits, count).proportion_ci(confidence, method="exact")
    assert clopper_pearson(hits, count, confidence) == pytest.approx((exact.low, exact.high), abs=1e-9)


@pytest.mark.parametrize(("hits", "count", "confidence"), [(2, 1, 0.95), (-1, 5, 0.95), (0, 0, 0.95), (1, 2, 1.0)])
def test_an_interval_of_nonsense_is_refused(hits: int, count: int, confidence: float) -> None:
    with pytest.raises(QuestionError):
        clopper_pearson(hits, count, confidence)


@given(st.integers(1, 2000), st.integers(1, 99))
def test_the_rank_of_a_quantile_is_the_first_that_enough_samples_do_not_exceed(count: int, percent: int) -> None:
    rank = rank_of(percent / 100, count)
    assert 100 * rank >= percent * count > 100 * (rank - 1)


# What does not fit


def test_samples_of_another_network_are_refused() -> None:
    with pytest.raises(QuestionError, match="4 branches, but profile 'made' has 3 blocks"):
        of_four(table([[0.1] * 4], [[1] * 4]))


def test_samples_that_were_never_recorded_are_asked_for() -> None:
    loaded = Topology.from_data(TWO), Profile.from_data(THREE_BLOCKS)
    plan = tiercut.plan(*loaded, partition=[3], placement=["a"])
    with pytest.raises(QuestionError, match="samples_file"):
        tiercut.replay(*loaded, plan)
    with pytest.raises(QuestionError, match="test_samples_file"):
        tiercut.replay(*loaded, plan, split="test")
    with pytest.raises(QuestionError, match="split of samples 'train'"):
        tiercut.replay(*loaded, plan, split="train")  # type: ignore[arg-type]


def test_the_samples_of_the_test_split_are_replayed_where_the_profile_names_them(tmp_path: Path) -> None:
    data = {**THREE_BLOCKS, "samples": 9, "samples_file": "missing.npz", "test_samples_file": "test.npz"}
    tiercut.save_profile(Profile.from_data(data), tmp_path / "it.json")
    save_samples(FOUR, tmp_path / "test.npz")
    topology, profile = Topology.from_data(TWO), tiercut.load_profile(tmp_path / "it.json")
    plan = tiercut.plan(topology, profile, partition=[2, 3], placement=["a", "b"], threshold=0.1, estimator="marginal")
    seen = tiercut.replay(topology, profile, plan, split="test", estimator="marginal")
    assert (seen.split, seen.samples, seen.accuracy) == ("test", 4, 0.5)
    with pytest.raises(
        InputError, match=r"missing\.npz: there is no such file, which profile .* names as its samples_file"
    ):
        tiercut.replay(topology, profile, plan, estimator="marginal")


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("seed", range(30))
def test_the_exit_of_each_sample_is_known_without_a_problem(
    seed: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiled:
        monkeypatch.setattr("tiercut.optimizer.samples.recorded._QUICK", 0)
    rng = np.random.default_rng(seed)
    samples = random_samples(rng, 50, 6)
    recorded = Recorded.of(samples)
    exits = (*sorted(rng.choice(np.arange(1, 6), 2, replace=False).tolist()), 6)
    thresholds = rng.choice(np.round(np.linspace(0.05, 0.95, 19), 2), 2).tolist()
    taken = recorded.leaving(exits, thresholds)
    rows = samples.entropy.astype(float)
    for row, found in zip(rows, taken.tolist(), strict=True):
        below = [block for block, limit in zip(exits, thresholds, strict=False) if row[block - 1] < limit]
        assert found == (below[0] if below else 6)
    known, indices = np.unique(thresholds, return_inverse=True)
    decision = Decision((6,), (0,), exits, thresholds=tuple(indices.tolist()))
    ((left, right),) = recorded.count_leaving(known, [decision])
    assert left.tolist() == [int(np.sum(taken == block)) for block in exits]
    good = samples.correct[np.arange(50), taken - 1]
    assert right.tolist() == [int(np.sum(good & (taken == block))) for block in exits]
    with pytest.raises(QuestionError, match="a threshold for every exit but the last, 2, and got 1"):
        recorded.leaving(exits, thresholds[:1])
