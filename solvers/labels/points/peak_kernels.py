"""Numba kernels about a measure that is the greatest of several sums, as a rate is: when one of them is settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tiercut.compiled import compiled
from tiercut.solvers.labels.label_kernels import USED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Peak", "note_open", "peak_of"]


class Peak(NamedTuple):
    """What is known of the sums whose greatest is one measure; W words of groups.

    A label only beats another where none of its sums may come to decide that does not there: what may still be added
    to a sum is the same for both.

    Parameters
    ----------
    rows
        Which of the R sums these are, by number; none: no measure is such a greatest one.
    owner
        By place in `rows`: the node that the sum is of, to which only pieces there and what they send or get add; -1:
        it is of no node, as that of a link; -2: of several.
    onto
        By place, M x W: the groups to which sending from a node adds to the sum.
    most_sent, most_back
        By place and first block: the most that sending after it or a later block adds to the sum, and that results do.
    """

    rows: Ints
    owner: Ints
    onto: Ints
    most_sent: Floats
    most_back: Floats


@compiled
def peak_of(sums: Floats, peaked: Ints, least: float) -> float:
    """Return the greatest of some sums, and no less than what is known already."""
    for k in range(peaked.shape[0]):
        least = max(least, sums[peaked[k]])
    return least


@compiled
def note_open(
    label: int, start: int, share: float, chain: Ints, values: Floats, least: Floats, v: int, group: Ints, peak: Peak
) -> None:
    """Note up to what the sums of a peak of another label may come for it to beat this one (see `Peak`).

    That is the sum of this one; more, where what may be added to it does not bring it above the peak so far.
    """
    top = values[label, values.shape[1] - 1]
    for k in range(peak.rows.shape[0]):
        own, at = values[label, peak.rows[k]], peak.owner[k]
        if at >= 0:
            done = at != v and (chain[label, USED + (group[at] >> 6)] >> (group[at] & 63)) & 1
            least[label, k] = np.inf if done else own
            continue
        if at < -1:
            least[label, k] = own
            continue
        times = 0  # nodes that may yet send something that adds to it, each once
        for a in range(group.shape[0]):
            if a != v and (chain[label, USED + (group[a] >> 6)] >> (group[a] & 63)) & 1:
                continue
            for word in range(peak.onto.shape[2]):
                if peak.onto[k, a, word] & ~chain[label, USED + word] != 0:
                    times += 1
                    break
        most = share * (times * peak.most_sent[k, start] + peak.most_back[k, start])
        least[label, k] = max(own, top - most * (1.0 + 1e-9))
