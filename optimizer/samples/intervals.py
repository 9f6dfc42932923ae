"""What a number of samples can prove: intervals and tests for a share, and how many samples these need."""

from __future__ import annotations

from math import ceil, exp, floor, isfinite, lgamma, log, log1p, sqrt

from tiercut.errors import QuestionError

__all__ = [
    "binomial_tail",
    "clopper_pearson",
    "least_share",
    "rank_of",
    "samples_needed",
    "samples_to_show",
]

_TINY = 1e-150
_CLOSE = 1e-14
_STEPS = 10_000
_BISECTIONS = 60
_DEVIATIONS = 3.0
_ROUNDING = 1e-9
_MANY = 1 << 40
"""Samples beyond which nobody looks."""


def clopper_pearson(hits: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval that holds a share with at least that confidence, whatever the share is.

    Parameters
    ----------
    hits, count
        How many samples have what is looked for, and how many there are.
    confidence
        Between 0 and 1.

    Raises
    ------
    QuestionError
        If the numbers are none of a sample.

    Notes
    -----
    Clopper and Pearson (1934): the lower end is the share at which as many hits or more have a probability of
    (1 - confidence) / 2, the upper end that at which as many or fewer have.
    """
    _check_hits(hits, count)
    if not 0 < confidence < 1:
        raise QuestionError(f"a confidence lies between 0 and 1, such as 0.95, not {confidence:g}")
    tail = (1.0 - confidence) / 2
    low = 0.0 if hits == 0 else _inverse(tail, hits, count - hits + 1)
    high = 1.0 if hits == count else 1.0 - _inverse(tail, count - hits, hits + 1)
    return low, high


def binomial_tail(hits: int, count: int, share: float) -> float:
    """Return the probability of as many hits or more among independent samples that each hit with a probability.

    It is the p-value of the hypothesis that the share of hits is less than `share`: exact, whatever the share is.

    Parameters
    ----------
    hits, count
        How many samples have what is looked for, and how many there are.
    share
        Between 0 and 1.

    Raises
    ------
    QuestionError
        If the numbers are none of a sample.
    """
    _check_hits(hits, count)
    return 1.0 if hits == 0 else _incomplete_beta(share, hits, count - hits + 1)


def least_share(hits: int, count: int, confidence: float) -> float:
    """Return what a share is at least, with a confidence: the lower bound of Clopper and Pearson (1934), one-sided.

    A share of misses is at most what this leaves of 1.

    Parameters
    ----------
    hits, count
        How many samples have what is looked for, and how many there are.
    confidence
        Between 0 and 1.

    Raises
    ------
    QuestionError
        If the numbers are none of a sample.
    """
    _check_hits(hits, count)
    return 0.0 if hits == 0 else _inverse(1.0 - confidence, hits, count - hits + 1)


def samples_to_show(share: float, confidence: float, seen: float = 1.0) -> int | None:
    """Return how many samples show that a share is at least so large, if so many of them hit; None where none do.

    Parameters
    ----------
    share
        What is to be shown, from 0 to less than 1.
    confidence
        Between 0 and 1.
    seen
        The share of the samples that hit, as far as it is known; where all do, no fewer samples can show it.
    """
    if seen <= share:
        return None

    def shows(count: int) -> bool:
        hits = floor(seen * count + _ROUNDING)
        return hits > 0 and binomial_tail(hits, count, share) <= 1.0 - confidence

    high = 1
    while not shows(high):
        if high > _MANY:
            return None
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shows(middle) else (middle, high)
    return high


def _check_hits(hits: int, count: int) -> None:
    if not 0 <= hits <= count or count < 1:
        raise QuestionError(f"there cannot be {hits} hits among {count} samples")


def _inverse(area: float, a: float, b: float) -> float:
    """Return where the regularised incomplete beta function, which rises, has a value: by chords, else by halving.

    The chords are those of the Illinois method: an end that stays for two steps counts half. They begin a few standard
    deviations around the mean, where that holds the value.
    """
    mean, spread = a / (a + b), sqrt(a * b / (a + b + 1)) / (a + b)
    low, high = 0.0, 1.0
    below, above = -area, 1.0 - area
    ends = [max(mean + deviations * spread, 0.0) for deviations in (-_DEVIATIONS, _DEVIATIONS)]
    stays = 0
    for step in range(_BISECTIONS):
        middle = ends[step] if step < len(ends) else (low * above - high * below) / (above - below)
        if step % 4 == 3 or not low < middle < high:
            middle = (low + high) / 2
        value = _incomplete_beta(middle, a, b) - area
        if value < 0:
            low, below = middle, value
            above = above / 2 if stays < 0 else above
            stays = -1
        else:
            high, above = middle, value
            below = below / 2 if stays > 0 else below
            stays = 1
        if abs(value) < _CLOSE * area or high - low < _CLOSE:
            return middle
    return (low + high) / 2


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b)."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(1.0 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    return front * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method."""
    c, d, value = 1.0 / _TINY, 1.0, 1.0
    for step in range(1, _STEPS):
        half = step // 2
        term = -(a + half) * (a + b + half) if step % 2 else half * (b - half)
        term *= x / ((a + step - 1) * (a + step))
        d = 1.0 / _nonzero(1.0 + term * d)
        c = _nonzero(1.0 + term / c)
        value *= c * d
        if abs(c * d - 1.0) < _CLOSE:
            break
    return value


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def samples_needed(quantile: float, confidence: float = 0.99) -> int:
    """Return how many samples a quantile takes: 662 for the 0.99.

    Parameters
    ----------
    quantile, confidence
        Between 0 and 1.

    Raises
    ------
    QuestionError
        If either is out of range.

    Notes
    -----
    With fewer, it is not likely enough (by `confidence`) that two samples at least lie beyond the quantile, and what
    is called a p99 may be no more than the largest value seen. With tail share p that is the least n for which
    (1-p)^n + n p (1-p)^(n-1) is at most 1 - confidence: the sample size of a two-sided tolerance interval (Wilks 1941).
    For quantiles below the median the tail is the lower one.
    """
    for value in (quantile, confidence):
        if not (isfinite(value) and 0 < value < 1):
            raise QuestionError(f"a quantile lies between 0 and 1, such as 0.99, not {value:g}")
    tail = min(quantile, 1.0 - quantile)

    def few_beyond(count: int) -> float:
        return exp((count - 1) * log1p(-tail)) * (1.0 - tail + count * tail)

    low, high = 1, 2
    while few_beyond(high) > 1.0 - confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if few_beyond(middle) > 1.0 - confidence else (low, middle)
    return high


def rank_of(quantile: float, count: int) -> int:
    """Return which of `count` values in order (from 1) is the least that a share `quantile` does not exceed."""
    return min(max(ceil(quantile * count - 1e-9 * count), 1), count)
