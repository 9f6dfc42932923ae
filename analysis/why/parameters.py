"""Numbers of a topology that may change, one at a time, and how the latency of a decision follows them.

Over the place x (a link's latency, 1/bandwidth, or a node's slowdown) the latency of a decision is a line while its
routes stay. Where routes change to quicker ones it is the least of several lines, which is as good for an envelope;
where the slowest link of a route changes (cut-through) it is not, so ranges end there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from tiercut import units
from tiercut.optimizer import ANYWHERE, Conditions, Measure, Number, evaluate_tables
from tiercut.topologies import quickest_route

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiercut.optimizer import Decision, Problem
    from tiercut.topologies import Network, Route, Topology

    _Rise = Callable[[int, int, float], float]

__all__ = ["KINDS", "Parameter", "kinks", "link_slope", "parameters_of"]

KINDS: tuple[Number, ...] = get_args(Number)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number of a topology.

    Parameters
    ----------
    kind
        ``bandwidth`` or ``latency`` of a link, or ``slowdown`` of a node.
    name
        ``a-b`` for both directions of a link, ``a>b`` for one, or a node's name.
    now
        Its present value: bytes per second, seconds, or a factor.
    directions
        What of a link it means.
    """

    kind: Number
    name: str
    now: float
    directions: tuple[tuple[str, str], ...] = ()

    def place(self, value: float) -> float:
        """Return the x of a value: itself, or for a bandwidth its inverse; greater is always slower."""
        return 1 / value if self.kind == "bandwidth" else value

    def value(self, place: float) -> float:
        """Return the value at an x."""
        return 1 / place if self.kind == "bandwidth" else place

    def applied(self, topology: Topology, value: float) -> Topology:
        """Return the topology with another value."""
        names = [self.name] if self.kind == "slowdown" else [">".join(each) for each in self.directions]
        changed: dict[str, Any] = {self.kind: dict.fromkeys(names, value)}
        return Conditions(**changed).changed_topology(topology)

    def show(self, value: float) -> str:
        """Return a value as people read it."""
        if self.kind == "slowdown":
            return f"{value:.4g}"
        return units.format_bandwidth(value) if self.kind == "bandwidth" else units.format_seconds(value)


def parameters_of(topology: Topology) -> Iterator[Parameter]:
    """Yield the bandwidth and the latency of every link, both index and each way, then the slowdown of every node."""
    for link in topology.links:
        each = [(f"{sender}>{receiver}", ((sender, receiver),)) for sender, receiver in link.directions]
        named = [("-".join(link.between), link.directions), *each] if link.between else each
        for name, directions in named:
            yield Parameter("bandwidth", name, link.bandwidth, directions)
            yield Parameter("latency", name, link.latency, directions)
    for node in topology.nodes:
        yield Parameter("slowdown", node.name, node.slowdown)


def kinks(parameter: Parameter, topology: Topology) -> Iterator[float]:
    """Yield the places where the slowest link of a route may become another one.

    With cut-through all but the first packet go at the pace of the slowest link, and a bandwidth is or is not the
    slowest of a route by how it compares with those of the other links.
    """
    if parameter.kind == "bandwidth" and topology.forwarding == "cut-through":
        for direction, hop in topology.hops.items():
            if direction not in parameter.directions:
                yield 1 / hop.bandwidth


def link_slope(
    parameter: Parameter, topology: Topology, problem: Problem, decision: Decision, middle: float | None = None
) -> float:
    """Return by how much the latency of a decision rises per unit of x of a link, its routes as they are.

    Parameters
    ----------
    parameter
        A bandwidth or a latency.
    topology
        With the value whose routes count.
    problem
        The tables of that topology, or of another that differs in links alone.
    decision
        What is priced.
    middle
        An x within the range between two kinks; by default the present one.
    """
    x = parameter.place(parameter.now) if middle is None else middle
    network = topology.network

    def rise(sender: int, receiver: int, size: float) -> float:
        route = quickest_route(network, problem.nodes[sender], problem.nodes[receiver], size)
        return 0.0 if route is None else _rise(parameter, network, route, size, x)

    return evaluate_tables(problem, decision, _slopes(problem, decision, rise))


def _slopes(problem: Problem, decision: Decision, rise: _Rise) -> Measure:
    """Return tables of slopes, filled only where the decision looks."""
    entry, root = decision.input_codec, decision.placement[0]
    first, coded_first = np.zeros(problem.node_count), np.zeros_like(problem.codec_s[:, 0, 0])
    if entry is None:
        first[root] = rise(problem.source, root, float(problem.payload_bytes[0]))
    else:
        coded_first[entry, root] = rise(problem.source, root, float(problem.codec_bytes[entry, 0]))
    send, result = np.zeros_like(problem.transfer_s[1:]), np.zeros_like(problem.result_s)
    coded = np.zeros_like(problem.codec_s[:, 1:])
    for cut, block in enumerate(decision.partition[:-1]):
        index = (block - 1, decision.placement[cut], decision.placement[cut + 1])
        codec = decision.codecs[cut] if decision.codecs else None
        if codec is None:
            send[index] = rise(*index[1:], float(problem.payload_bytes[block]))
        else:
            coded[(codec, *index)] = rise(*index[1:], float(problem.codec_bytes[codec, block]))
    if problem.destination != ANYWHERE:
        for node in decision.placement:
            result[:, node] = rise(node, problem.destination, problem.result_bytes)
    nothing = np.zeros(problem.span_s.shape)
    return Measure(first, nothing, nothing, send, result, coded_first, coded)


def _rise(parameter: Parameter, network: Network, route: Route, size: float, middle: float) -> float:
    """Return what a unit of x adds to the seconds of a payload on a route (see `tiercut.topologies.route`)."""
    mine = [(hop.sender, hop.receiver) in parameter.directions for hop in route.hops]
    if parameter.kind == "latency" or not any(mine):
        return float(sum(mine))
    if network.forwarding == "store":
        return size * sum(mine)
    packet = min(size, network.mtu)
    others = (1 / hop.bandwidth for hop, own in zip(route.hops, mine, strict=True) if not own)
    slowest = all(pace <= middle for pace in others)
    return packet * sum(mine) + (size - packet) * slowest
