"""Routes and seconds between all pairs of nodes, for many payloads at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tiercut.clock import cut_short, seconds_left
from tiercut.errors import QuestionError, unknown_name
from tiercut.topologies.network import Network, network_of
from tiercut.topologies.quickest_routes import quickest_routes
from tiercut.topologies.route import Route

if TYPE_CHECKING:
    from tiercut.topologies.schema import Topology

__all__ = ["quickest_route", "transfer_prices", "transfer_routes", "transfer_seconds", "transfer_sums"]

_SHARE = 0.15
"""Of the time that is left, what the routes of one table may take: a problem has some five such tables."""

_FEW = 2
"""Links whose weights may be added in any order."""

_Crossed = dict[tuple[str, str], list[tuple[int, int, int, int]]]
_Span = tuple[int, int, str, Route]


def quickest_route(topology: Topology | Network, sender: str, receiver: str, payload_bytes: float) -> Route | None:
    """Return the direct link from `sender` to `receiver`, otherwise the quickest path; None where there is none.

    Parameters
    ----------
    topology
        Nodes and links: a topology, or the network of one, which many calls may share.
    sender, receiver
        Names of nodes; a route from a node to itself has no hops.
    payload_bytes
        Size of what is sent; which path is the quickest depends on it.

    Raises
    ------
    QuestionError
        If a name is unknown or the size is negative or not finite.
    """
    network = network_of(topology)
    for name in (sender, receiver):
        if name not in network.node_names:
            raise QuestionError(unknown_name("node", name, network.node_names))
    (size,) = _sizes([payload_bytes])
    return quickest_routes(network, sender, float(size)).get(receiver)


def transfer_seconds(topology: Topology | Network, payload_bytes: ArrayLike) -> NDArray[np.float64]:
    """Return the seconds that each payload takes between all pairs of nodes.

    Parameters
    ----------
    topology
        Nodes and links: a topology, or the network of one, which many calls may share.
    payload_bytes
        K sizes in bytes.

    Returns
    -------
    numpy.ndarray
        K x M x M (payload, sender, receiver): 0 on the diagonal, infinite where there is no route.

    Raises
    ------
    QuestionError
        If a size is negative or not finite.
    """
    network = network_of(topology)
    sizes, which = np.unique(_sizes(payload_bytes), return_inverse=True)
    seconds = np.full((len(sizes), len(network.node_names), len(network.node_names)), np.inf)
    for start, end, sender, receiver, route in _spans(network, sizes):
        seconds[start:end, sender, receiver] = route.seconds(sizes[start:end], network.forwarding, network.mtu)
    return seconds[which]


def transfer_prices(topology: Topology | Network, payload_bytes: ArrayLike) -> NDArray[np.float64]:
    """Return the dollars per byte of the route that each payload takes between all pairs, as `transfer_sums`."""
    network = network_of(topology)
    return transfer_sums(network, payload_bytes, {ends: hop.price for ends, hop in network.hops.items()})


def transfer_sums(
    topology: Topology | Network, payload_bytes: ArrayLike, weights: Mapping[tuple[str, str], float]
) -> NDArray[np.float64]:
    """Return the sum of the weights of the links on the route that each payload takes between all pairs of nodes.

    Parameters
    ----------
    topology
        Nodes and links: a topology, or the network of one, which many calls may share.
    payload_bytes
        K sizes in bytes; the route, and with it the sum, depends on the size.
    weights
        Of links, by (sender, receiver); others weigh nothing.

    Returns
    -------
    numpy.ndarray
        K x M x M (payload, sender, receiver): 0 on the diagonal, infinite where there is no route, unless there is
        nothing to send: the product with the size is a number for every pair.

    Raises
    ------
    QuestionError
        If a size is negative or not finite.
    """
    network = network_of(topology)
    sizes, which = np.unique(_sizes(payload_bytes), return_inverse=True)
    sums = np.full((len(sizes), len(network.node_names), len(network.node_names)), np.inf)
    sums[sizes == 0] = 0.0
    if not any(weights.values()):  # no link weighs anything, so that no route has to be known
        sums[:, _linked(network)] = 0.0
        return sums[which]
    if len(weights) <= _FEW:
        sums, crossed = _crossed(network, sizes)
        for pair, weight in weights.items():
            for start, end, sender, receiver in crossed.get(pair, ()):
                sums[start:end, sender, receiver] += weight
        return sums[which]
    for start, end, sender, receiver, route in _spans(network, sizes):
        sums[start:end, sender, receiver] = sum(weights.get((hop.sender, hop.receiver), 0.0) for hop in route.hops)
    return sums[which]


def _crossed(network: Network, sizes: NDArray[np.float64]) -> tuple[NDArray[np.float64], _Crossed]:
    """Return K x M x M zeros, infinite where there is no route, and which routes cross each link; sizes rise."""
    key = sizes.tobytes()
    if key in network.crossed:
        known, routes = network.crossed[key]
        return known.copy(), routes
    until, began = seconds_left() * _SHARE, time.perf_counter()
    linked = np.full((len(sizes), len(network.node_names), len(network.node_names)), np.inf)
    linked[sizes == 0] = 0.0
    crossed: _Crossed = {}
    told = np.zeros(linked.shape, bool)
    for first, last, sender, receiver, route in _spans(network, sizes):
        # Ranges may share their ends.
        start = first + int(told[first, sender, receiver])
        end = last - int(last > start and told[last - 1, sender, receiver])
        told[start:end, sender, receiver] = True
        linked[start:end, sender, receiver] = 0.0
        for hop in route.hops:
            crossed.setdefault((hop.sender, hop.receiver), []).append((start, end, sender, receiver))
    if time.perf_counter() - began <= until:  # else some may have been left out
        network.crossed[key] = linked.copy(), crossed
    return linked, crossed


def transfer_routes(topology: Topology | Network, payload_bytes: ArrayLike) -> NDArray[np.object_]:
    """Return the `Route` of each payload between all pairs of nodes.

    Returns
    -------
    numpy.ndarray
        K x M x M objects (payload, sender, receiver): routes, without hops on the diagonal; None where there is none.
    """
    network = network_of(topology)
    sizes, which = np.unique(_sizes(payload_bytes), return_inverse=True)
    routes = np.full((len(sizes), len(network.node_names), len(network.node_names)), None, dtype=object)
    for start, end, sender, receiver, route in _spans(network, sizes):
        routes[start:end, sender, receiver] = route
    return routes[which]


def _linked(network: Network) -> NDArray[np.bool_]:
    """Return M x M: whether there is a path from one node to another; there is from each to itself."""
    place = {name: index for index, name in enumerate(network.node_names)}
    after = [[place[hop.receiver] for hop in network.hops_from[name]] for name in network.node_names]
    linked = np.zeros((len(place), len(place)), bool)
    for start, reached in enumerate(linked):
        waiting, seen = [start], {start}
        while waiting:
            fresh = [node for node in after[waiting.pop()] if node not in seen]
            seen.update(fresh)
            waiting += fresh
        reached[list(seen)] = True
    return linked


def _sizes(payload_bytes: ArrayLike) -> NDArray[np.float64]:
    sizes = np.asarray(payload_bytes, dtype=np.float64)
    if sizes.ndim != 1:
        raise QuestionError(f"expected a list of payload sizes, got an array of shape {sizes.shape}")
    wrong = sizes[~(np.isfinite(sizes) & (sizes >= 0))]
    if wrong.size:
        raise QuestionError(f"expected payload sizes that are finite and 0 bytes or more, got {wrong[0]}")
    return sizes


def _spans(network: Network, sizes: NDArray[np.float64]) -> Iterator[tuple[int, int, int, int, Route]]:
    """Yield (start, end, sender, receiver, route): the route that `sizes[start:end]` take; sizes rise.

    NOTE A route's seconds are linear in the size, with one kink at the mtu. A route that is quickest at both ends of
    a range without a kink is therefore quickest all over it, and only ranges whose ends disagree are split.

    Where there is a limit of time and it is too short, the nodes come last without routes: as without a path, they are
    not used, and the plans that remain are valid. The source comes first.
    """
    place = {name: index for index, name in enumerate(network.node_names)}
    until = seconds_left() * _SHARE
    kink = int(np.searchsorted(sizes, network.mtu, side="right")) if network.forwarding == "cut-through" else 0
    began = time.perf_counter()
    for name, sender in sorted(place.items(), key=lambda each: each[0] != network.source):
        if time.perf_counter() - began > until:
            cut_short("routes from some of the nodes")
            return
        for start, end in ((0, kink), (kink, len(sizes))):
            if start < end:
                for first, last, receiver, route in _halve(network, name, sizes, start, end - 1):
                    yield first, last + 1, sender, place[receiver], route


def _halve(network: Network, sender: str, sizes: NDArray[np.float64], start: int, end: int) -> Iterator[_Span]:
    routes = {place: quickest_routes(network, sender, float(sizes[place])) for place in {start, end}}
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
            routes[middle] = quickest_routes(network, sender, float(sizes[middle]))
            waiting += [(low, middle, tuple(differ)), (middle, high, tuple(differ))]
