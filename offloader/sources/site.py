"""The machines that several plans share: an agent for each node, and one clock for all links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tiercut.offloader.agent.emulation import Emulation, Share
from tiercut.offloader.bundles.stage import Runtime
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import NO_LINKS
from tiercut.offloader.local.prediction import numbers_of, way_of
from tiercut.offloader.local.processes import AgentProcess, pin_apart
from tiercut.offloader.local.run import Prepared, RunOptions
from tiercut.stages import stage
from tiercut.topologies import Topology

__all__ = ["Place", "number_of", "places_of", "shares_of", "start_agents"]


@dataclass(frozen=True, slots=True)
class Place:
    """A node or a direction of a link, with its number in the clock; `workers` serve at once."""

    name: str
    is_link: bool
    number: int
    workers: int = 1

    def share(self, busy_ns: int, duration_s: float) -> float:
        """Return for which share of a time it was busy, of nanoseconds of all its workers together."""
        return busy_ns / 1e9 / (self.workers * duration_s)


def number_of(place: int) -> str:
    """Return what agents call the plan of a source, by its place among all."""
    return str(place + 1)


def shares_of(plans: Sequence[Prepared]) -> dict[str, tuple[Share, ...]]:
    """Return what all plans together have each node do."""
    found: dict[str, tuple[Share, ...]] = {}
    for place, ready in enumerate(plans):
        ground = ready.ground
        network, path = ground.topology.network, ground.prediction.path
        ways = {(step.sort, step.stage): way_of(network, path, step) for step in ground.prediction.steps}
        for k, node in enumerate(ground.plan.placement):
            onward, home = (ways.get((sort, k), NO_LINKS) for sort in ("send", "result"))
            share = Share(number_of(place), ready.folders[k], ground.factor[node], onward, home)
            found[node] = (*found.get(node, ()), share)
    return found


def places_of(topology: Topology, plans: Sequence[Prepared]) -> tuple[Place, ...]:
    """Return the nodes and links that plans use, nodes first, in the order of the topology."""
    used = {node for ready in plans for node in ready.ground.plan.placement}
    crossed = {
        (hop.sender, hop.receiver)
        for ready in plans
        for step in ready.ground.prediction.steps
        for hop in ready.ground.prediction.path.hops(step)
    }
    numbers = numbers_of(topology.network)
    taken = {numbers[ends] for ends in crossed}
    found = [
        Place(node.name, False, len(numbers) + place, node.workers)
        for place, node in enumerate(topology.nodes)
        if node.name in used
    ]
    ways: dict[int, list[tuple[str, str]]] = {}
    for ends, number in numbers.items():
        ways.setdefault(number, []).append(ends)
    order = {name: place for place, name in enumerate(topology.node_names)}
    for number, both in ways.items():
        if number in taken:
            name = ">".join(both[0]) if len(both) == 1 else "-".join(sorted(both[0], key=lambda each: order[each]))
            found.append(Place(name, True, number))
    return tuple(found)


def start_agents(
    stack: ExitStack,
    topology: Topology,
    plans: Sequence[Prepared],
    clock: Path,
    runtime: Runtime,
    options: RunOptions,
) -> Mapping[str, AgentProcess]:
    """Start an agent for each node that a plan uses, and tell each who comes next under which plan.

    Parameters
    ----------
    stack
        Ends them.
    topology
        Of all sources.
    plans
        In the order of the sources.
    clock
        The file of links and nodes, see `LinkClock.create`.
    runtime, options
        How agents compute.
    """
    agents: dict[str, AgentProcess] = {}
    with stage("starting agents"):
        for node, shares in shares_of(plans).items():
            stands_for = Emulation(
                clock=clock,
                workers=topology.node(node).workers,
                speed=len(topology.network.hops) + topology.index(node),
                shares=shares,
            )
            agents[node] = stack.enter_context(
                AgentProcess(
                    shares[0].folder,
                    stands_for,
                    runtime=runtime,
                    threads=options.threads,
                    transport=options.transport,
                )
            )
        for agent in agents.values():
            agent.wait_until_ready()
    for place, ready in enumerate(plans):
        placement = ready.ground.plan.placement
        for node, after in pairwise(placement):
            agents[node].follow(agents[after].address, number_of(place))
    pin_apart(list(agents.values()))
    return agents


def make_clock(folder: Path, topology: Topology) -> Path:
    """Write the clock of all links and nodes of a topology, and return its place."""
    return LinkClock.create(folder / "links", len(topology.network.hops), len(topology.nodes))
