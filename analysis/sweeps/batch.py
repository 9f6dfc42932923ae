"""A question whose plans are listed once: under each combination of conditions only their latencies are added up again.

That is possible where conditions move nothing but latencies, and the question bounds nothing else that moves; where
there are too many plans or routes to list, or another measure is minimised, every point is solved by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tiercut.analysis.sweeps.arguments import Atoms, Axes, Listed, Routes
from tiercut.errors import QuestionError
from tiercut.optimizer import (
    ANYWHERE,
    STRESS,
    ConditionName,
    Conditions,
    Moved,
    build_problem,
    itinerary,
    moved_by,
    price,
)
from tiercut.solvers import Options, make_task, registry
from tiercut.topologies import directions_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tiercut.optimizer import Decision, Plan, Problem, Query, Space, Step
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

    Axis = tuple[ConditionName, tuple[float, ...]]

__all__ = ["Batch", "batch_of"]

_MOST_PLANS = 10_000
"""Plans that are listed; with more, the solvers, which do not enumerate, are quicker."""

_MOST_ROUTES = 16
"""Routes between two nodes that are compared under each combination."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What the kernel takes, and the plans that its answers number.

    Parameters
    ----------
    axes, atoms, routes, listed
        See `tiercut.analysis.sweeps.arguments`.
    begin
        What the topology says of nodes and links.
    nodes
        Their number.
    cap
        Greatest latency in seconds, slack included.
    by_accuracy
        Whether accuracy is maximised.
    plans
        In the order in which they are listed.
    """

    axes: Axes
    atoms: Atoms
    routes: Routes
    listed: Listed
    begin: NDArray[np.float64]
    nodes: int
    cap: float
    by_accuracy: bool
    plans: tuple[Plan, ...]

    def solve(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the best plan (-1: none) and its latency of each of a range of combinations."""
        from tiercut.analysis.sweeps.batch_kernels import best_over_range

        best, seconds = np.empty(stop - start, np.int64), np.empty(stop - start)
        tables = self.axes, self.atoms, self.routes, self.listed, self.begin
        best_over_range(start, stop, *tables, self.nodes, self.cap, self.by_accuracy, best, seconds)
        return best, seconds


def batch_of(
    topology: Topology,
    profile: Profile,
    space: Space,
    query: Query,
    axes: Sequence[tuple[ConditionName, tuple[float, ...]]],
) -> Batch | None:
    """Return a question with its plans listed, or None where it has to be asked anew at every point.

    Parameters
    ----------
    topology, profile
        Whatever is down left out.
    space, query
        As they were asked, the least accuracy a number.
    axes
        Conditions with their levels, in inner units.

    Raises
    ------
    QuestionError
        If a level is outside of what was measured.
    """
    if query.additive != "latency" or query.max_utilisation is not None or space.decisions > _MOST_PLANS:
        return None
    names = [bound.name for bound in query.bounds]
    if any(_moves(space.problem, name, axis) for name in names for axis, _ in axes):
        return None
    decisions = _decisions(space, query)
    listing = _Listing(topology, profile, space.problem)
    try:
        sums = [listing.sum_of(decision) for decision in decisions]
    except _TooManyRoutesError:
        return None
    begin = listing.begin
    listed, plans = _in_order(space.problem, decisions, sums)
    return Batch(
        axes=listing.axes(axes),
        atoms=listing.atoms(),
        routes=listing.routes(),
        listed=listed,
        begin=begin,
        nodes=len(topology.nodes),
        cap=query.latency_cap,
        by_accuracy=query.objective == "accuracy",
        plans=plans,
    )


def _moves(problem: Problem, name: str, axis: ConditionName) -> bool:
    """Return whether the value of a measure may follow a condition."""
    if axis.kind in ("bandwidth", "latency"):
        return moved_by(problem, name, axis.kind, axis.place) is not Moved.NEVER  # type: ignore[arg-type]
    return axis.place in problem.nodes and moved_by(problem, name, "slowdown", axis.place) is not Moved.NEVER


def _decisions(space: Space, query: Query) -> tuple[Decision, ...]:
    """Return every decision that meets what conditions do not move: accuracy, rules and bounds."""
    every = replace(
        query, kind="rank", objective="latency", max_latency_s=None, top=max(space.decisions, 1), distinct=False
    )
    outcome = registry.find("exhaustive").solve(make_task(space, every), Options(workers=1))
    return outcome.decisions


