"""Exit rates and hits from recorded samples, by hand on a small table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tiercut.errors import InputError, QuestionError
from tiercut.profiling.recording import (
    Samples,
    default_thresholds,
    exits_record,
    load_samples,
    normalised_entropy,
    save_samples,
)


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


def test_samples_come_back_from_their_file_as_they_were(four: Samples, tmp_path: Path) -> None:
    save_samples(four, tmp_path / "it.samples.npz")
    back = load_samples(tmp_path / "it.samples.npz")
    np.testing.assert_array_equal(back.entropy, four.entropy)
    np.testing.assert_array_equal(back.correct, four.correct)
    assert (back.entropy.dtype, back.correct.dtype) == (np.float32, np.bool_)
    assert [path.name for path in tmp_path.iterdir()] == ["it.samples.npz"]


def test_a_file_that_is_no_archive_of_samples_is_refused(four: Samples, tmp_path: Path) -> None:
    path = tmp_path / "it.npz"
    with pytest.raises(InputError, match="no such file"):
        load_samples(path)
    path.write_bytes(b"not an archive")
    with pytest.raises(InputError, match="no archive of samples"):
        load_samples(path)
    save_samples(four, path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="no archive of samples"):
        load_samples(path)
    np.savez(path, entropy=four.entropy)
    with pytest.raises(InputError, match="correct"):
        load_samples(path)


def test_an_archive_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "it.npz"
    np.savez(path, entropy=np.array([[{}]], dtype=object), correct=np.array([[True]]))
    with pytest.raises(InputError, match="no archive of samples"):
        load_samples(path)


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(QuestionError, match="one shape"):
        Samples(np.zeros((2, 3), dtype=np.float32), np.zeros((2, 2), dtype=bool))
    for entropy in (1.5, -0.1, np.nan):
        with pytest.raises(QuestionError, match=r"0\.\.1"):
            Samples(np.full((1, 1), entropy, dtype=np.float32), np.ones((1, 1), dtype=bool))
