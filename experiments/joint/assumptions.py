"""Which assumption of the Joint model breaks where networks are trained with some of their branches alone.

The model takes what a branch does from the network that has every branch: how sure it is of its answers (its entropies,
and so who leaves), how often it is right, and which samples are easy for one branch and for the next. `parts` puts the
trained network's own figures in the place of one after another, which no estimate could know; `corrections` are
estimates: of the same recordings, with one number found on other networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from validation import Table, compared, replayed

__all__ = ["FEW", "Network", "blended", "corrections", "in_order_of", "parts", "sharpened", "sureness"]

FEW = 3
"""A correction is found on the other networks of its setting; with fewer of them, on those of all settings."""

NUMBERS = {"sharpened": np.geomspace(0.5, 4, 22), "blended": np.linspace(0, 1, 21)}
"""By correction: the powers of the entropy, and the weights of branches by themselves, that are tried."""

_LEAST = 1e-6
"""Entropies are taken to be this far from 0 and 1, whose log-odds are infinite."""

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


def sharpened(network: Network, power: float) -> Table:
    """Return the branches of the network with every branch, their entropies raised to a power.

    A power above 1 makes answers surer, and a branch whose answers are surer is right more often: hits are shares,
    those of the answers that had this entropy before.
    """
    entropy = _entropies(network, "sharpened", power)
    return Table(entropy, _hits(entropy, network.whole))


def blended(network: Network, weight: float) -> Table:
    """Return branches between those of the network with every branch and those that were trained by themselves.

    The log-odds of the quantiles of each branch's entropies are a weighted mean of both, in the order of the samples of
    the network with every branch; hits are shares, the weighted mean of what both have at this entropy.
    """
    entropy = _entropies(network, "blended", weight)
    together, alone = (_hits(entropy, table) for table in (network.whole, network.alone or network.whole))
    return Table(entropy, (1 - weight) * together + weight * alone)


def _entropies(network: Network, correction: str, number: float) -> NDArray[np.float64]:
    """Return the entropies that a correction gives, [samples, branches]."""
    if correction == "sharpened":
        return network.whole.entropy**number
    tables = network.whole, network.alone or network.whole
    together, alone = (np.sort(np.clip(table.entropy, _LEAST, 1 - _LEAST), axis=0) for table in tables)
    odds = (together / (1 - together)) ** (1 - number) * (alone / (1 - alone)) ** number
    quantiles = odds / (1 + odds)
    quantiles[quantiles > 1 - 2 * _LEAST] = 1.0  # below no threshold, as before
    ranks = network.whole.entropy.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    return np.take_along_axis(quantiles, ranks, axis=0)


def _hits(wanted: NDArray[np.float64], table: Table) -> NDArray[np.float64]:
    """Return the share of hits that each branch of a table has at the wanted entropies, [samples, branches]."""
    columns = zip(wanted.T, table.entropy.T, table.correct.T, strict=True)
    return np.column_stack([_right_at(*each) for each in columns])


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

    The number is the one with which exit rates of the others come out best. ``sharpened`` has a power, see `sharpened`;
    ``blended`` a weight, see `blended`, for networks all of whose branches were trained by themselves, too.

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
    tried = {name: [_Tried.of(each, thresholds) for each in networks] for name, networks in settings.items()}
    everyone = [each for networks in tried.values() for each in networks]
    found = {}
    for name, networks in tried.items():
        rows: list[dict[str, object]] = []
        for each in networks:
            blocks = each.network.blocks
            near = [other for other in networks if other.network.blocks != blocks]
            others = near if len(near) >= FEW else [other for other in everyone if other.network.blocks != blocks]
            rows += _corrected(each, others, thresholds)
        if rows:
            found[name] = pd.DataFrame(rows)
    return found


@dataclass(frozen=True, slots=True)
class _Tried:
    """A network, and by correction the mean error of its exit rates with each of the `NUMBERS`."""

    network: Network
    off: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, network: Network, thresholds: Sequence[float]) -> _Tried:
        at, off = np.asarray(thresholds, dtype=float), {}
        own = _rates(network.own.entropy, at)
        for correction, numbers in NUMBERS.items():
            if correction == "sharpened" or network.alone is not None:
                said = [_rates(_entropies(network, correction, number), at) for number in numbers]
                off[correction] = np.array([np.abs(each - own).mean() for each in said])
        return cls(network, off)


def _corrected(tried: _Tried, others: Sequence[_Tried], thresholds: Sequence[float]) -> Iterator[dict[str, object]]:
    network = tried.network
    for correction in tried.off:
        known = [other.off[correction] for other in others if correction in other.off]
        if not known:
            continue
        number = float(NUMBERS[correction][np.argmin(np.mean(known, axis=0))])
        table = {"sharpened": sharpened, "blended": blended}[correction](network, number)
        for threshold in thresholds:
            said, measured = replayed(table, threshold), replayed(network.own, threshold)
            yield compared(network.blocks, threshold, correction, "trained", said, measured) | {"by": number}


def _rates(entropy: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the exit rates at all thresholds, [thresholds, branches]."""
    surest = np.sort(np.minimum.accumulate(entropy[:, :-1], axis=1), axis=0)
    gone = [np.searchsorted(each, thresholds) / len(each) for each in surest.T]
    every = np.column_stack([np.zeros(len(thresholds)), *gone, np.ones(len(thresholds))])
    return np.diff(every, axis=1)
