"""What is varied in this study, and what is predicted: machines, conditions, and the plans that are run."""

from __future__ import annotations

from typing import Any, NamedTuple

import tiercut

__all__ = ["CPU", "EDGE", "LINK", "MBPS", "MEMORY", "Condition", "Planned", "planned", "rounds", "topology"]

EDGE, LINK = "edge", "edge-cloud"
SLOWDOWN, LATENCY_MS = 4, 5
"""The edge takes so many times as long as this machine, which is the cloud; and what the link takes besides."""

MBPS = 50, 10
CPU, MEMORY = (0, 45, 67), (0, 45)
"""Of the paper's levels: two of four bandwidths, three and two of five loads of the edge, in per cent."""


class Condition(NamedTuple):
    """What the edge and the link are under: per cent of processor and memory that others keep busy, and Mb/s."""

    cpu: int
    memory: int
    mbps: int

    @property
    def shares(self) -> dict[str, float]:
        """The loads as shares."""
        return {"cpu": self.cpu / 100, "memory": self.memory / 100}

    @property
    def named(self) -> dict[str, str]:
        """The condition as questions take it."""
        loads = {f"cpu({EDGE})": f"{self.cpu} %", f"memory({EDGE})": f"{self.memory} %"}
        return loads | {f"bandwidth({LINK})": f"{self.mbps} Mb/s"}


def rounds() -> tuple[tuple[tuple[int, int], ...], ...]:
    """Return the loads of the edge (CPU, memory) that are run together, the furthest apart first.

    Every network has its first round before any has its second. CPU 45 with memory 45 is left out.
    """
    return ((0, 0), (67, 0)), ((0, 45), (67, 45)), ((45, 0),)


def topology() -> tiercut.Topology:
    """Return the two machines and their link, at the greatest bandwidth."""
    edge, cloud = {"name": EDGE, "tier": EDGE, "slowdown": SLOWDOWN}, {"name": "cloud", "tier": "cloud", "slowdown": 1}
    link = {"between": [EDGE, "cloud"], "bandwidth": f"{max(MBPS)} Mb/s", "latency": f"{LATENCY_MS} ms"}
    data: dict[str, Any] = {"format": "tiercut.topology/1", "name": "edge and cloud", "nodes": [edge, cloud]}
    return tiercut.Topology.from_data(data | {"links": [link], "source": EDGE, "order": "forward"})


class Planned(NamedTuple):
    """A plan that is run, and what it is predicted to take under a condition."""

    plan: tiercut.Plan
    predicted_s: float


def planned(profile: tiercut.Profile) -> dict[Condition, tuple[Planned, ...]]:
    """Return what is run under each condition, the best prediction first.

    These are the five best plans there, the best one of the baseline, and the whole network on either machine.
    """
    where, blocks = topology(), len(profile.blocks)
    grid = {
        f"cpu({EDGE})": [f"{each} %" for each in CPU],
        f"memory({EDGE})": [f"{each} %" for each in MEMORY],
        f"bandwidth({LINK})": [f"{each} Mb/s" for each in MBPS],
    }
    found = tiercut.sensitivity(where, profile, grid)
    levels = {each.name: each.levels for each in found.conditions}
    combinations = {
        tuple(levels[each.name][level] for each, level in zip(found.conditions, row, strict=True)): place
        for place, row in enumerate(found.combinations.tolist())
    }
    whole = [tiercut.plan(where, profile, partition=[blocks], placement=[node.name]) for node in where.nodes]
    chosen = {}
    for condition in (Condition(*loads, mbps) for each in rounds() for loads in each for mbps in MBPS):
        values = {
            f"cpu({EDGE})": condition.cpu / 100,
            f"memory({EDGE})": condition.memory / 100,
            f"bandwidth({LINK})": condition.mbps * 1e6 / 8,
        }
        row = combinations[tuple(values[each.name] for each in found.conditions)]
        plans = [found.choices[place] for place in found.best[row].tolist() if place >= 0]
        ways = {(each.partition, each.placement): each for each in (*plans, found.static, *whole)}
        priced = [
            tiercut.plan(where, profile, partition=partition, placement=placement, condition=condition.named)
            for partition, placement in ways
        ]
        chosen[condition] = tuple(Planned(each, each.latency_s) for each in priced)
    return chosen
