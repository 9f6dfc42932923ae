"""What of a frontier people need to see: where it bends, and a few plans that stand for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiercut import units
from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiercut.optimizer import Floats

__all__ = ["knee_of", "minimised", "place_of_knee", "share_of", "stand_ins", "standing_for", "within_share"]

_HALVINGS = 40


def minimised(values: Floats, names: Sequence[str]) -> Floats:
    """Return K x D values of which less is better: those of accuracy with their sign turned."""
    return values * [-1.0 if name == "accuracy" else 1.0 for name in names]


def share_of(within: str | float) -> float:
    """Return a share that is a number, or text such as ``"1 %"``.

    Raises
    ------
    QuestionError
        If it cannot be read.
    """
    if not isinstance(within, str):
        return within
    try:
        return units.parse(within, "share")
    except ValueError as error:
        raise QuestionError(f"within: {error}") from None


def knee_of(values: Floats) -> int | None:
    """Return the index of the plan where a frontier over two measures bends most.

    That is the one furthest from the line through both ends, where each measure runs from 0 to 1 between them (Das
    1999, On characterizing the knee of the Pareto curve).

    Parameters
    ----------
    values
        K x 2, minimised, in the order of the frontier.

    Returns
    -------
    int or None
        None where nothing bends towards the better: three plans at least are needed for that.
    """
    if len(values) < 3 or values.shape[1] != 2:
        return None
    low, high = values.min(axis=0), values.max(axis=0)
    if not np.all(high > low):
        return None
    nearer = 1.0 - ((values - low) / (high - low)).sum(axis=1)
    best = int(np.argmax(nearer))
    return best if nearer[best] > 1e-9 else None


def place_of_knee(values: Floats, plans: Sequence[object], few: Sequence[object]) -> int | None:
    """Return the place among a few plans of the one where the frontier of all bends most; None where it has none.

    Parameters
    ----------
    values
        K x 2, minimised, of all plans.
    plans, few
        All plans, in the order of the frontier, and those of them that are shown.
    """
    knee = knee_of(values)
    return few.index(plans[knee]) if knee is not None and plans[knee] in few else None


def stand_ins(values: Floats, names: Sequence[str], points: int | None, within: str | float | None) -> list[int]:
    """Return the indices of plans of a frontier that stand for all of them (see `tiercut.Answer.thinned`).

    Parameters
    ----------
    values
        K x D, minimised.
    names
        Of the D measures.
    points
        How many at most.
    within
        By how much a plan that is left out may be better than one that is kept.
    """
    knee = knee_of(values)
    always = () if knee is None else (knee,)
    kept = list(range(len(values)))
    if within is not None:
        kept = within_share(values, share_of(within), names, always).tolist()
    if points is not None and len(kept) > points:
        kept = standing_for(values, points, names, always).tolist()
    return kept


def within_share(values: Floats, share: float, names: Sequence[str], always: Sequence[int] = ()) -> NDArray[np.int64]:
    """Return the indices of plans so that each other is no better than one of them by more than a share.

    Parameters
    ----------
    values
        K x D, minimised, in the order of the frontier.
    share
        Of a measure's value; of accuracy, in points: 0.01 is one of them.
    names
        The D measures.
    always
        Indices that are kept in any case.

    Returns
    -------
    numpy.ndarray
        Rising. The best in each measure are among them. Besides these, over two measures no fewer would do
        (Vassilvitskii and Yannakakis 2005, Efficiently computing succinct trade-off curves).

    Raises
    ------
    QuestionError
        If the share is negative or not finite.
    """
    if not (np.isfinite(share) and share >= 0):
        raise QuestionError(f"within is a share such as 0.01 or '1 %', not {share:g}")
    slack = share * np.where([name == "accuracy" for name in names], 1.0, np.abs(values))
    reach = values + slack
    kept = [*_ends(values), *always]
    waiting = ~_covered(values[kept], reach).any(axis=0)
    while waiting.any():
        first = int(np.argmax(waiting))
        able = np.flatnonzero((values <= reach[first]).all(axis=1))
        chosen = int(able[-1])  # over two measures the one that reaches furthest
        if values.shape[1] > 2:
            chosen = int(able[np.argmax(_covered(values[able], reach[waiting]).sum(axis=1))])
        kept.append(chosen)
        waiting &= ~_covered(values[[chosen]], reach)[0]
    return np.array(sorted(set(kept)), np.int64)


def standing_for(values: Floats, points: int, names: Sequence[str], always: Sequence[int] = ()) -> NDArray[np.int64]:
    """Return the indices of so many plans at most, so that the others are as little better than these as can be.

    Parameters
    ----------
    values, names, always
        As in `within_share`, whose least share that leaves so few is taken.
    points
        How many.

    Raises
    ------
    QuestionError
        If they are fewer than the plans that are best in one measure.
    """
    if len(values) <= points:
        return np.arange(len(values))
    certain = len({*_ends(values), *always})
    if points < certain:
        raise QuestionError(
            f"points is {certain} or more, as the best in each measure and the knee are always shown, not {points}"
        )

    def kept(share: float) -> NDArray[np.int64]:
        return within_share(values, share, names, always)

    low, high = 0.0, 1.0
    while len(kept(high)) > points:
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if len(kept(middle)) <= points else (middle, high)
    return kept(high)


def _ends(values: Floats) -> list[int]:
    """Return the plans that are best in each measure, and of these best in the others."""
    orders = [np.lexsort((*np.delete(values, d, axis=1).T[::-1], values[:, d])) for d in range(values.shape[1])]
    return sorted({int(order[0]) for order in orders})


def _covered(values: Floats, reach: Floats) -> NDArray[np.bool_]:
    """Return C x K: whether plans with these values are within the reach of others."""
    covered = np.ones((len(values), len(reach)), bool)
    for mine, theirs in zip(values.T, reach.T, strict=True):
        covered &= mine[:, None] <= theirs
    return covered
