"""The price of a fixed decision under other slowdowns, bandwidths and latencies, without the tables of all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tiercut.optimizer import ANYWHERE, PieceTable, coding_seconds, device_of, piece_seconds, price
from tiercut.topologies import Route, quickest_route

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer import Decision, Plan, Problem
    from tiercut.profiling import Profile
    from tiercut.topologies import Hop, Topology

    Floats = NDArray[np.float64]
    Direction = tuple[str, str]

__all__ = ["Numbers", "Repricer"]


@dataclass(frozen=True)
class Numbers:
    """What of a topology may change: slowdowns of its M nodes, and its hops, by direction in the order of the file."""

    slowdown: tuple[float, ...]
    hops: Mapping[Direction, Hop]

    @classmethod
    def of(cls, topology: Topology) -> Numbers:
        """Return the numbers of a topology."""
        return cls(tuple(node.slowdown for node in topology.nodes), topology.network.hops)

    def changed(
        self,
        slowdown: Mapping[int, float],
        bandwidth: Mapping[Direction, float],
        latency: Mapping[Direction, float],
    ) -> Numbers:
        """Return the numbers with others in the place of some."""
        hops = dict(self.hops)
        for way in {*bandwidth, *latency}:
            hop = hops[way]
            hops[way] = replace(hop, bandwidth=bandwidth.get(way, hop.bandwidth), latency=latency.get(way, hop.latency))
        return Numbers(tuple(slowdown.get(node, now) for node, now in enumerate(self.slowdown)), hops)

    @cached_property
    def place(self) -> Floats:
        """All numbers that times grow with, in one array: slowdowns, latencies, and seconds per byte."""
        hops = self.hops.values()
        return np.array([*self.slowdown, *(hop.latency for hop in hops), *(1 / hop.bandwidth for hop in hops)])


class Repricer:
    """Prices decisions of one problem under changed numbers, equal to those of its tables made anew.

    Parameters
    ----------
    problem
        The tables under any numbers, for plans without codecs.
    topology, profile
        What it was made of.
    """

    def __init__(self, problem: Problem, topology: Topology, profile: Profile) -> None:
        # NOTE Whatever a price reads is written first, and nothing else: pages that nobody writes take no memory. The
        # problem locks its views of these tables, not the tables.
        span, bare, transfer, result = (
            np.zeros(each.shape) for each in (problem.span_s, problem.bare_s, problem.transfer_s, problem.result_s)
        )
        pieces, bare_pieces = PieceTable.of(span), PieceTable.of(bare)
        self._problem = replace(problem, span_s=pieces, bare_s=bare_pieces, transfer_s=transfer, result_s=result)
        self._tables = {"span_s": span, "bare_s": bare, "transfer_s": transfer, "result_s": result}
        self._network = topology.network
        ends = {frozenset(way) for way in self._network.hops}
        self._tree = len(ends) < problem.node_count
        self._devices = [device_of(node, profile) for node in topology.nodes]
        count = problem.block_count
        each = {id(device): device for device in self._devices}.values()
        self._pieces = {id(device): piece_seconds(device, count) for device in each}
        self._encode, self._decode = coding_seconds(self._devices, np.ones(problem.node_count), count + 1)
        self._paths: dict[tuple[int, int], tuple[Direction, ...]] = {}

    def takes(self, decision: Decision) -> bool:
        """Return whether a decision can be priced: it has no codecs, and its routes hang on no number."""
        if decision.input_codec is not None or any(codec is not None for codec in decision.codecs or ()):
            return False
        problem, nodes = self._problem, decision.placement
        home = () if problem.destination == ANYWHERE else tuple((node, problem.destination) for node in nodes)
        pairs = ((problem.source, nodes[0]), *pairwise(nodes), *home)
        names = problem.nodes
        return self._tree or all(u == v or (names[u], names[v]) in self._network.hops for u, v in pairs)

    def price(self, decision: Decision, numbers: Numbers) -> Plan:
        """Return the plan that a decision makes under some numbers."""
        problem, tables, slow = self._problem, self._tables, numbers.slowdown
        transfer, result = tables["transfer_s"], tables["result_s"]
        root = decision.placement[0]
        transfer[0, problem.source, root] = self._sent(0, problem.source, root, numbers)
        begin, stage = 0, 0
        for last in sorted({*decision.partition, *decision.exits}):
            node = decision.placement[stage]
            span, bare = self._pieces[id(self._devices[node])]
            leaves = last in decision.exits
            name, table = ("span_s", span) if leaves else ("bare_s", bare)
            tables[name][node, begin, last - 1] = table[begin, last - 1] * slow[node]
            if leaves and problem.destination != ANYWHERE:
                result[last - 1, node] = self._travel(problem.result_bytes, node, problem.destination, numbers)
            if last == decision.partition[stage] and stage + 1 < len(decision.partition):
                stage += 1
                then = decision.placement[stage]
                transfer[last, node, then] = self._sent(last, node, then, numbers)
            begin = last
        return price(problem, decision)

    def _sent(self, block: int, u: int, v: int, numbers: Numbers) -> float:
        """Return the seconds of a block's output (0: the input) from a node to another, coding included."""
        if u == v:
            return 0.0
        encode, decode = self._encode[block, u] * numbers.slowdown[u], self._decode[block, v] * numbers.slowdown[v]
        return float((encode + decode) + self._travel(float(self._problem.payload_bytes[block]), u, v, numbers))

    def _travel(self, size: float, u: int, v: int, numbers: Numbers) -> float:
        network = self._network
        route = Route(tuple([numbers.hops[way] for way in self._path(u, v)]))
        return float(route.seconds(size, network.forwarding, network.mtu)) if route.hops else 0.0

    def _path(self, u: int, v: int) -> Sequence[Direction]:
        """Return the directions on the way from a node to another, whatever their numbers are (see `takes`)."""
        if (u, v) not in self._paths:
            names = self._problem.nodes
            route = quickest_route(self._network, names[u], names[v], 0.0)
            assert route is not None
            self._paths[u, v] = tuple((hop.sender, hop.receiver) for hop in route.hops)
        return self._paths[u, v]
