"""The eight splits of the slicing paper as streams, what it leaves unsaid fitted once, and what the best plans are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import inf
from pathlib import Path

import numpy as np
from slicing_published import FRAMES, PUBLISHED, SPLITS

import tiercut
from tiercut import Plan, Profile, Stream, Topology

__all__ = ["CONFIGURATIONS", "Constants", "Goal", "Row", "fitted", "goals", "plan_of", "rows", "simulated"]

CONFIGURATIONS = (1, 2, 3)
NODES = ("device", "edge", "cloud")
LAYERS = 14
PROFILE = Path(__file__).parent / "slicing-cnn.json"

LONG = 5_000
"""Frames of the streams that constants are fitted with: 50 frames drop a share that is known to 6 points at best."""


@dataclass(frozen=True, slots=True)
class Constants:
    """What the paper leaves unsaid, the same for all configurations and splits.

    Parameters
    ----------
    arrivals
        ``periodic`` or ``poisson``.
    queue
        How many frames may wait at a node or a direction of a link.
    characters
        Characters of a second's throughput that a byte of a tensor takes.
    rate
        Frames a second.
    """

    arrivals: str
    queue: int
    characters: float
    rate: float


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: published and ours."""

    configuration: int
    split: tuple[int, int]
    published_s: float
    published_drop: float
    total_s: float
    sent_s: float
    drop: float
    long_drop: float


def topology_of(configuration: int) -> Topology:
    return tiercut.load_topology(f"simulator-{configuration}")


def plan_of(topology: Topology, profile: Profile, split: tuple[int, int]) -> Plan:
    """Return a split as a plan: up to its layers on device and edge, the rest in the cloud."""
    return tiercut.plan(topology, profile, partition=(*split, LAYERS), placement=NODES)


def simulated(configuration: int, split: tuple[int, int], constants: Constants, frames: int, seed: int = 0) -> Stream:
    """Return what becomes of a stream; seed 0 is that of the tables."""
    topology, profile = topology_of(configuration), tiercut.load_profile(PROFILE)
    bandwidth = dict.fromkeys(("device-edge", "edge-cloud"), 500000.0 if configuration != 2 else 50000.0)
    slower = {link: each / constants.characters for link, each in bandwidth.items()}
    return tiercut.simulate(
        topology,
        profile,
        plan_of(topology, profile, split),
        rate=constants.rate,
        frames=frames,
        arrivals=constants.arrivals,
        queue=constants.queue,
        seed=seed,
        bandwidth=slower,
    )


def dropped(stream: Stream) -> float:
    return stream.dropped / stream.born


def candidates() -> Iterator[Constants]:
    """Yield the constants that are tried: the rate is that at which 50 frames take as long as published."""
    seconds = [row[0] for rows in PUBLISHED.values() for row in rows]
    rate = FRAMES / float(np.mean(seconds))
    for arrivals, queue, characters in product(
        ("periodic", "poisson"), (0, 1, 2, 4), (1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 8.0)
    ):
        yield Constants(arrivals, queue, characters, rate)


def misfit(constants: Constants) -> float:
    """Return the root of the mean square of what drops differ by from the published ones."""
    differences = [
        dropped(simulated(configuration, split, constants, LONG)) - drop
        for configuration in CONFIGURATIONS
        for split, (_, drop) in zip(SPLITS, PUBLISHED[configuration], strict=True)
    ]
    return float(np.sqrt(np.mean(np.square(differences))))


def fitted() -> list[tuple[float, Constants]]:
    """Return all that is tried, from the best on."""
    tried = [(misfit(each), each) for each in candidates()]
    return sorted(tried, key=lambda pair: pair[0])


def rows(constants: Constants) -> Iterator[Row]:
    """Yield the tables."""
    for configuration in CONFIGURATIONS:
        for split, (seconds, drop) in zip(SPLITS, PUBLISHED[configuration], strict=True):
            stream = simulated(configuration, split, constants, FRAMES)
            born = stream.to_frame()["born_s"]
            yield Row(
                configuration,
                split,
                seconds,
                drop,
                total_s=stream.total_s,
                sent_s=float(born.max()) + 1 / constants.rate,
                drop=dropped(stream),
                long_drop=dropped(simulated(configuration, split, constants, LONG)),
            )


@dataclass(frozen=True, slots=True)
class Goal:
    """The best plan for a goal, of every split on every set of the nodes, and the best of the eight splits."""

    goal: str
    best: Plan
    value: float
    of_eight: tuple[int, int] | None
    value_of_eight: float


def goals(topology: Topology, profile: Profile) -> Iterator[Goal]:
    """Yield the best plan for each goal, found exactly: every plan in one piece or more, forward, is looked at."""
    every = list(tiercut.rank(topology, profile, top=5_000, order="forward", exits="final"))
    eight = {split: plan_of(topology, profile, split) for split in SPLITS} if profile.block_count == LAYERS else {}
    for goal, value in (("least latency", _latency), ("greatest sustainable rate", _rate)):
        worth = {place: value(topology, profile, plan) for place, plan in enumerate(every)}
        best = min(worth, key=lambda place: (worth[place], every[place].latency_s))
        among = {split: value(topology, profile, plan) for split, plan in eight.items()}
        split = min(among, key=lambda each: among[each]) if among else None
        yield Goal(goal, every[best], abs(worth[best]), split, abs(among[split]) if split else inf)


def _latency(topology: Topology, profile: Profile, plan: Plan) -> float:
    del topology, profile
    return plan.latency_s


def _rate(topology: Topology, profile: Profile, plan: Plan) -> float:
    """Return the rate at which the busiest machine or link is busy all the time, its sign turned."""
    found = tiercut.simulate(topology, profile, plan, rate=1e-6, frames=1).sustainable_rate
    return -inf if found is None else -found
