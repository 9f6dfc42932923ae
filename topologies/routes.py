"""Routes and seconds between all pairs of nodes, for many payloads at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tiercut.errors import QuestionError
from tiercut.topologies.route import Route
from tiercut.topologies.search import quickest_routes

if TYPE_CHECKING:
    from tiercut.topologies.schema import Topology

__all__ = ["quickest_route", "transfer_prices", "transfer_routes", "transfer_seconds", "transfer_sums"]

_Span = tuple[int, int, str, Route]


def quickest_route(topology: Topology, sender: str, receiver: str, payload_bytes: float) -> Route | None:
    """Return the direct link from `sender` to `receiver`, otherwise the quickest path; None where there is none.

    Parameters
    ----------
    topology
        The network.
    sender, receiver
        Names of nodes; a route from a node to itself has no hops.
    payload_bytes
        Size of what is sent; which path is the quickest depends on it.

    Raises
    ------
    QuestionError
        If a name is unknown or the size is negative or not finite.
    """
    topology.index(sender), topology.index(receiver)
    (size,) = _sizes([payload_bytes])
    return quickest_routes(topology, sender, float(size)).get(receiver)


def transfer_seconds(topology: Topology, payload_bytes: ArrayLike) -> NDArray[np.float64]:
    """Return the seconds that each payload takes between all pairs of nodes.

    Parameters
    ----------
    topology
        The network.
    payload_bytes
        K sizes in bytes.

    Returns
    -------
    numpy.ndarray
        K x M x M (payload, sender, receiver): 0 on the diagonal, infinite where no way leads.

    Raises
    ------
    QuestionError
        If a size is negative or not finite.
    """
    sizes, which = np.unique(_sizes(payload_bytes), return_inverse=True)
    seconds = np.full((len(sizes), len(topology.nodes), len(topology.nodes)), np.inf)
    for start, end, sender, receiver, route in _spans(topology, sizes):
        seconds[start:end, sender, receiver] = route.seconds(sizes[start:end], topology.forwarding, topology.mtu)
    return seconds[which]


def transfer_prices(topology: Topology, payload_bytes: ArrayLike) -> NDArray[np.float64]:
    """Return the dollars per byte of the route that each payload takes between all pairs, as `transfer_sums`."""
    return transfer_sums(topology, payload_bytes, {way: hop.price for way, hop in topology.hops.items()})


def transfer_sums(
    topology: Topology, payload_bytes: ArrayLike, weights: Mapping[tuple[str, str], float]
) -> NDArray[np.float64]:
    """Return the sum of the weights of the links on the route that each payload takes between all pairs of nodes.

    Parameters
    ----------
    topology
        The network.
    payload_bytes
        K sizes in bytes; the route, and with it the sum, depends on the size.
    weights
        Of links, by (sender, receiver); others weigh nothing.

    Returns
    -------
    numpy.ndarray
        K x M x M (payload, sender, receiver): 0 on the diagonal, infinite where no way leads, unless there is
        nothing to send: the product with the size is a number for every pair.

    Raises
    ------
    QuestionError
        If a size is negative or not finite.
    """
    sizes, which = np.unique(_sizes(payload_bytes), return_inverse=True)
    sums = np.full((len(sizes), len(topology.nodes), len(topology.nodes)), np.inf)
    sums[sizes == 0] = 0.0
    for start, end, sender, receiver, route in _spans(topology, sizes):
        sums[start:end, sender, receiver] = sum(weights.get((hop.sender, hop.receiver), 0.0) for hop in route.hops)
    return sums[which]


def transfer_routes(topology: Topology, payload_bytes: ArrayLike) -> NDArray[np.object_]:
    """Return the `Route` of each payload between all pairs of nodes.

    Returns
    -------
    numpy.ndarray
        K x M x M objects (payload, sender, receiver): routes, without hops on the diagonal; None where no way leads.
    """
    sizes, which = np.unique(_sizes(payload_bytes), return_inverse=True)
    routes = np.full((len(sizes), len(topology.nodes), len(topology.nodes)), None, dtype=object)
    for start, end, sender, receiver, route in _spans(topology, sizes):
        routes[start:end, sender, receiver] = route
    return routes[which]


def _sizes(payload_bytes: ArrayLike) -> NDArray[np.float64]:
    sizes = np.asarray(payload_bytes, dtype=np.float64)
    if sizes.ndim != 1:
        raise QuestionError(f"expected a list of payload sizes, got an array of shape {sizes.shape}")
    wrong = sizes[~(np.isfinite(sizes) & (sizes >= 0))]
    if wrong.size:
        raise QuestionError(f"expected payload sizes that are finite and 0 bytes or more, got {wrong[0]}")
    return sizes


def _spans(topology: Topology, sizes: NDArray[np.float64]) -> Iterator[tuple[int, int, int, int, Route]]:
    """Yield (start, end, sender, receiver, route): the route that `sizes[start:end]` take; sizes rise.

    NOTE A route's seconds are linear in the size, with one kink at the mtu. A route that is quickest at both ends of
    a range without a kink is therefore quickest all over it, and only ranges whose ends disagree are split.
    """
    place = {name: index for index, name in enumerate(topology.node_names)}
    kink = int(np.searchsorted(sizes, topology.mtu, side="right")) if topology.forwarding == "cut-through" else 0
    for name, sender in place.items():
        for start, end in ((0, kink), (kink, len(sizes))):
            if start < end:
                for first, last, receiver, route in _halve(topology, name, sizes, start, end - 1):
                    yield first, last + 1, sender, place[receiver], route


def _halve(topology: Topology, sender: str, sizes: NDArray[np.float64], start: int, end: int) -> Iterator[_Span]:
    routes = {place: quickest_routes(topology, sender, float(sizes[place])) for place in {start, end}}
    waiting = [(start, end, tuple(routes[start]))]
    while waiting:
        low, high, open_ = waiting.pop()
        differ = []
        for receiver in open_:
            if routes[low][receiver] == routes[high][receiver]:
                yield low, high, receiver, routes[low][receiver]
            elif high - low == 1:
                yield low, low, receiver, routes[low][receiver]
                yield high, high, receiver, routes[high][receiver]
            else:
                differ.append(receiver)
        if differ:
            middle = (low + high) // 2
            routes[middle] = quickest_routes(topology, sender, float(sizes[middle]))
            waiting += [(low, middle, tuple(differ)), (middle, high, tuple(differ))]
