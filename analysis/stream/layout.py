"""The servers and ways that plans make of a topology: what kernels run, and what it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tiercut.analysis.stream.arguments import EXIT, Servers, Ways
from tiercut.analysis.stream.event_kernels import MOST_PACKETS
from tiercut.analysis.stream.service import lognormal_mean
from tiercut.errors import QuestionError
from tiercut.optimizer import ANYWHERE, itinerary
from tiercut.topologies import quickest_route

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.analysis.stream.service import Service
    from tiercut.optimizer import Decision, Problem, Step
    from tiercut.topologies import Hop, Topology

__all__ = ["PICOSECONDS", "Layout", "Server", "WayEnd", "lay_out", "whole"]

PICOSECONDS = 1e12
_LONGEST = float(1 << 62)


class Server(NamedTuple):
    """A node, or a direction of a link; both directions where it is half duplex.

    Parameters
    ----------
    name
        Of the node, or of the link: ``a>b``, and ``a-b`` for both directions.
    is_link
        Whether it is a link.
    workers
        How many payloads it serves at once.
    """

    name: str
    is_link: bool
    workers: int

    @property
    def key(self) -> str:
        """What JSON calls it: ``node`` or ``link``."""
        return "link" if self.is_link else "node"


class WayEnd(NamedTuple):
    """Where a way ends: with the answer of an exit (1-based block) of the plan of a source."""

    source: int
    block: int


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What plans make of a topology.

    Parameters
    ----------
    servers
        Those that frames use, nodes first, in the order of the topology.
    arrays, ways
        The same for kernels.
    ends
        The end of each way, W.
    exits
        For each source its ways in the order of the exits of its plan; those behind them lead home.
    stages
        What each step is, for people, K.
    spread
        K x 3: p50 and p99 in seconds of services that are drawn, and what is constant beside them.
    """

    servers: tuple[Server, ...]
    arrays: Servers
    ways: Ways
    ends: tuple[WayEnd, ...]
    exits: tuple[tuple[int, ...], ...]
    stages: tuple[str, ...]
    spread: NDArray[np.float64]

    @property
    def mean_s(self) -> NDArray[np.float64]:
        """K: mean seconds for which each step keeps its server busy."""
        ways = self.ways
        packets = (ways.packets - 1) * ways.service.astype(float) + ways.last_service
        low, high, constant = self.spread.T
        mean: NDArray[np.float64] = np.where(
            ways.draw >= 0, constant + lognormal_mean(low, high), packets / PICOSECONDS
        )
        return mean

    def busy_s(self, way: int) -> NDArray[np.float64]:
        """Return for how many seconds a frame that takes a way keeps each server busy on average, V."""
        steps = slice(self.ways.first[way], self.ways.first[way + 1])
        busy = np.zeros(len(self.servers))
        np.add.at(busy, self.ways.server[steps], self.mean_s[steps])
        return busy


@dataclass(slots=True)
class _Op:
    """A step while it is laid out."""

    server: str
    is_link: bool
    seconds: float
    last_seconds: float
    packets: int
    after_s: float
    ends: bool
    where: str
    stage: str
    column: int = -1
    kind: tuple[object, ...] = ()
    asked: int = 0
    spread: tuple[float, float, float] = (0.0, 0.0, 0.0)
    refusable: bool = True
    home: int = -1


@dataclass(slots=True)
class _Way:
    end: WayEnd
    ops: list[_Op] = field(default_factory=list)


def whole(seconds: float, what: str) -> int:
    """Return seconds as whole picoseconds, rounded once.

    Raises
    ------
    QuestionError
        If they are more than a stream can last.
    """
    picoseconds = seconds * PICOSECONDS
    if not picoseconds < _LONGEST:
        raise QuestionError(f"{what} takes {seconds:.3g} s; a stream lasts at most {_LONGEST / PICOSECONDS:.3g} s")
    return round(picoseconds)


