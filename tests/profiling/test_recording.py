"""Exit rates and hits from recorded samples, by hand on a small table."""

from __future__ import annotations

import numpy as np
import pytest

from tiercut.errors import QuestionError
from tiercut.profiling.recording import default_thresholds, exits_record, normalised_entropy
from tiercut.profiling.samples import Samples


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
        rates = np.array(exits_record(table, default_thresholds())["exit_rate"])
        np.testing.assert_allclose(rates.sum(axis=1), 1, rtol=0, atol=1e-9)


def test_entropy_is_0_for_a_certain_answer_and_1_for_no_idea() -> None:
    certain, none, two = [1.0, 0.0, 0.0, 0.0], [0.25] * 4, [0.5, 0.5, 0.0, 0.0]
    np.testing.assert_array_equal(normalised_entropy(np.array([certain, none, two])), np.float32([0, 1, 0.5]))


def test_rounding_does_not_lift_an_entropy_above_1() -> None:
    assert normalised_entropy(np.full((1, 10), 0.1000001)).max() == 1


def test_the_default_thresholds_are_twenty_that_rise_evenly_to_1() -> None:
    assert default_thresholds() == pytest.approx(np.linspace(0, 1, 21)[1:])
    assert np.all(np.diff(default_thresholds()) > 0)
    assert default_thresholds(1) == [1.0]
    with pytest.raises(QuestionError, match="at least 1 threshold"):
        default_thresholds(0)
