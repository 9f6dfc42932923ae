"""What counted samples prove of a share: exact binomial tails, bounds, and how many samples they take."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, comb, log

import pytest
from hypothesis import given, strategies as st

from tiercut import QuestionError
from tiercut.optimizer import binomial_tail, clopper_pearson, least_share, samples_to_show


@given(st.integers(1, 60), st.data(), st.integers(1, 99))
def test_the_tail_is_the_sum_of_the_probabilities(count: int, data: st.DataObject, hundredths: int) -> None:
    hits = data.draw(st.integers(0, count))
    share = Fraction(hundredths, 100)
    exact = sum(comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(hits, count + 1))
    assert binomial_tail(hits, count, float(share)) == pytest.approx(float(exact), rel=1e-10)


def test_the_tail_is_exact_where_all_samples_hit_or_one_does() -> None:
    assert binomial_tail(3000, 3000, 0.999) == pytest.approx(0.999**3000)
    assert binomial_tail(1, 3000, 1e-4) == pytest.approx(1 - (1 - 1e-4) ** 3000)
    assert binomial_tail(0, 10, 0.3) == 1.0


@given(st.integers(1, 5000), st.data(), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_a_least_share_is_where_the_tail_is_what_the_confidence_leaves(
    count: int, data: st.DataObject, confidence: float
) -> None:
    hits = data.draw(st.integers(1, count))
    least = least_share(hits, count, confidence)
    assert binomial_tail(hits, count, least) == pytest.approx(1 - confidence, rel=1e-6)
    assert least_share(hits, count, 1 - (1 - confidence) / 2) == pytest.approx(
        clopper_pearson(hits, count, confidence)[0], abs=1e-12
    )


@pytest.mark.parametrize(("share", "confidence"), [(0.9, 0.95), (0.99, 0.95), (0.999, 0.9), (0.5, 0.6)])
def test_fewest_samples_are_those_of_which_all_hit(share: float, confidence: float) -> None:
    needed = samples_to_show(share, confidence)
    assert needed == ceil(log(1 - confidence) / log(share) - 1e-9)
    assert binomial_tail(needed, needed, share) <= 1 - confidence + 1e-12 < binomial_tail(needed - 1, needed - 1, share)


def test_samples_that_miss_now_and_then_take_more() -> None:
    needed = samples_to_show(0.9, 0.95, seen=0.92)
    assert needed is not None
    assert 500 < needed < 700  # the normal approximation says 1.645^2 * 0.09 / 0.02^2 = 609
    assert binomial_tail(int(0.92 * needed), needed, 0.9) <= 0.05
    assert samples_to_show(0.9, 0.95, seen=0.9) is None


def test_hits_beyond_the_samples_are_refused() -> None:
    with pytest.raises(QuestionError, match="there cannot be 4 hits among 3 samples"):
        binomial_tail(4, 3, 0.5)
    with pytest.raises(QuestionError, match="there cannot be 1 hits among 0 samples"):
        least_share(1, 0, 0.95)
