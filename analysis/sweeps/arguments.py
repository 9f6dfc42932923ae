"""What the kernel of batches takes, by name. H links count by direction; ``_at`` and ``begin`` have one entry more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Atoms", "Axes", "Listed", "Routes"]


class Axes(NamedTuple):
    """Conditions in order, the last one changing quickest.

    Parameters
    ----------
    sizes
        How many levels each has.
    targets_at, targets
        Which values each sets.
    values_at, values
        To what, at each of its levels.
    follow_at, follow
        Which atoms are to be worked out again where this condition, and all behind it, have changed.
    """

    sizes: Ints
    targets_at: Ints
    targets: Ints
    values_at: Ints
    values: Floats
    follow_at: Ints
    follow: Ints


class Atoms(NamedTuple):
    """Pieces and transfers: ``one * slowdown of here + other * slowdown of there + travel``, in seconds.

    Parameters
    ----------
    here, there
        Nodes: of a piece the one that computes it, of a transfer its ends.
    one, other
        Seconds at a slowdown of 1: of a piece, or to encode and to decode.
    size
        Bytes that travel.
    route, route_end
        The routes that they may take; none where nothing travels.
    """

    here: Ints
    there: Ints
    one: Floats
    other: Floats
    size: Floats
    route: Ints
    route_end: Ints


class Routes(NamedTuple):
    """Routes as rows of links, those between the same nodes in the order that decides among equals.

    Parameters
    ----------
    begin, hops
        Where each begins, and its directions of links.
    packets, mtu
        Whether payloads travel in packets, and the bytes of one.
    """

    begin: Ints
    hops: Ints
    packets: bool
    mtu: float


class Listed(NamedTuple):
    """Plans, the most accurate first, then in the order that decides among equals.

    Parameters
    ----------
    begin, atom, weight
        Where the sum of each begins, its atoms, and the share of the samples that meets each.
    accuracy
        Share of right answers; 0 where none is known.
    """

    begin: Ints
    atom: Ints
    weight: Floats
    accuracy: Floats
