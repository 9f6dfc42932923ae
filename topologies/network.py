"""The links of a topology as the search for routes reads them: a snapshot that nothing changes afterwards.

A topology is a document, and whoever holds one may make another of it by replacing a part. What is derived from its
links is therefore kept in an object of its own, made when tables are built, and never on the document: copies of a
document would carry it along and answer for the old links.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tiercut.topologies.route import Forwarding, Hop

if TYPE_CHECKING:
    from tiercut.topologies.schema import Link, Topology

__all__ = ["Network", "network_of"]


@dataclass(frozen=True, slots=True)
class Network:
    """Nodes, and what leads from one to another.

    Parameters
    ----------
    node_names
        Names of the M nodes in file order.
    hops
        The link in every direction that has one, by (sender, receiver), in file order.
    hops_from
        The hops that leave each node, by its name.
    link_names
        What people call the links: ``a-b`` where one serves both directions, ``a>b`` where it serves one.
    source
        Name of the node where samples are born: routes that begin there are looked up first.
    forwarding, mtu
        How payloads are passed on, and bytes of a packet (see `tiercut.topologies.route`).
    crossed
        What `tiercut.topologies.routes` knows of the links that payloads of some sizes cross.
    """

    node_names: tuple[str, ...]
    hops: Mapping[tuple[str, str], Hop]
    hops_from: Mapping[str, tuple[Hop, ...]]
    link_names: tuple[str, ...]
    source: str
    forwarding: Forwarding
    mtu: float
    crossed: dict[bytes, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, topology: Topology) -> Network:
        """Return the network of a topology as it is now."""
        names = topology.node_names
        hops = {
            (sender, receiver): Hop(
                sender, receiver, link.bandwidth, link.latency, link.price, link.energy, link.duplex == "half"
            )
            for link in topology.links
            for sender, receiver in link.directions
        }
        leaving: dict[str, list[Hop]] = {name: [] for name in names}
        for hop in hops.values():
            leaving.setdefault(hop.sender, []).append(hop)
        return cls(
            node_names=names,
            hops=hops,
            hops_from={name: tuple(each) for name, each in leaving.items()},
            link_names=tuple(_name_of(link) for link in topology.links),
            source=topology.source,
            forwarding=topology.forwarding,
            mtu=topology.mtu,
        )


def _name_of(link: Link) -> str:
    return "-".join(link.between) if link.between else f"{link.start}>{link.end}"


def network_of(topology: Topology | Network) -> Network:
    """Return a network as it is, or that of a topology."""
    return topology if isinstance(topology, Network) else Network.of(topology)
