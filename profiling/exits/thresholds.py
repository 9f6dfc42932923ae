"""The thresholds that a profile records: at even distances, at quantiles of the entropies, or as named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tiercut.errors import QuestionError
from tiercut.profiling.profile.samples import Samples

__all__ = ["Thresholds", "even_thresholds", "quantile_thresholds", "read_thresholds"]

Thresholds = Callable[[Samples], list[float]]
"""How to choose thresholds once samples are recorded."""


def even_thresholds(count: int = 20) -> list[float]:
    """Return `count` thresholds at even distances, the last one 1.

    0 is left out: at 0 no sample leaves before the end, which is the plan with one exit and needs no threshold.
    """
    if count < 1:
        raise QuestionError(f"there must be at least 1 threshold, got {count}")
    return [place / count for place in range(1, count + 1)]


def quantile_thresholds(samples: Samples, count: int) -> list[float]:
    """Return thresholds between which equally many entropies lie, the last one 1.

    They are the quantiles 1/count, 2/count, ... of the entropies of all branches but the last, at which everybody
    leaves. A confident network has most entropies near 0, where even thresholds see no difference.
    Quantiles that coincide are one threshold, so there may be fewer than `count`.
    """
    if count < 1:
        raise QuestionError(f"there must be at least 1 threshold, got {count}")
    early = samples.entropy[:, :-1][:, samples.entropy[:, :-1].min(axis=0) < 1].astype(np.float64)
    if not early.size:
        return [1.0]
    found = np.quantile(early, np.arange(1, count) / count)
    return sorted({float(each) for each in found if 0 < each < 1} | {1.0})


def read_thresholds(text: str) -> Thresholds:
    """Return what ``20``, ``quantiles:20`` or ``0.1,0.25,0.5`` asks for.

    Raises
    ------
    QuestionError
        If it is none of these, or a threshold is not in 0..1.
    """
    kind, colon, number = text.partition(":")
    if colon and kind == "quantiles" and number.isdecimal() and int(number):
        return lambda samples: quantile_thresholds(samples, int(number))
    if text.isdecimal():
        even = even_thresholds(int(text))
        return lambda _: list(even)
    try:
        named = sorted({float(part) for part in text.split(",")})
    except ValueError:
        raise QuestionError(
            f"thresholds are a number of them such as 20, quantiles:20, or a list such as 0.1,0.25,0.5, not '{text}'"
        ) from None
    if strange := [each for each in named if not 0 <= each <= 1]:
        raise QuestionError(f"a threshold is a normalised entropy and lies in 0..1, which {strange[0]:g} does not")
    return lambda _: list(named)
