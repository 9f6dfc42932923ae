"""The questions of Scission (Lockhart et al., UCC 2020, section III), asked of any folder of profiles."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tiercut
from tiercut import Answer, Plan, Profile, Topology

HERE = Path(__file__).parent
NETWORKS = ("3g", "4g", "wired")
INPUT_BYTES = 150_000.0
"""The paper's image, as it is sent."""
LARGER_BYTES = 170_000.0

MODELS = (
    "xception",
    "vgg16",
    "vgg19",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet50v2",
    "resnet101v2",
    "resnet152v2",
    "inceptionv3",
    "inceptionresnetv2",
    "mobilenet",
    "mobilenetv2",
    "densenet121",
    "densenet169",
    "densenet201",
    "nasnetmobile",
    "nasnetlarge",
)
"""In the order of the paper's table I; names as files have them, without ``_`` and ``-``."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Profiles and networks.

    Parameters
    ----------
    profiles
        By model, in the order of `MODELS`.
    networks
        By name. Tiers are called device, edge and cloud; the first edge and cloud are the paper's Edge (1) and Cloud.
    """

    profiles: Mapping[str, Profile]
    networks: Mapping[str, Topology]

    @property
    def tiers(self) -> dict[str, str]:
        """The tier of each machine, in the order of the topology."""
        topology = next(iter(self.networks.values()))
        return {name: topology.tier_of(name) for name in topology.node_names}

    def of_tier(self, tier: str) -> list[str]:
        """Return the machines of a tier."""
        return [name for name, its in self.tiers.items() if its == tier]


def recorded() -> Setting:
    """Return what was recorded on one machine for every device of the networks that are described beside this file."""
    networks = {name: tiercut.load_topology(HERE / "networks" / f"{name}.yaml") for name in NETWORKS}
    devices = {node.device for topology in networks.values() for node in topology.nodes}
    profiles = profiles_in(HERE / "profiles")
    return Setting({name: each for name, each in profiles.items() if devices <= set(each.devices)}, networks)


def published(folder: Path) -> Setting:
    """Return the measurements of Scission's authors, with the ready-made networks."""
    return Setting(
        profiles_in(folder / "scission"), {name: tiercut.load_topology(f"scission-{name}") for name in NETWORKS}
    )


def profiles_in(folder: Path) -> dict[str, Profile]:
    """Return the profiles of a folder by model, with an input as large as the paper's."""
    found = {}
    for path in folder.glob("*.json"):
        name = path.stem.lower().replace("_", "").replace("-", "")
        if name in MODELS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", tiercut.TiercutWarning)  # of times that are exactly 0
                found[name] = tiercut.load_profile(path)
    return {name: with_input(found[name], INPUT_BYTES) for name in MODELS if name in found}


def with_input(profile: Profile, size: float) -> Profile:
    return profile.model_copy(update={"input_bytes": size})


def best(setting: Setting, model: str, network: str, size: float = INPUT_BYTES, **question: Any) -> Answer:
    """Return the five best plans that use the tiers in their order, as Scission ranks them."""
    profile = with_input(setting.profiles[model], size)
    return tiercut.rank(setting.networks[network], profile, order="forward", **question)


def kind(setting: Setting, plan: Plan) -> str:
    """Return where a plan runs, as the paper says it: cloud-native, device and edge, ..."""
    tiers = [setting.tiers[name] for name in plan.placement]
    return f"{tiers[0]}-native" if len(tiers) == 1 else "-".join(tiers)


def turning_input(setting: Setting, model: str, network: str) -> float | None:
    """Return the input size in bytes above which the best plan begins on the device; None where it always does.

    Every other plan sends the input over a link of the device, and all of these have one bandwidth, so that the
    latencies of the two kinds differ by a straight line in the size of the input.
    """
    device = setting.of_tier("device")[0]
    stays = best(setting, model, network, keep_first=1).best.latency_s
    leaves = best(setting, model, network, exclude=[device]).best.latency_s
    topology = setting.networks[network]
    (rate,) = {hop.bandwidth for (sender, _), hop in topology.hops.items() if sender == device}
    size = INPUT_BYTES + (stays - leaves) * rate
    return size if size > 0 else None


PIPELINES: dict[str, tuple[int, bool]] = {
    "device-edge (1)": (1, False),
    "device-edge (2)": (2, False),
    "device-cloud": (0, True),
    "device-edge (1)-cloud": (1, True),
    "device-edge (2)-cloud": (2, True),
}
"""Which edge machine a pipeline has (0: none), and whether it has a cloud."""


def pipeline(setting: Setting, name: str) -> dict[str, Any]:
    """Return the question that lets every tier of a pipeline work and no other: on its edge machine, on any cloud."""
    number, cloud = PIPELINES[name]
    edges = setting.of_tier("edge")
    keep = ["device", *(edges[number - 1 : number] if number else []), *(["cloud"] if cloud else [])]
    drop = [edge for edge in edges if edge not in keep]
    return {"include": keep, "exclude": drop if cloud else [*drop, "cloud"]}


def many_machines(setting: Setting, network: str, copies: int = 10) -> Topology:
    """Return a network with copies of its first edge and its first cloud, each slower and farther than the one before.

    So many machines are where the paper's own tool, which lists every plan, takes half a minute and gigabytes.
    """
    base = setting.networks[network]
    device = setting.of_tier("device")[0]
    kept = {tier: setting.of_tier(tier)[0] for tier in ("edge", "cloud")}
    nodes: list[dict[str, Any]] = [_node(base, device, device, "device", 1.0)]
    links: list[dict[str, Any]] = []
    for tier, name in kept.items():
        nodes += [_node(base, name, f"{name}-{i}", tier, 1 + i / copies) for i in range(copies)]
        links += [_link(base, (device, name), (device, f"{name}-{i}"), 1 + i / copies) for i in range(copies)]
    edge, cloud = kept.values()
    links += [
        _link(base, (edge, cloud), (f"{edge}-{i}", f"{cloud}-{j}"), 1.0) for i in range(copies) for j in range(copies)
    ]
    head = {"format": "tiercut.topology/1", "name": f"{network} with {1 + 2 * copies} machines", "source": device}
    rest = {"nodes": nodes, "links": links, "destination": "anywhere", "one_partition_per": "tier"}
    return Topology.from_data(head | rest)


def _node(base: Topology, like: str, name: str, tier: str, slower: float) -> dict[str, Any]:
    node = base.node(like)
    return {"name": name, "tier": tier, "device": node.device, "slowdown": node.slowdown * slower}


def _link(base: Topology, like: tuple[str, str], between: tuple[str, str], farther: float) -> dict[str, Any]:
    hop = base.hops[like]
    rate, latency = f"{hop.bandwidth!r} B/s", f"{hop.latency * farther!r} s"
    return {"between": list(between), "bandwidth": rate, "latency": latency}
