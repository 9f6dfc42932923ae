"""What plans take, and how many frames a second they keep up with, under other slowdowns and bandwidths than now.

Of a fixed plan on fixed routes both are sums over its steps, each times the slowdown of a node, or the seconds per byte
of a link, over what that was: a few products for each look.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray

from tiercut.optimizer import Itinerary, Plan, Problem, Step, decide_again, itinerary, name_of
from tiercut.topologies import Topology, directions_of

__all__ = ["Priced"]

Floats = NDArray[np.float64]


class Priced:
    """Prices plans under conditions, along the routes that they have without them.

    Parameters
    ----------
    topology, problem
        Without the conditions.
    names
        Of D conditions: slowdowns of nodes, and bandwidths of links; all else stays as it is.
    """

    def __init__(self, topology: Topology, problem: Problem, names: Sequence[str]) -> None:
        self._problem, self._network = problem, topology.network
        self._names = [name for name in names if name_of(name).kind in ("slowdown", "bandwidth")]
        self._workers = {node.name: node.workers for node in topology.nodes}
        self._nodes: dict[str, int] = {}
        self._ways: dict[tuple[str, str], int] = {}
        start = []
        for place, name in enumerate(self._names):
            kind, of = name_of(name)
            if kind == "slowdown":
                self._nodes[of] = place
                start.append(topology.node(of).slowdown)
            else:
                ways = directions_of(self._network, of)
                self._ways.update(dict.fromkeys(ways, place))
                start.append(self._network.hops[ways[0]].bandwidth)
        self._start = np.array(start)
        self._inverse = np.array([name.startswith("bandwidth(") for name in self._names], bool)
        self._known: dict[object, tuple[Floats, Floats]] = {}

    def seconds(self, plan: Plan, values: Mapping[str, float]) -> float:
        """Return the expected latency in seconds; `values` by name, in inner units, those left out as they were."""
        return float(self._terms(plan)[0] @ self._shares(values))

    def rate(self, plan: Plan, values: Mapping[str, float]) -> float:
        """Return the sustainable rate in frames per second; see `seconds`."""
        busy = float((self._terms(plan)[1] @ self._shares(values)).max(initial=0.0))
        return 1 / busy if busy > 0 else inf

    def _shares(self, values: Mapping[str, float]) -> Floats:
        """Return 1, and by how much each condition makes longer what depends on it, D + 1."""
        now = np.array([values.get(name, was) for name, was in zip(self._names, self._start, strict=True)])
        with np.errstate(divide="ignore"):
            shares = np.where(self._inverse, self._start / now, now / self._start)
        return np.concatenate(([1.0], shares))

    def _terms(self, plan: Plan) -> tuple[Floats, Floats]:
        """Return what of the latency depends on nothing and on each condition, D + 1, and the same of what is busy."""
        key = plan.partition, plan.placement, plan.exits, plan.threshold, plan.thresholds
        if key not in self._known:
            path = itinerary(self._problem, decide_again(self._problem, plan))
            latency = np.zeros(len(self._names) + 1)
            busy: dict[object, Floats] = {}
            for step in path.steps:
                for place, seconds in self._parts(path, step):
                    latency[place] += step.reach * seconds
                for server, place, seconds in self._served(path, step):
                    row = busy.setdefault(server, np.zeros(len(latency)))
                    row[place] += step.reach * seconds
            self._known[key] = latency, np.array([*busy.values()]).reshape(len(busy), len(latency))
        return self._known[key]

    def _parts(self, path: Itinerary, step: Step) -> Iterator[tuple[int, float]]:
        """Yield the seconds of a step by what they depend on."""
        if step.sort == "compute":
            yield self._of_node(step), step.seconds
            return
        hops, rest = path.hops(step), step.seconds
        first, after = step.size, 0.0
        if self._network.forwarding == "cut-through":  # all but the first packet pass at the pace of the slowest
            first = min(step.size, self._network.mtu)
            after = step.size - first
        for place, seconds in self._coding(step):
            rest -= seconds
            yield place, seconds
        slowest = min(hops, key=lambda hop: hop.bandwidth, default=None)
        for hop in hops:
            seconds = (first + (after if hop is slowest else 0.0)) / hop.bandwidth
            rest -= seconds
            yield self._of_way(hop.sender, hop.receiver), seconds
        yield 0, rest

    def _served(self, path: Itinerary, step: Step) -> Iterator[tuple[object, int, float]]:
        """Yield what a step keeps busy, and for how long, by what that depends on."""
        if step.sort == "compute":
            yield step.node, self._of_node(step), step.seconds / self._workers[step.node or ""]
        else:
            for hop in path.hops(step):
                way = hop.sender, hop.receiver
                medium = frozenset(way) if hop.half else way
                yield medium, self._of_way(*way), step.size / hop.bandwidth
            for name, (place, seconds) in zip((step.node, step.to), self._coding(step), strict=False):
                yield name, place, seconds / self._workers[name or ""]

    def _coding(self, step: Step) -> Iterator[tuple[int, float]]:
        """Yield what both ends of a transfer take to make bytes of tensors and tensors of bytes."""
        if step.sort == "result" or step.node == step.to:
            return
        for name, table in ((step.node, self._problem.encode_s), (step.to, self._problem.decode_s)):
            assert name is not None
            yield self._nodes.get(name, -1) + 1, float(table[step.last, self._problem.nodes.index(name)])

    def _of_node(self, step: Step) -> int:
        return self._nodes.get(step.node or "", -1) + 1

    def _of_way(self, sender: str, receiver: str) -> int:
        return self._ways.get((sender, receiver), -1) + 1