def lay_out(
    topology: Topology,
    plans: Sequence[tuple[Problem, Decision, Service]],
    *,
    queue: int | None,
    rule: int,
) -> Layout:
    """Return the servers and ways of several plans on one topology.

    Parameters
    ----------
    topology
        Nodes and links, with workers, batches and duplex.
    plans
        For each source its tables, what was decided, and what serving takes on each node.
    queue
        How many payloads may wait at each server; None: any number.
    rule
        Who goes where a queue is full (see `tiercut.analysis.stream.arguments`).

    Raises
    ------
    QuestionError
        If a payload has too many packets.
    """
    ways: list[_Way] = []
    exits: list[tuple[int, ...]] = []
    for source, (problem, decision, service) in enumerate(plans):
        found = list(_forward(problem, decision, service, topology, source))
        exits.append(tuple(range(len(ways), len(ways) + len(found))))
        ways += found
        if rule == EXIT:
            _add_ways_home(ways, exits[-1], problem, topology)
    return _arrays(topology, ways, tuple(exits), queue)


def _forward(problem: Problem, decision: Decision, service: Service, topology: Topology, source: int) -> Iterator[_Way]:
    """Yield the way of the frames that leave at each exit, in order."""
    path, name = itinerary(problem, decision), _link_names(topology)
    ops: list[_Op] = []
    parts: list[Step] = []
    decode, asked, before_stage, column = 0.0, 0, 0, 0
    for step in path.steps:
        if step.sort == "compute":
            parts.append(step)
            continue
        hops = [_hops_of(path.hops(step), step.size, name, topology)] if step.to not in (step.node, None) else []
        if step.sort == "result":
            served = _on_node(problem, decision, service, parts, decode, 0.0, before_stage, column)
            result = [replace(op, refusable=False, stage=f"result of exit {step.last}") for each in hops for op in each]
            yield _Way(WayEnd(source, step.last), [*ops, served, *result])
            asked = step.last
        elif hops:
            encode, decoded = service.coding(step)
            if step.sort == "send":
                ops.append(_on_node(problem, decision, service, parts, decode, encode, before_stage, column))
                column += 1
            elif encode > 0:  # where encoding takes no time, the source has nothing to do
                node = str(step.node)
                kind = problem.profile, "input"
                ops.append(_Op(node, False, encode, encode, 1, 0.0, True, node, "encode the input", -1, kind))
            sent = "input" if step.sort == "input" else f"output of block {step.last}"
            ops += [replace(op, asked=asked, stage=sent) for each in hops for op in each]
            decode, parts, before_stage = decoded, [], asked


def _on_node(
    problem: Problem,
    decision: Decision,
    service: Service,
    parts: Sequence[Step],
    decode: float,
    encode: float,
    asked: int,
    column: int,
) -> _Op:
    """Return what a node does for a frame at once: decode what came, blocks and branches, encode what goes."""
    node, stage = str(parts[0].node), parts[0].stage
    seconds = decode + sum(each.seconds for each in parts) + encode
    first, last = parts[0].first, decision.partition[stage]
    kind = problem.profile, first, last, tuple(each for each in decision.exits if first <= each <= last)
    blocks = f"block {first}" if first == parts[-1].last else f"blocks {first}-{parts[-1].last}"
    op = _Op(node, False, seconds, seconds, 1, 0.0, True, node, blocks, -1, kind, asked)
    if (spread := service.spread(parts)) is None:
        return op
    return replace(op, column=column, spread=(*spread, decode + encode))


_LinkNames = Callable[["Hop"], str]


def _link_names(topology: Topology) -> _LinkNames:
    """Return what names the server of a hop: both directions have one name where they share a medium."""
    hops = topology.hops
    order = {name: place for place, name in enumerate(topology.node_names)}

    def name(hop: Hop) -> str:
        ends = hop.sender, hop.receiver
        back = hops.get(ends[::-1])
        if hop.half and back is not None and back.half:
            return "-".join(sorted(ends, key=lambda each: order[each]))
        return ">".join(ends)

    return name


