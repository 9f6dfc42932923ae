"""What of a topology is shown where not all of it fits: the nodes next to the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiercut.topologies import Topology

__all__ = ["MOST_NODES", "near_source"]

MOST_NODES = 40
"""Nodes up to which a topology is shown whole."""


def near_source(topology: Topology, most: int = MOST_NODES) -> Topology:
    """Return the part of a topology that is fewest links from the source, in the order of the file.

    Parameters
    ----------
    topology
        Whatever its size; one that is small enough is returned as it is.
    most
        How many nodes the part has. The source and the destination are always among them.
    """
    if len(topology.nodes) <= most:
        return topology
    beside: dict[str, list[str]] = {name: [] for name in topology.node_names}
    for start, end in topology.hops:
        beside[start].append(end)
        beside[end].append(start)
    ends = [name for name in (topology.source, topology.destination) if name in beside]
    seen, waiting = dict.fromkeys(ends), [topology.source]
    while waiting and len(seen) < most:
        reached = dict.fromkeys(name for each in waiting for name in beside[each] if name not in seen)
        seen |= dict.fromkeys(list(reached)[: most - len(seen)])
        waiting = list(reached)
    nodes = [node for node in topology.nodes if node.name in seen]
    links = [link for link in topology.links if all(end in seen for ends in link.directions for end in ends)]
    return topology.model_copy(update={"nodes": nodes, "links": links})
