"""Exit rates and hits from recorded samples, by hand on a small table."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tiercut.errors import QuestionError, TiercutWarning
from tiercut.profiling.data.datasets import Split
from tiercut.profiling.exits.exits import attach_exits
from tiercut.profiling.exits.statistics import (
    calibration_error,
    exits_record,
    normalised_entropy,
    record_samples,
    warn_of_chance,
)
from tiercut.profiling.exits.thresholds import even_thresholds
from tiercut.profiling.profile.samples import Samples


@pytest.fixture
def four() -> Samples:
    """Four samples, three branches."""
    entropy = [[0.1, 0.1, 0.1], [0.5, 0.2, 0.1], [0.9, 0.8, 0.7], [0.9, 0.3, 0.5]]
    correct = [[True, True, True], [False, True, True], [False, False, True], [False, True, False]]
    return Samples(np.array(entropy, dtype=np.float32), np.array(correct))


def test_a_sample_leaves_at_the_first_branch_whose_entropy_is_below_the_threshold(four: Samples) -> None:
    record = exits_record(four, [0.25, 0.6, 0.95])
    assert record["exit_rate"] == [[0.25, 0.25, 0.5], [0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]


def test_an_entropy_equal_to_the_threshold_stays() -> None:
    samples = Samples(np.array([[0.5, 0.5]], dtype=np.float32), np.array([[True, True]]))
    assert exits_record(samples, [0.5])["exit_rate"] == [[0.0, 1.0]]


def test_each_branch_is_also_asked_alone_the_last_one_too(four: Samples) -> None:
    record = exits_record(four, [0.25, 0.6])
    assert record["exit_rate_alone"] == [[0.25, 0.5, 0.5], [0.5, 0.75, 0.75]]
    assert record["hit_rate_alone"] == [[0.25, 0.5, 0.5], [0.25, 0.75, 0.5]]


def test_accuracy_counts_all_samples_at_every_branch(four: Samples) -> None:
    assert exits_record(four, [0.5])["accuracy"] == [0.25, 0.75, 0.75]


def test_thresholds_are_compared_in_double_precision() -> None:
    # 0.1 in single precision is a little more than 0.1 in double precision, so this sample stays
    samples = Samples(np.array([[np.float32(0.1), 0.0]], dtype=np.float32), np.array([[True, True]]))
    assert exits_record(samples, [0.1])["exit_rate"] == [[0.0, 1.0]]


def test_rates_sum_to_1_whatever_was_recorded() -> None:
    rng = np.random.default_rng(10)
    for samples, branches in ((1, 1), (7, 3), (997, 12)):
        table = Samples(rng.random((samples, branches), dtype=np.float32), rng.random((samples, branches)) < 0.5)
        rates = np.array(exits_record(table, even_thresholds())["exit_rate"])
        np.testing.assert_allclose(rates.sum(axis=1), 1, rtol=0, atol=1e-9)


def test_entropy_is_0_for_a_certain_answer_and_1_for_no_idea() -> None:
    certain, none, two = [1.0, 0.0, 0.0, 0.0], [0.25] * 4, [0.5, 0.5, 0.0, 0.0]
    np.testing.assert_array_equal(normalised_entropy(np.array([certain, none, two])), np.float32([0, 1, 0.5]))


def test_rounding_does_not_lift_an_entropy_above_1() -> None:
    assert normalised_entropy(np.full((1, 10), 0.1000001)).max() == 1


def test_a_block_without_a_branch_has_no_accuracy_and_no_sample_leaves_there(four: Samples) -> None:
    entropy, correct = four.entropy.copy(), four.correct.copy()
    entropy[:, 1], correct[:, 1] = 1, False
    record = exits_record(Samples(entropy, correct), [0.25, 1.0], present=[0, 2])
    assert record["accuracy"] == [0.25, None, 0.75]
    assert [row[1] for row in record["exit_rate"]] == [0, 0]
    assert record["exit_rate"][0] == [0.25, 0.0, 0.75]


def test_the_calibration_error_is_the_distance_between_confidence_and_accuracy() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.35, 0.35], dtype=np.float32)
    correct = np.array([True, True, True, False, True, False])
    by_hand = 4 / 6 * (0.95 - 3 / 4) + 2 / 6 * (1 / 2 - 0.35)
    assert calibration_error(confidence, correct, bins=10) == pytest.approx(by_hand, abs=1e-7)
    assert calibration_error(np.ones(3), np.ones(3, dtype=bool)) == 0
    assert calibration_error(np.zeros(3), np.ones(3, dtype=bool)) == 1
    samples = Samples(np.zeros((6, 1), dtype=np.float32), correct[:, None], confidence[:, None])
    assert exits_record(samples, [0.5])["calibration_error"] == [calibration_error(confidence, correct)]


def test_recording_a_model_notes_what_every_branch_says_of_every_sample(keras: Any, tiny: Callable[..., Any]) -> None:
    network = tiny()
    exits = attach_exits(network.model, cuts=network.cuts, branches=[1])
    images = np.random.default_rng(3).random((5, 8, 8, 3), dtype=np.float32)
    labels = np.array([0, 1, 1, 0, 1])
    samples = record_samples(exits, Split(np.arange(5), images, labels))
    assert samples.confidence is not None
    assert samples.answer is not None
    for column, scores in zip((0, 2), exits.model(images), strict=True):
        likeliest = np.argmax(scores, axis=1)
        np.testing.assert_array_equal(samples.answer[:, column], likeliest)
        np.testing.assert_array_equal(samples.correct[:, column], likeliest == labels)
        np.testing.assert_allclose(samples.confidence[:, column], np.max(scores, axis=1), atol=1e-6)
        np.testing.assert_allclose(samples.entropy[:, column], normalised_entropy(np.array(scores)), atol=1e-5)
    assert (set(samples.entropy[:, 1]), set(samples.confidence[:, 1]), samples.correct[:, 1].any()) == ({1}, {0}, False)
    assert set(samples.answer[:, 1]) == {-1}
    with pytest.raises(QuestionError, match="the split to record is empty"):
        record_samples(exits, Split(np.arange(0), images[:0], labels[:0]))
    with pytest.raises(QuestionError, match="the split to record has the label 7"):
        record_samples(exits, Split(np.arange(5), images, labels * 7))


def test_branches_that_are_no_better_than_the_most_frequent_class_are_named() -> None:
    labels = np.arange(100) % 5
    correct = np.zeros((100, 4), dtype=bool)
    for branch, hits in enumerate((20, 26, 0, 27)):
        correct[:hits, branch] = True
    with pytest.warns(
        TiercutWarning, match=r"^Net: after blocks 1 \(20\.0%\), 2 \(26\.0%\) .* than chance \(20\.0%\);"
    ):
        warn_of_chance("Net", correct, labels, present=[0, 1, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_chance("Net", correct, labels, present=[3])
    with pytest.warns(TiercutWarning, match=r"after block 4 \(27\.0%\) .* chance \(90\.0%\);"):
        warn_of_chance("Net", correct, np.arange(100) // 90, present=[3])