def _hops_of(hops: Sequence[Hop], size: float, name: _LinkNames, topology: Topology) -> list[_Op]:
    """Return the steps of a transfer: the whole payload over each link, or packet by packet under cut-through."""
    packets, last = 1, size
    if topology.forwarding == "cut-through" and size > topology.mtu:
        packets = ceil(size / topology.mtu)
        last = size - (packets - 1) * topology.mtu
    if packets > MOST_PACKETS:
        raise QuestionError(
            f"a payload of {size:,.0f} bytes has {packets:,} packets of {topology.mtu:,.0f} bytes, and a stream takes "
            f"at most {MOST_PACKETS:,}; use a larger mtu, or forwarding: store"
        )
    full, ends = topology.mtu if packets > 1 else last, len(hops) - 1
    return [
        _Op(
            server=name(hop),
            is_link=True,
            seconds=full / hop.bandwidth,
            last_seconds=last / hop.bandwidth,
            packets=packets,
            after_s=hop.latency,
            ends=packets == 1 or place == ends,
            where=hop.sender,
            stage="",
        )
        for place, hop in enumerate(hops)
    ]


def _add_ways_home(ways: list[_Way], exits: Sequence[int], problem: Problem, topology: Topology) -> None:
    """Add the ways of frames that are sent home where they find no room, with the last answer that they have."""
    known: dict[tuple[str, int], int] = {}
    for op in (op for each in exits for op in ways[each].ops if op.refusable and op.asked):
        at = op.where, op.asked
        if at not in known:
            route = _route_home(problem, op.where)
            if route is None:
                continue
            steps = _hops_of(route, problem.result_bytes, _link_names(topology), topology)
            result = [replace(each, refusable=False, stage=f"result of exit {op.asked}") for each in steps]
            known[at] = len(ways)
            ways.append(_Way(WayEnd(ways[exits[0]].end.source, op.asked), result))
        op.home = known[at]


def _route_home(problem: Problem, node: str) -> tuple[Hop, ...] | None:
    """Return the links from a node to the destination; None where there is no path."""
    assert problem.network is not None
    if problem.destination == ANYWHERE or problem.nodes[problem.destination] == node:
        return ()
    route = quickest_route(problem.network, node, problem.nodes[problem.destination], problem.result_bytes)
    return None if route is None else route.hops


def _arrays(topology: Topology, ways: Sequence[_Way], exits: tuple[tuple[int, ...], ...], queue: int | None) -> Layout:
    ops = [op for way in ways for op in way.ops]
    used = {(op.is_link, op.server) for op in ops}
    name = _link_names(topology)
    links = dict.fromkeys(name(hop) for hop in topology.hops.values())
    nodes = {node.name: node for node in topology.nodes}
    servers = [Server(each, False, nodes[each].workers) for each in nodes if (False, each) in used]
    servers += [Server(each, True, 1) for each in links if (True, each) in used]
    place = {(each.is_link, each.name): index for index, each in enumerate(servers)}
    kinds = {kind: index for index, kind in enumerate(dict.fromkeys(op.kind for op in ops))}

    def ints(values: Iterable[int]) -> NDArray[np.int64]:
        return np.array(list(values), np.int64)

    def batch(server: Server) -> tuple[int, int]:
        if server.is_link or nodes[server.name].batch == 1:
            return 1, 0
        return nodes[server.name].batch, whole(nodes[server.name].batch_wait, "batch_wait")

    return Layout(
        servers=tuple(servers),
        arrays=Servers(
            workers=ints(each.workers for each in servers),
            room=ints(-1 if queue is None else queue for _ in servers),
            batch=ints(batch(each)[0] for each in servers),
            batch_wait=ints(batch(each)[1] for each in servers),
        ),
        ways=Ways(
            first=ints(np.cumsum([0, *(len(way.ops) for way in ways)])),
            server=ints(place[op.is_link, op.server] for op in ops),
            service=ints(whole(op.seconds, op.stage) for op in ops),
            last_service=ints(whole(op.last_seconds, op.stage) for op in ops),
            packets=ints(op.packets for op in ops),
            after=ints(whole(op.after_s, "a latency") for op in ops),
            ends=ints(op.ends for op in ops),
            refusable=ints(op.refusable for op in ops),
            home=ints(op.home for op in ops),
            draw=ints(op.column for op in ops),
            kind=ints(kinds[op.kind] for op in ops),
        ),
        ends=tuple(way.end for way in ways),
        exits=exits,
        stages=tuple(op.stage for op in ops),
        spread=np.array([op.spread for op in ops], float).reshape(-1, 3),
    )
