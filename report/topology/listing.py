"""A topology for the terminal: nodes, links, routes, and the seconds of a payload between all pairs of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tiercut import units
from tiercut.report.rows import Column, Rows
from tiercut.report.tables import table_from
from tiercut.report.topology.part import near_source
from tiercut.topologies import Route, quickest_route, transfer_routes, transfer_seconds

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from tiercut.topologies import Node, Topology

__all__ = ["text"]

_WIDEST = 8
_WIDTH, _PADDING = 118, 3
"""Characters that a table has in a pipe, and those around each column."""


def text(topology: Topology, payload_bytes: float, *, every: bool = False) -> Group:
    """Return tables of a topology's nodes, links, routes and times.

    Parameters
    ----------
    topology
        What to show.
    payload_bytes
        Size of what is sent, for the routes and the times.
    every
        Whether all nodes are shown however many there are; else of a large topology those next to the source, and the
        routes from there.

    Raises
    ------
    QuestionError
        If the size is negative or not finite.
    """
    from rich.console import Group
    from rich.text import Text

    part = topology if every else near_source(topology)
    size = units.format_bytes(payload_bytes)
    parts: list[Text | Table] = [Text(_headline(topology), style="bold"), _nodes(part), _links(part)]
    if part is not topology:
        head = Text(f"Routes of {size} from {topology.source}")
        table = _filled(_ROUTE_HEAD, list(_from_source(topology, part, payload_bytes)))
        return Group(Text(_left_out(topology, part)), *parts, head, table)
    if routes := list(_indirect(topology, payload_bytes)):
        parts += [Text(f"Routes of {size} over several links"), _filled(_ROUTE_HEAD, routes)]
    return Group(*parts, Text(f"Time for {size}, from row to column"), *_times(topology, payload_bytes))


def _left_out(topology: Topology, part: Topology) -> str:
    """Return what a part leaves out."""
    nodes, links = (len(topology.nodes) - len(part.nodes), len(topology.links) - len(part.links))
    return (
        f"{topology.name} has {len(topology.nodes):,} nodes and {len(topology.links):,} links. Shown are the "
        f"{len(part.nodes)} nodes next to {topology.source}; left out are {nodes:,} nodes, {links:,} links, and times "
        "between other nodes than the source (--all shows them)"
    )


def _from_source(topology: Topology, part: Topology, payload_bytes: float) -> Iterator[tuple[str, ...]]:
    """Yield a row for the route from the source to each other node of a part."""
    network = topology.network
    for name in part.node_names:
        route = None if name == topology.source else quickest_route(network, topology.source, name, payload_bytes)
        if route is not None:
            seconds = route.seconds(payload_bytes, topology.forwarding, topology.mtu)
            yield f"{topology.source} → {name}", *_facts(route), units.format_seconds(seconds)
        elif name != topology.source:
            yield f"{topology.source} → {name}", "no way", "", "", ""


_ROUTE_HEAD = ("between", "route", "latency", "slowest link", "time")


def _headline(topology: Topology) -> str:
    ends = (
        "results stay where they are made"
        if topology.destination == "anywhere"
        else f"results go to {topology.destination}"
    )
    packets = f" in packets of {units.format_bytes(topology.mtu)}" if topology.forwarding == "cut-through" else ""
    tiers = ", one node of each tier at most" if topology.one_partition_per == "tier" else ""
    order = ", parts in the order of the tiers" if topology.order == "forward" else ""
    carried = "store and forward" if topology.forwarding == "store" else topology.forwarding
    return f"{topology.name}: samples begin at {topology.source}, {ends}, {carried}{packets}{tiers}{order}"


def _filled(head: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    words = ("tier", "runs as", "route")
    columns = (
        Column(name, "left" if place == 0 or name in words else "right", fold=name == "route")
        for place, name in enumerate(head)
    )
    return table_from(Rows("", tuple(columns), tuple(rows)))


def _nodes(topology: Topology) -> Table:
    optional: dict[str, Callable[[Node], str]] = {
        "memory": lambda node: _binary(node.memory) if node.memory is not None else "",
        "power": lambda node: f"{node.power:.4g} W" if node.power is not None else "",
        "idle": lambda node: f"{node.idle_power:.4g} W" if node.idle_power is not None else "",
        "price": lambda node: f"{node.price * 3600:.4g} $/h" if node.price is not None else "",
        "workers": lambda node: str(node.workers) if node.workers > 1 else "",
    }
    used = {name: cell for name, cell in optional.items() if any(map(cell, topology.nodes))}
    rows = [
        (node.name, topology.tier_of(node.name), _runs_as(node), *(cell(node) for cell in used.values()))
        for node in topology.nodes
    ]
    return _filled(("node", "tier", "runs as", *used), rows)


def _runs_as(node: Node) -> str:
    device = node.device or "reference device"
    return device if node.slowdown == 1 else f"{device} x {node.slowdown:g}"


def _binary(size: float) -> str:
    return f"{size / 2**30:.4g} GiB" if size >= 2**30 else f"{size / 2**20:.4g} MiB"


def _links(topology: Topology) -> Table:
    optional: dict[str, Callable[[Any], str]] = {
        "price": lambda link: f"{link.price * 1e9:.4g} $/GB",
        "energy": lambda link: f"{link.energy * 1e9:.4g} nJ/B",
        "duplex": lambda link: link.duplex,
    }
    plain = {"price": 0.0, "energy": 0.0, "duplex": "full"}
    told = [name for name in optional if any(getattr(link, name) != plain[name] for link in topology.links)]
    rows = []
    for link in topology.links:
        name = " ↔ ".join(link.between) if link.between else f"{link.start} → {link.end}"
        more = [optional[each](link) for each in told]
        rows.append((name, units.format_bandwidth(link.bandwidth), units.format_seconds(link.latency), *more))
    return _filled(("link", "bandwidth", "latency", *told), rows)


def _indirect(topology: Topology, payload_bytes: float) -> Iterator[tuple[str, ...]]:
    """Yield a row for each pair without a link, one for both directions where they are alike."""
    table = transfer_routes(topology, [payload_bytes])[0]
    names = topology.node_names
    for here, sender in enumerate(names):
        for there, receiver in enumerate(names):
            route, back = table[here, there], table[there, here]
            if route is None or len(route.hops) < 2:
                continue
            alike = back is not None and _facts(back)[1:] == _facts(route)[1:] and back.nodes == route.nodes[::-1]
            if not alike or here < there:
                seconds = route.seconds(payload_bytes, topology.forwarding, topology.mtu)
                ends = (" ↔ " if alike else " → ").join((sender, receiver))
                yield (ends, *_facts(route), units.format_seconds(seconds))


def _facts(route: Route) -> tuple[str, str, str]:
    slowest = units.format_bandwidth(route.bottleneck)
    return " → ".join(route.nodes), units.format_seconds(route.latency_s), slowest


def _times(topology: Topology, payload_bytes: float) -> Iterator[Table]:
    """Yield the matrix of seconds, in several tables where it is wide."""
    names = topology.node_names
    seconds = transfer_seconds(topology, [payload_bytes])[0]
    for shown in _side_by_side(names):
        rows = [
            (name, *(_cell(seconds[here, there], here == there) for there in shown)) for here, name in enumerate(names)
        ]
        yield _filled(("from", *(names[there] for there in shown)), rows)


def _side_by_side(names: Sequence[str]) -> Iterator[range]:
    """Yield the columns that fit beside one another: _WIDEST at most, and fewer where names are long."""
    room = _WIDTH - max(map(len, names)) - _PADDING
    first = 0
    while first < len(names):
        last, left = first + 1, room - _column(names[first])
        while last < min(len(names), first + _WIDEST) and _column(names[last]) <= left:
            left -= _column(names[last])
            last += 1
        yield range(first, last)
        first = last


def _column(name: str) -> int:
    return max(len(name), len("999.9 ms")) + _PADDING


def _cell(seconds: float, same: bool) -> str:
    return "-" if same else "no way" if seconds == float("inf") else units.format_seconds(seconds)
