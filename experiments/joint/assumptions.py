"""Which assumption of the Joint model breaks where networks are trained with some of their branches alone.

The model takes what a branch does from the network that has every branch: how sure it is of its answers (its entropies,
and so who leaves), how often it is right, and which samples are easy for one branch and for the next. `parts` puts the
trained network's own figures in the place of one after another, which no estimate could know; `corrections` are
estimates: of the same recordings, with one number found on other networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from validation import Table, compared, replayed

__all__ = ["FEW", "Network", "corrections", "in_order_of", "parts", "sharpened", "sureness"]

FEW = 3
"""A correction is found on the other networks of its setting; with fewer of them, on those of all settings."""

POWERS = np.geomspace(0.5, 4, 43)
"""Powers of the entropy that are tried."""

_BINS = 30
"""Equal parts of the samples, by their entropy, between which the share of hits is interpolated."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network that was trained with some branches alone, and what was known before.

    Parameters
    ----------
    blocks
        The blocks that have a branch, 1-based and rising.
    own
        What its branches say of test samples.
    whole
        What the same branches of the network with every branch say of the profile split.
    alone
        What the same branches, each trained by itself, say of the profile split; None where one was not trained.
    """

    blocks: tuple[int, ...]
    own: Table
    whole: Table
    alone: Table | None = None


def in_order_of(table: Table, own: Table, *, hits: bool) -> Table:
    """Return a table whose branches have the entropies of another one, each in the order of the first table's samples.

    The sample of which a branch is the k-th surest gets what the other table has for the k-th surest of that branch.

    Parameters
    ----------
    table
        What decides the order, and the hits unless `hits`.
    own
        Whose entropies are taken; of as many samples.
    hits
        Whether its hits are taken, too.
    """
    ranks = table.entropy.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    surest = own.entropy.argsort(axis=0, kind="stable")
    place = np.take_along_axis(surest, ranks, axis=0)
    entropy = np.take_along_axis(own.entropy, place, axis=0)
    return Table(entropy, np.take_along_axis(own.correct, place, axis=0) if hits else table.correct)


def sharpened(table: Table, power: float) -> Table:
    """Return a table with its entropies raised to a power, whose hits are shares: what had that entropy before.

    A power above 1 makes answers surer, and a branch whose answers are surer is right more often; an answer as sure as
    another one is right as often.
    """
    entropy = table.entropy**power
    hits = [
        _right_at(entropy[:, branch], table.entropy[:, branch], table.correct[:, branch])
        for branch in range(entropy.shape[1])
    ]
    return Table(entropy, np.column_stack(hits))


def _right_at(
    wanted: NDArray[np.float64], entropy: NDArray[np.float64], hits: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the share of hits at some entropies, by samples of which entropies and hits are known."""
    bins = np.array_split(entropy.argsort(kind="stable"), _BINS)
    bins = [each for each in bins if len(each)]
    return np.interp(wanted, [entropy[each].mean() for each in bins], [hits[each].mean() for each in bins])


def sureness(networks: Sequence[Network]) -> dict[str, float]:
    """Return how sure and how right branches are in the network with every branch and in their own, on average.

    Returns
    -------
    dict
        ``branches``, their number; ``entropy`` and ``entropy_own``; ``accuracy`` and ``accuracy_own``; between these
        ``accuracy_as_sure``, what the accuracy would be with the own entropies and as many hits at each entropy as in
        the network with every branch; ``off_as_sure``, by how much this differs from the own accuracy, in size.
    """
    rows = []
    for network in networks:
        for branch in range(len(network.blocks)):
            before, hits = network.whole.entropy[:, branch], network.whole.correct[:, branch]
            own, right = network.own.entropy[:, branch], network.own.correct[:, branch].mean()
            as_sure = _right_at(own, before, hits).mean()
            rows.append((before.mean(), own.mean(), hits.mean(), as_sure, right, abs(as_sure - right)))
    names = ("entropy", "entropy_own", "accuracy", "accuracy_as_sure", "accuracy_own", "off_as_sure")
    return {"branches": len(rows), **dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))}


def parts(networks: Sequence[Network], thresholds: Sequence[float]) -> pd.DataFrame:
    """Compare networks with what the network with every branch comes to, given more and more of their own figures.

    Returns
    -------
    pandas.DataFrame
        As of ``validation.against_trainings``, with the estimators ``as recorded``, ``own entropies``, and ``own
        entropies and hits``.
    """
    rows = []
    for network in networks:
        given = {
            "as recorded": network.whole,
            "own entropies": in_order_of(network.whole, network.own, hits=False),
            "own entropies and hits": in_order_of(network.whole, network.own, hits=True),
        }
        for threshold in thresholds:
            measured = replayed(network.own, threshold)
            for name, table in given.items():
                rows.append(compared(network.blocks, threshold, name, "trained", replayed(table, threshold), measured))
    return pd.DataFrame(rows)


