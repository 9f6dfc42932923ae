"""Topology files: schema, loader, routes, drawings, and the ready-made ones."""

from tiercut.topologies.loader import load_topology, ready_made, topology_from_text
from tiercut.topologies.network import Network
from tiercut.topologies.route import Hop, Route
from tiercut.topologies.routes import quickest_route, transfer_prices, transfer_routes, transfer_seconds
from tiercut.topologies.schema import ANYWHERE, Link, Node, Topology

__all__ = [
    "ANYWHERE",
    "Hop",
    "Link",
    "Network",
    "Node",
    "Route",
    "Topology",
    "load_topology",
    "quickest_route",
    "ready_made",
    "topology_from_text",
    "transfer_prices",
    "transfer_routes",
    "transfer_seconds",
]
