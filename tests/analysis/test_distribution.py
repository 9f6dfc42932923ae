"""The distribution of latencies: the same figures whoever has made them."""

from __future__ import annotations

import math

import pytest

from tiercut.analysis.distribution import QUANTILES, Distribution
from tiercut.errors import QuestionError
from tiercut.optimizer.samples.intervals import clopper_pearson, samples_needed


def test_latencies_are_sorted_and_those_that_no_sample_has_are_left_out() -> None:
    made = Distribution.of([(3.0, 1, 1), (1.0, 3, 2), (2.0, 0, 0)])
    assert made == Distribution((1.0, 3.0), (3, 1), (2, 1))
    assert (made.samples, made.hits, made.mean_s) == (4, 3, 1.5)
    assert made.right_interval(0.9) == clopper_pearson(3, 4, 0.9)


def test_a_quantile_is_the_least_latency_that_enough_samples_do_not_exceed() -> None:
    made = Distribution.of([(float(place), 1, 0) for place in range(1, 1001)])
    assert made.quantile(0.5) <= made.quantile(0.95) <= made.quantile(0.99)
    assert abs(made.quantile(0.5) - 500) <= 1
    assert abs(made.quantile(0.99) - 990) <= 1


def test_quantiles_that_need_more_samples_are_not_told() -> None:
    few = Distribution.of([(1.0, 5, 5)])
    assert few.quantiles["p99"] is None
    with pytest.raises(QuestionError, match="needs 6"):
        few.quantile(0.99)
    data = few.to_data(7.0)
    assert data["mean_s"] == 7.0
    assert data["samples_needed"]["p99"] == samples_needed(QUANTILES["p99"])


def test_no_samples_have_no_mean() -> None:
    assert math.isnan(Distribution.of([]).mean_s)
