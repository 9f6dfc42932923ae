"""The configurations of this study: seeded, and in an order of which every beginning holds all kinds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from networks import NETWORKS

import tiercut

__all__ = ["COUNT", "FRAMES", "Configuration", "configurations", "plan_of", "topology_of"]

SEED, COUNT = 13, 125
FRAMES, MANY, _EVERY, _MANY_AT = 200, 700, 8, 3
"""One of every eight configurations sends as many frames as a 99th percentile needs."""

LONGEST_S, _LONG_AT = 0.15, 6
_QUICK_S = 0.03
"""Most plans are this quick, so that many fit into the time that there is; one of eight may take up to `LONGEST_S`."""

_CODED = 3
"""One of so many configurations sends through codecs, where its network has some."""

_DRAWS = 300
_SLOWEST, _REACH = 30.0, 0.02
"""No machine is slower than so many times this one, and so many of the frames at least get to the last of a plan's."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A plan on a topology.

    Parameters
    ----------
    number
        Which.
    network
        By its name.
    nodes
        How many machines there are in a row.
    kind
        Whether the plan is one of the frontier's, or drawn.
    bandwidths, latencies
        Of the links, in bytes per second and seconds.
    slowdowns
        Of the machines.
    frames
        How many are sent.
    longest_s
        What the longest way of the plan may take.
    coded
        Whether tensors may go through codecs.
    draw
        Seeds what else is drawn.
    """

    number: int
    network: str
    nodes: int
    kind: str
    bandwidths: tuple[float, ...]
    latencies: tuple[float, ...]
    slowdowns: tuple[float, ...]
    frames: int
    longest_s: float
    coded: bool
    draw: int

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def configurations(whole_s: dict[str, float]) -> Iterator[Configuration]:
    """Yield all of them.

    Parameters
    ----------
    whole_s
        Seconds of each whole network on the reference device, by its name.
    """
    for number in range(COUNT):
        rng = random.Random(f"{SEED} {number}")
        network = NETWORKS[number % len(NETWORKS)].name
        nodes = 2 + number // len(NETWORKS) % 2
        kind = ("frontier", "random")[number // (2 * len(NETWORKS)) % 2]
        longest_s = LONGEST_S if number % _EVERY == _LONG_AT else _QUICK_S
        # The device takes between a tenth and the half of the longest way for the whole network; each further machine
        # is some times quicker, and none quicker than this one.
        device = min(max(rng.uniform(0.1, 0.5) * longest_s / whole_s[network], 1.0), _SLOWEST)
        slowdowns = [device]
        for _ in range(nodes - 1):
            slowdowns.append(max(slowdowns[-1] / rng.uniform(2, 6), 1.0))
        yield Configuration(
            number,
            network,
            nodes,
            kind,
            tuple(1e6 / 8 * 10 ** rng.uniform(0.7, 2.7) for _ in range(nodes - 1)),
            tuple(rng.uniform(0.0002, 0.004) for _ in range(nodes - 1)),
            tuple(slowdowns),
            MANY if number % _EVERY == _MANY_AT else FRAMES,
            longest_s,
            number % _CODED == 1,
            rng.randrange(1 << 30),
        )


NAMES = ("device", "edge", "cloud")


def topology_of(configuration: Configuration) -> dict[str, Any]:
    """Return the machines in a row, and their links, as the document of a topology."""
    names = NAMES[: configuration.nodes]
    pairs = zip(names, names[1:], configuration.bandwidths, configuration.latencies, strict=False)
    return {
        "format": "tiercut.topology/1",
        "name": f"row of {configuration.nodes}",
        "nodes": [
            {"name": name, "tier": name, "slowdown": slowdown}
            for name, slowdown in zip(names, configuration.slowdowns, strict=True)
        ],
        "links": [
            {"between": [a, b], "bandwidth": f"{8 * rate / 1e6:.6f} Mb/s", "latency": f"{1e3 * late:.6f} ms"}
            for a, b, rate, late in pairs
        ],
        "source": names[0],
    }


def plan_of(configuration: Configuration, topology: tiercut.Topology, profile: tiercut.Profile) -> tiercut.Plan | None:
    """Return the plan of a configuration that uses all machines; None where none is quick enough."""
    rng = random.Random(configuration.draw)
    if configuration.kind == "frontier":
        codec = "auto" if configuration.coded else "none"
        found = tiercut.frontier(
            topology, profile, use_all_tiers=True, max_latency=configuration.longest_s, codec=codec
        )
        quick = [plan for plan in found.plans if plan.latency_s <= configuration.longest_s]
        fit = [plan for plan in quick if _fits(plan, configuration)]
        return rng.choice(fit) if fit else max(quick, key=lambda plan: plan.stages[-1].reach, default=None)
    drawn = (_drawn(rng, configuration, topology, profile) for _ in range(_DRAWS))
    return next((plan for plan in drawn if plan is not None and _fits(plan, configuration)), None)


def _fits(plan: tiercut.Plan, configuration: Configuration) -> bool:
    """Return whether a plan is quick enough, and some frames get through all of it."""
    return plan.latency_s <= configuration.longest_s and plan.stages[-1].reach >= _REACH


def _drawn(
    rng: random.Random, configuration: Configuration, topology: tiercut.Topology, profile: tiercut.Profile
) -> tiercut.Plan | None:
    """Return a plan that was drawn: cuts, exits in and at the ends of partitions, and a threshold."""
    branches = (
        [place for place, each in enumerate(profile.exits.accuracy, 1) if each is not None] if profile.exits else []
    )
    inner = [block for block in branches if block < len(profile.blocks)]
    cuts = sorted(rng.sample(range(1, len(profile.blocks)), min(configuration.nodes - 1, len(profile.blocks) - 1)))
    exits = sorted({*rng.sample(inner, rng.randint(0, len(inner))), len(profile.blocks)})
    try:
        return tiercut.plan(
            topology,
            profile,
            partition=[*cuts, len(profile.blocks)],
            placement=list(NAMES[: len(cuts) + 1]),
            exits=exits,
            threshold=rng.choice(profile.exits.thresholds) if profile.exits and len(exits) > 1 else None,
            codecs=[_codec(rng, profile, cut) for cut in cuts] if configuration.coded else None,
        )
    except tiercut.TiercutError:
        return None


def _codec(rng: random.Random, profile: tiercut.Profile, cut: int) -> str | None:
    """Return a codec that the profile has at a cut, or none."""
    names = [name for name, each in (profile.codecs or {}).items() if each.bytes[cut] is not None]
    return rng.choice([*names, None]) if names else None
