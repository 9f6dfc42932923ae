"""How thresholds are chosen."""

from __future__ import annotations

import numpy as np
import pytest

from tiercut.errors import QuestionError
from tiercut.profiling.exits.thresholds import even_thresholds, quantile_thresholds, read_thresholds
from tiercut.profiling.profile.samples import Samples


@pytest.fixture
def skewed() -> Samples:
    """A thousand samples of which most are nearly certain; the second block has no branch."""
    entropy = np.random.default_rng(0).random((1000, 4), dtype=np.float32) ** 8
    entropy[:, 1] = 1
    return Samples(entropy, np.ones(entropy.shape, dtype=bool))


def test_even_thresholds_are_twenty_that_rise_to_1() -> None:
    assert even_thresholds() == pytest.approx(np.linspace(0, 1, 21)[1:])
    assert np.all(np.diff(even_thresholds()) > 0)
    assert even_thresholds(1) == [1.0]
    with pytest.raises(QuestionError, match="at least 1 threshold"):
        even_thresholds(0)


def test_between_quantiles_lie_equally_many_entropies_of_early_branches(skewed: Samples) -> None:
    found = quantile_thresholds(skewed, 5)
    early = skewed.entropy[:, [0, 2]].ravel().astype(float)
    assert [np.mean(early < each) for each in found] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1], abs=1e-3)
    assert found[-1] == 1


def test_quantiles_that_coincide_are_one_threshold() -> None:
    samples = Samples(np.array([[0.0, 0.5], [0.25, 0.5]], dtype=np.float32), np.ones((2, 2), dtype=bool))
    assert quantile_thresholds(Samples(samples.entropy[:1], samples.correct[:1]), 20) == [1.0]
    assert len(quantile_thresholds(samples, 4)) == 4
    alone = Samples(np.full((3, 1), 0.5, dtype=np.float32), np.ones((3, 1), dtype=bool))
    assert quantile_thresholds(alone, 20) == [1.0]


def test_thresholds_are_read_as_they_are_written(skewed: Samples) -> None:
    assert read_thresholds("4")(skewed) == [0.25, 0.5, 0.75, 1.0]
    assert read_thresholds("0.5,0.1, 0.5")(skewed) == [0.1, 0.5]
    assert read_thresholds("quantiles:7")(skewed) == quantile_thresholds(skewed, 7)


@pytest.mark.parametrize("wrong", ["", "many", "quantiles", "quantiles:0", "quantiles:x", "0.1;0.2"])
def test_what_is_no_choice_of_thresholds_is_refused(wrong: str) -> None:
    with pytest.raises(QuestionError, match="such as 20, quantiles:20"):
        read_thresholds(wrong)


@pytest.mark.parametrize("wrong", ["0.5,1.5", "-0.1,0.5", "0.2,nan"])
def test_a_threshold_outside_0_to_1_is_refused(wrong: str) -> None:
    with pytest.raises(QuestionError, match=r"lies in 0\.\.1, which"):
        read_thresholds(wrong)


def test_no_thresholds_at_all_are_refused() -> None:
    with pytest.raises(QuestionError, match="at least 1"):
        read_thresholds("0")
