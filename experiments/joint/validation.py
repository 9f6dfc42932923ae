"""How near estimates of accuracy and exit rates are to what networks do (the Joint model, section 3.2, figure 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = [
    "ESTIMATORS",
    "Table",
    "against_recording",
    "against_trainings",
    "compared",
    "estimate",
    "replayed",
    "summary",
]

ESTIMATORS = ("marginal, joint", "marginal, separate", "conditional", "conditional, separate", "nested", "replay")
"""Ways to an accuracy. All but the last weigh accuracies with the rates of the full configuration: of the branches over
all samples, trained together or each by itself; or of the samples that really leave there, where ``separate`` adds what
the branch gains over all samples when it is trained by itself. ``nested`` tells these from what each branch does when
it is asked by itself, as if a better branch were right wherever a worse one is."""


@dataclass(frozen=True, slots=True)
class Table:
    """What the branches of one network say of samples.

    Parameters
    ----------
    entropy
        Normalised entropies, float64[samples, branches].
    correct
        Hits, bool[samples, branches]; or shares of hits, float64, where answers alike are counted together.
    """

    entropy: NDArray[np.float64]
    correct: NDArray[Any]

    def of(self, blocks: Sequence[int]) -> Table:
        """Return the columns of some blocks, 1-based."""
        columns = [block - 1 for block in blocks]
        return Table(self.entropy[:, columns], self.correct[:, columns])


def replayed(table: Table, threshold: float) -> tuple[NDArray[np.float64], float]:
    """Return the share of samples that leaves at each branch, and the share of all that is right where it leaves."""
    leaving = table.entropy < threshold
    leaving[:, -1] = True
    place = leaving.argmax(axis=1)
    rates = np.bincount(place, minlength=leaving.shape[1]) / len(place)
    return rates, float(table.correct[np.arange(len(place)), place].mean())


def estimate(
    table: Table, blocks: Sequence[int], threshold: float, estimator: str, separate: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], float]:
    """Return what an estimator says of the network that has branches after some blocks only.

    Parameters
    ----------
    table
        The network with every branch.
    blocks
        The blocks whose branches stay, 1-based and rising; the network ends with the last.
    threshold
        Samples leave below it.
    estimator
        One of `ESTIMATORS`.
    separate
        Accuracy of every branch trained by itself, where the estimator needs it.

    Returns
    -------
    rates, accuracy
        The share of samples that leaves at each of the blocks, and the accuracy.
    """
    if estimator == "replay":
        return replayed(table.of(blocks), threshold)
    full, _ = replayed(table, threshold)
    gone = np.cumsum(full)[[block - 1 for block in blocks]]
    gone[-1] = 1.0
    rates = np.diff(gone, prepend=0.0)
    chosen = [block - 1 for block in blocks]
    joint = table.correct.mean(axis=0)[chosen]
    of_leavers = {"conditional": _conditional, "nested": _nested}.get(estimator.partition(",")[0])
    accuracies = joint if of_leavers is None else of_leavers(table.of(blocks), threshold)
    if estimator.endswith("separate"):
        if separate is None:
            raise ValueError("the accuracies of branches trained by themselves are needed")
        accuracies = np.clip(accuracies + separate[chosen] - joint, 0, 1)
    return rates, float(rates @ accuracies)


def _conditional(table: Table, threshold: float) -> NDArray[np.float64]:
    """Return the accuracy at each branch of those who did not leave at the branch before, and leave there."""
    found = []
    for branch in range(table.entropy.shape[1]):
        there = np.ones(len(table.entropy), dtype=bool)
        if branch > 0:
            there &= table.entropy[:, branch - 1] >= threshold
        if branch < table.entropy.shape[1] - 1:
            there &= table.entropy[:, branch] < threshold
        found.append(table.correct[there, branch].mean() if there.any() else table.correct[:, branch].mean())
    return np.array(found)


def _nested(table: Table, threshold: float) -> NDArray[np.float64]:
    """Return the accuracy at each branch of those who leave there, told from each branch asked by itself.

    Who leaves at one branch would leave at the next, too. Where the next branch is better, it is right for all of them
    that the one before is right for, and for as many of the others as of all others; where it is worse, it is right for
    as many of those as of all that the one before is right for. What remains of its hits belongs to those who leave
    there.
    """
    leaving = table.entropy < threshold
    leaving[:, -1] = True
    gone, right, every = leaving.mean(axis=0), (leaving & table.correct).mean(axis=0), table.correct.mean(axis=0)
    found = [right[0] / gone[0] if gone[0] > 0 else every[0]]
    pairs = zip(pairwise(gone), pairwise(right), pairwise(every), strict=True)
    for (was_gone, is_gone), (was_right, is_right), (before, now) in pairs:
        if now > before:
            elsewhere = was_right + (was_gone - was_right) * (now - before) / (1 - before)
        else:
            elsewhere = was_right * (now / before if now < before else 1.0)
        fresh = is_gone - was_gone
        found.append(np.clip((is_right - elsewhere) / fresh, 0, 1) if fresh > 0 else now)
    return np.array(found)


def against_recording(
    recorded: Table, held_out: Table, thresholds: Sequence[float], partitionings: Sequence[Sequence[int]]
) -> pd.DataFrame:
    """Compare estimates with one and the same network whose branches are used in part.

    Parameters
    ----------
    recorded, held_out
        The network with every branch on the samples that estimates are made of, and on others.
    thresholds
        Those to compare at.
    partitionings
        The branches that are used, each time.

    Returns
    -------
    pandas.DataFrame
        One row for each partitioning, threshold, estimator and truth (``recorded`` or ``held out``), see `compared`.
    """
    rows = []
    for blocks in partitionings:
        for threshold in thresholds:
            truths = {"recorded": recorded, "held out": held_out}
            measured = {name: replayed(table.of(blocks), threshold) for name, table in truths.items()}
            for estimator in ("marginal, joint", "conditional", "nested", "replay"):
                said = estimate(recorded, blocks, threshold, estimator)
                rows += [compared(blocks, threshold, estimator, name, said, truth) for name, truth in measured.items()]
    return pd.DataFrame(rows)


def against_trainings(
    recorded: Table,
    separate: NDArray[np.float64] | None,
    trained: Mapping[tuple[int, ...], Table],
    thresholds: Sequence[float],
) -> pd.DataFrame:
    """Compare estimates with networks that were trained with some branches only.

    Parameters
    ----------
    recorded
        The network with every branch, on the samples that estimates are made of.
    separate
        Accuracy of every branch trained by itself, NaN where it was not; None if there are none.
    trained
        By the blocks that have a branch: what those branches say of held-out samples.
    thresholds
        Those to compare at.

    Returns
    -------
    pandas.DataFrame
        As of `against_recording`, with the truth ``trained``.
    """
    rows = []
    for blocks, table in trained.items():
        for threshold in thresholds:
            measured = replayed(table, threshold)
            for estimator in ESTIMATORS:
                if estimator.endswith("separate") and not _known(separate, blocks):
                    continue
                said = estimate(recorded, blocks, threshold, estimator, separate)
                rows.append(compared(blocks, threshold, estimator, "trained", said, measured))
    return pd.DataFrame(rows)


def _known(accuracies: NDArray[np.float64] | None, blocks: Sequence[int]) -> bool:
    return accuracies is not None and bool(np.all(np.isfinite(accuracies[[block - 1 for block in blocks]])))


def compared(
    blocks: Sequence[int],
    threshold: float,
    estimator: str,
    truth: str,
    said: tuple[NDArray[np.float64], float],
    measured: tuple[NDArray[np.float64], float],
) -> dict[str, object]:
    """Return the row of one comparison, from the exit rates and the accuracy that were said and measured."""
    return {
        "partitioning": tuple(blocks),
        "threshold": threshold,
        "estimator": estimator,
        "truth": truth,
        "predicted": said[1],
        "measured": measured[1],
        "predicted_rates": said[0],
        "measured_rates": measured[0],
    }


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how well each estimator does against each truth.

    Returns
    -------
    pandas.DataFrame
        ``slope`` and ``r2`` of the line through measured over predicted accuracies, ``bias``, ``mean`` and ``worst``
        (the mean of predicted less measured, and of its size, and its greatest size), and ``rate_mean`` and
        ``rate_worst``, the errors of exit rates, by truth and estimator.
    """
    found = []
    for (truth, estimator), group in rows.groupby(["truth", "estimator"], sort=False):
        said, measured = group["predicted"].to_numpy(), group["measured"].to_numpy()
        off = said - measured
        rates = np.concatenate([np.abs(a - b) for a, b in _rates(group)])
        slope, r2 = _line(said, measured)
        found.append(
            {"truth": truth, "estimator": estimator, "points": len(group), "slope": slope, "r2": r2}
            | {"bias": off.mean(), "mean": np.abs(off).mean(), "worst": np.abs(off).max()}
            | {"rate_mean": rates.mean(), "rate_worst": rates.max()}
        )
    return pd.DataFrame(found)


def _rates(group: pd.DataFrame) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    return zip(group["predicted_rates"], group["measured_rates"], strict=True)


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return slope and coefficient of determination of the line of least squares."""
    covariance = np.cov(x, y, bias=True)
    if covariance[0, 0] == 0 or covariance[1, 1] == 0:
        return float("nan"), float("nan")
    return float(covariance[0, 1] / covariance[0, 0]), float(
        covariance[0, 1] ** 2 / (covariance[0, 0] * covariance[1, 1])
    )