def corrections(settings: Mapping[str, Sequence[Network]], thresholds: Sequence[float]) -> dict[str, pd.DataFrame]:
    """Compare networks with estimates that have one number from other networks, which is found anew for each.

    - ``sharpened``: the recording with its entropies raised to the power with which exit rates of the others come out
      best, see `sharpened`.
    - ``blended``: a mean of what the network with every branch comes to and what branches trained by themselves do,
      weighted so that exit rates of the others come out best. Of networks all of whose branches were.

    The others have another partitioning, see `FEW`.

    Parameters
    ----------
    settings
        Networks by the setting that they were trained with.
    thresholds
        Those to compare at, and to find the number at.

    Returns
    -------
    dict
        By setting, as of ``validation.against_trainings``, with the number in the column ``by``.
    """
    tried = {
        name: [(each.blocks, _Tried.of(each, thresholds)) for each in networks] for name, networks in settings.items()
    }
    everyone = [each for networks in tried.values() for each in networks]
    found = {}
    for name, networks in settings.items():
        rows: list[dict[str, object]] = []
        for network in networks:
            near = [each for blocks, each in tried[name] if blocks != network.blocks]
            others = near if len(near) >= FEW else [each for blocks, each in everyone if blocks != network.blocks]
            rows += _corrected(network, others, thresholds)
        if rows:
            found[name] = pd.DataFrame(rows)
    return found


def _corrected(network: Network, others: Sequence[_Tried], thresholds: Sequence[float]) -> list[dict[str, object]]:
    rows = []
    power, weight = _power(others), _weight(others)
    surer = None if power is None else sharpened(network.whole, power)
    for threshold in thresholds:
        measured = replayed(network.own, threshold)
        if surer is not None:
            said = replayed(surer, threshold)
            rows.append(compared(network.blocks, threshold, "sharpened", "trained", said, measured) | {"by": power})
        if weight is not None and network.alone is not None:
            (rates, right), (alone, right_alone) = (
                replayed(table, threshold) for table in (network.whole, network.alone)
            )
            said = (1 - weight) * rates + weight * alone, (1 - weight) * right + weight * right_alone
            rows.append(compared(network.blocks, threshold, "blended", "trained", said, measured) | {"by": weight})
    return rows


@dataclass(frozen=True, slots=True)
class _Tried:
    """What a network shows of both numbers.

    Parameters
    ----------
    off
        The mean error of the exit rates at each of `POWERS`.
    recorded, alone, own
        Exit rates of the network with every branch, of branches by themselves (None where one was not trained), and
        of the network, [thresholds, branches].
    """

    off: NDArray[np.float64]
    recorded: NDArray[np.float64]
    alone: NDArray[np.float64] | None
    own: NDArray[np.float64]

    @classmethod
    def of(cls, network: Network, thresholds: Sequence[float]) -> _Tried:
        at = np.asarray(thresholds, dtype=float)
        own, surest = _rates(network.own, at), _surest(network.whole)
        # a power of the entropy is below a threshold where the entropy is below the root of the threshold
        off = [np.abs(_rates_below(surest, at ** (1 / power)) - own).mean() for power in POWERS]
        alone = None if network.alone is None else _rates(network.alone, at)
        return cls(np.array(off), _rates_below(surest, at), alone, own)


def _power(others: Sequence[_Tried]) -> float | None:
    return float(POWERS[np.argmin(np.mean([each.off for each in others], axis=0))]) if others else None


def _weight(others: Sequence[_Tried]) -> float | None:
    """Return the weight of branches by themselves in 0..1 with the least squares of errors of the exit rates."""
    pairs = [(each.alone - each.recorded, each.own - each.recorded) for each in others if each.alone is not None]
    if not pairs:
        return None
    there, wanted = (np.concatenate([each[side].ravel() for each in pairs]) for side in (0, 1))
    return float(np.clip(there @ wanted / (there @ there), 0, 1)) if there.any() else 0.0


def _rates(table: Table, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the exit rates at all thresholds, [thresholds, branches]."""
    return _rates_below(_surest(table), thresholds)


def _surest(table: Table) -> NDArray[np.float64]:
    """Return the least entropy of each sample up to each branch but the last, sorted, [branches - 1, samples]."""
    return np.sort(np.minimum.accumulate(table.entropy[:, :-1], axis=1).T, axis=1)


def _rates_below(surest: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    gone = [np.searchsorted(each, thresholds) / len(each) for each in surest]
    every = np.column_stack([np.zeros(len(thresholds)), *gone, np.ones(len(thresholds))])
    return np.diff(every, axis=1)