def _in_order(
    problem: Problem, decisions: Iterable[Decision], sums: Sequence[list[tuple[int, float]]]
) -> tuple[Listed, tuple[Plan, ...]]:
    """Return plans and their sums, the most accurate first, then in the order that decides among equals."""
    plans = [price(problem, decision) for decision in decisions]
    usable = [place for place, plan in enumerate(plans) if np.isfinite(plan.latency_s)]
    usable.sort(key=lambda place: (-(plans[place].accuracy or 0.0), plans[place].decision.order))
    chosen = [sums[place] for place in usable]
    terms = [term for each in chosen for term in each]
    listed = Listed(
        begin=np.array([0, *np.cumsum([len(each) for each in chosen])], np.int64),
        atom=np.array([atom for atom, _ in terms], np.int64),
        weight=np.array([weight for _, weight in terms], float),
        accuracy=np.array([plans[place].accuracy or 0.0 for place in usable], float),
    )
    return listed, tuple(plans[place] for place in usable)


class _TooManyRoutesError(Exception):
    """There are more routes between two nodes than are compared."""


class _Listing:
    """Collects the atoms that plans are sums of, and the routes that atoms take."""

    def __init__(self, topology: Topology, profile: Profile, problem: Problem) -> None:
        self.topology, self.profile, self.network = topology, profile, topology.network
        self.bare = topology.with_changes(slowdown=dict.fromkeys(topology.node_names, 1.0))
        # The tables at a slowdown of 1: multiplied once, they are to the last bit what the tables of a point hold.
        self.unit = build_problem(self.bare, profile)
        self.problem = problem
        self.hops = {pair: place for place, pair in enumerate(self.network.hops)}
        self.known: dict[tuple[object, ...], int] = {}
        self.rows: list[tuple[int, int, float, float, float, int, int]] = []
        self.ways: dict[tuple[int, int], tuple[int, int]] = {}
        self.paths: list[tuple[int, ...]] = []

    def sum_of(self, decision: Decision) -> list[tuple[int, float]]:
        """Return the terms of a decision's latency: atom and weight, in the order of meeting them."""
        return [(self._atom(decision, step), step.reach) for step in itinerary(self.problem, decision).steps]

    def _atom(self, decision: Decision, step: Step) -> int:
        node = decision.placement[step.stage]
        if step.sort == "compute":
            key: tuple[object, ...] = (step.sort, node, step.first, step.last, bool(step.exits))
        elif step.sort == "result":
            key = (step.sort, node)
        else:
            key = (step.codec, step.last, *self._ends(decision, step))
        if key not in self.known:
            self.known[key] = len(self.rows)
            self.rows.append(self._row(decision, step, node))
        return self.known[key]

    def _ends(self, decision: Decision, step: Step) -> tuple[int, int]:
        if step.sort == "input":
            return self.problem.source, decision.placement[0]
        return decision.placement[step.stage], decision.placement[step.stage + 1]

    def _row(self, decision: Decision, step: Step, node: int) -> tuple[int, int, float, float, float, int, int]:
        unit = self.unit
        if step.sort == "compute":
            table = unit.span_s if step.exits else unit.bare_s
            return node, node, float(table[node, step.first - 1, step.last - 1]), 0.0, 0.0, 0, 0
        if step.sort == "result":
            if unit.destination in (ANYWHERE, node):
                return node, node, 0.0, 0.0, 0.0, 0, 0
            return node, unit.destination, 0.0, 0.0, float(unit.result_bytes), *self._ways(node, unit.destination)
        here, there = self._ends(decision, step)
        if here == there:
            return here, there, 0.0, 0.0, 0.0, 0, 0
        if step.codec is None:
            encode, decode, size = unit.encode_s, unit.decode_s, unit.payload_bytes
        else:
            codec = unit.codecs.index(step.codec)
            encode, decode, size = unit.codec_encode_s[codec], unit.codec_decode_s[codec], unit.codec_bytes[codec]
        coding = float(encode[step.last, here]), float(decode[step.last, there])
        return here, there, *coding, float(size[step.last]), *self._ways(here, there)

    def _ways(self, here: int, there: int) -> tuple[int, int]:
        """Return where the routes between two nodes begin and end."""
        if (here, there) not in self.ways:
            start = len(self.paths)
            names = self.network.node_names
            found = sorted(self._simple(names[here], names[there]), key=lambda path: (len(path), path))
            for path in found:
                self.paths.append(tuple(self.hops[names[a], names[b]] for a, b in pairwise(path)))
            self.ways[here, there] = start, len(self.paths)
        return self.ways[here, there]

    def _simple(self, begin: str, end: str) -> Iterator[tuple[int, ...]]:
        """Yield the direct link, else every path without a circle, as indices of nodes."""
        place = {name: index for index, name in enumerate(self.network.node_names)}
        if (begin, end) in self.network.hops:
            yield place[begin], place[end]
            return
        waiting: list[tuple[str, ...]] = [(begin,)]
        found = looked = 0
        while waiting:
            path = waiting.pop()
            looked += 1
            if path[-1] == end:
                found += 1
                yield tuple(place[name] for name in path)
            else:
                waiting += [
                    (*path, hop.receiver) for hop in self.network.hops_from[path[-1]] if hop.receiver not in path
                ]
            if found > _MOST_ROUTES or looked > 100 * _MOST_ROUTES:
                raise _TooManyRoutesError

    @property
    def begin(self) -> NDArray[np.float64]:
        """Slowdowns, ones for the loads, then bandwidths and latencies."""
        hops, ones = self.network.hops.values(), [1.0] * (2 * len(self.topology.nodes))
        slow = [node.slowdown for node in self.topology.nodes]
        return np.array([*slow, *ones, *(hop.bandwidth for hop in hops), *(hop.latency for hop in hops)])

    def atoms(self) -> Atoms:
        """Return the atoms as the kernel takes them."""
        rows = np.array(self.rows, float).reshape(-1, 7)  # node numbers and places are exact in there
        here, there, route, end = (np.ascontiguousarray(rows[:, at]).astype(np.int64) for at in (0, 1, 5, 6))
        one, other, size = (np.ascontiguousarray(rows[:, at]) for at in (2, 3, 4))
        return Atoms(here, there, one, other, size, route, end)

    def routes(self) -> Routes:
        """Return the routes as the kernel takes them."""
        return Routes(
            begin=np.array([0, *np.cumsum([len(path) for path in self.paths])], np.int64),
            hops=np.array([hop for path in self.paths for hop in path], np.int64),
            packets=self.network.forwarding == "cut-through",
            mtu=float(self.network.mtu),
        )

    def axes(self, axes: Sequence[tuple[ConditionName, tuple[float, ...]]]) -> Axes:
        """Return the conditions as the kernel takes them; those of what is down set nothing.

        Where two set the same link, the later one counts, as everywhere.
        """
        targets = [self._targets(name) for name, _ in axes]
        values = [self._values(name, levels) for name, levels in axes]
        follow = [self._followers({each for those in targets[place:] for each in those}) for place in range(len(axes))]
        return Axes(
            sizes=np.array([len(levels) for _, levels in axes], np.int64),
            targets_at=_offsets(targets),
            targets=np.array(_joined(targets), np.int64),
            values_at=_offsets(values),
            values=np.array(_joined(values), float),
            follow_at=_offsets(follow),
            follow=np.array(_joined(follow), np.int64),
        )

    def _targets(self, name: ConditionName) -> list[int]:
        nodes = len(self.topology.nodes)
        if name.kind in ("bandwidth", "latency"):
            try:
                pairs = directions_of(self.network, name.place)
            except QuestionError:  # what is down took it along: that it was there has been checked
                return []
            offset = 3 * nodes + (len(self.hops) if name.kind == "latency" else 0)
            return [offset + self.hops[pair] for pair in pairs]
        if name.place not in self.topology.node_names:
            return []
        third = 0 if name.kind == "slowdown" else 1 + STRESS.index(name.kind)
        return [third * nodes + self.topology.index(name.place)]

    def _values(self, name: ConditionName, levels: Sequence[float]) -> list[float]:
        if name.kind not in STRESS or name.place not in self.topology.node_names:
            return list(levels)
        at = self.topology.index(name.place)
        changed = (
            Conditions(condition={str(name): level}).apply(self.bare, self.profile, lambda _: "the sweep:")[0]
            for level in levels
        )
        return [each.nodes[at].slowdown for each in changed]

    def _followers(self, targets: set[int]) -> list[int]:
        """Return the atoms that follow any of some values."""
        nodes, links = len(self.topology.nodes), len(self.hops)
        slow = {target % nodes for target in targets if target < 3 * nodes}
        hops = {(target - 3 * nodes) % links for target in targets if target >= 3 * nodes}
        return [
            atom
            for atom, (here, there, one, other, _, route, end) in enumerate(self.rows)
            if (one and here in slow)
            or (other and there in slow)
            or any(hop in hops for path in self.paths[route:end] for hop in path)
        ]


def _offsets(rows: Sequence[Sequence[float]]) -> NDArray[np.int64]:
    return np.array([0, *np.cumsum([len(row) for row in rows])], np.int64)


def _joined(rows: Sequence[Sequence[float]]) -> list[float]:
    return [each for row in rows for each in row]
