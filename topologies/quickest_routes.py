"""The quickest routes from one node to all others for a payload of one size.

NOTE With cut-through the seconds of a route are no sum over its hops: a path that is quicker up to some node may be the
worse beginning because its slowest link is slower. So the search keeps, for every node, each label that is wider than
all quicker ones; with store-and-forward (or a payload of one packet) width does not count and this is Dijkstra's.
A library's shortest paths would serve for the latter only, and take longer to import than to run.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from tiercut.topologies.route import Hop, Route

if TYPE_CHECKING:
    from tiercut.topologies.network import Network

__all__ = ["quickest_routes"]

_Rank = tuple[float, int, tuple[int, ...]]


def quickest_routes(network: Network, start: str, payload_bytes: float) -> dict[str, Route]:
    """Return the route to every node that can be reached: the direct link, otherwise the quickest path.

    Parameters
    ----------
    network
        Nodes and links.
    start
        Name of the sending node; the route to itself has no hops.
    payload_bytes
        Size of what is sent.

    Notes
    -----
    Of several quickest paths the one with the fewest hops counts, then the one whose nodes stand first in the file.
    """
    packet = min(payload_bytes, network.mtu) if network.forwarding == "cut-through" else payload_bytes
    found: dict[str, tuple[Hop, ...]] = {start: ()}
    if len(network.hops_from[start]) < len(network.node_names) - 1:
        found = _search(network, start, packet, payload_bytes - packet)
    found |= {hop.receiver: (hop,) for hop in network.hops_from[start]}
    return {name: Route(found[name]) for name in network.node_names if name in found}


def _search(network: Network, start: str, packet: float, rest: float) -> dict[str, tuple[Hop, ...]]:
    """Return the quickest path to every node; `packet` bytes pay every hop, `rest` bytes the slowest one only."""
    place = {name: index for index, name in enumerate(network.node_names)}
    widest: dict[str, float] = {}
    best: dict[str, tuple[_Rank, tuple[Hop, ...]]] = {}
    waiting: list[tuple[float, int, tuple[int, ...], float, tuple[Hop, ...]]]
    waiting = [(0.0, 0, (place[start],), float("inf"), ())]
    while waiting:
        seconds, count, path, width, hops = heappop(waiting)
        here = hops[-1].receiver if hops else start
        if here in widest and (rest <= 0 or width <= widest[here]):
            continue
        widest[here] = width
        rank = (seconds + rest / width, count, path)
        if here not in best or rank < best[here][0]:
            best[here] = (rank, hops)
        for hop in network.hops_from[here]:
            there = widest.get(hop.receiver)
            if there is not None and (rest <= 0 or min(width, hop.bandwidth) <= there):
                continue
            cost = seconds + hop.latency + packet / hop.bandwidth
            step = (cost, count + 1, (*path, place[hop.receiver]), min(width, hop.bandwidth), (*hops, hop))
            heappush(waiting, step)
    return {name: hops for name, (_, hops) in best.items()}
