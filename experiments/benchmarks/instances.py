"""Seeded instances, as plain data of topology and profile files, in any size."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

import tiercut

__all__ = ["chain", "crowd", "joined", "limited", "load", "loose", "powered", "shared", "spans"]

Instance = tuple[dict[str, Any], dict[str, Any]]


def load(instance: Instance) -> tuple[tiercut.Topology, tiercut.Profile]:
    """Return an instance as the objects that every question takes."""
    return tiercut.Topology.from_data(instance[0]), tiercut.Profile.from_data(instance[1])


def chain(blocks: int, nodes: int, thresholds: int, *, seed: int = 0, link_cost: float = 1.0) -> Instance:
    """Return a network on a chain from a slow device to a fast cloud.

    Parameters
    ----------
    blocks, nodes, thresholds
        Sizes.
    seed
        Of everything that is drawn.
    link_cost
        Multiplies the time that every link takes; 0.01 makes links nearly free.
    """
    rng = np.random.default_rng(seed)
    slowdown = np.sort(rng.uniform(1, 60, nodes))[::-1]
    machines = [{"name": f"n{v}", "slowdown": float(slowdown[v])} for v in range(nodes)]
    profile = _profile(rng, blocks, thresholds, {"reference": _times(rng, blocks)})
    return _topology(rng, machines, link_cost), profile


def shared(sources: int, blocks: int, thresholds: int, rate: float, *, seed: int = 5) -> Instance:
    """Return cameras at two devices that share two edges and two clouds, each with a rate of its own.

    Parameters
    ----------
    sources, blocks, thresholds
        Sizes; there are six nodes.
    rate
        Frames per second of a camera at most; at 1.2 fifty of them go together with the best plan of each.
    seed
        Of rates, least accuracies and weights.
    """
    rng = np.random.default_rng(seed)
    kinds = ((40, 2), (40, 2), (8, 4), (8, 4), (2, 4), (1, 6))
    machines = [{"name": f"n{v}", "slowdown": slow, "workers": workers} for v, (slow, workers) in enumerate(kinds)]
    wires = ((0, 2, 200, 2), (1, 3, 200, 2), (2, 3, 400, 1), (2, 4, 100, 8), (3, 4, 100, 8), (4, 5, 300, 10))
    links = [
        {"between": [f"n{a}", f"n{b}"], "bandwidth": f"{speed} Mb/s", "latency": f"{delay} ms"}
        for a, b, speed, delay in wires
    ]
    cameras = [
        {
            "name": f"s{at}",
            "node": f"n{at % 2}",
            "rate": f"{rng.uniform(0.2, rate):.4f} fps",
            "min_accuracy": float(rng.choice([0.6, 0.7, 0.8])),
            "weight": float(rng.choice([1, 2])),
        }
        for at in range(sources)
    ]
    topology = {"format": "tiercut.topology/1", "name": "shared", "nodes": machines, "links": links}
    return topology | {"sources": cameras}, chain(blocks, len(kinds), thresholds)[1]


def limited(instance: Instance, memory: Mapping[str, int], *, seed: int = 3) -> Instance:
    """Return an instance whose blocks need memory, 0.01 to 1 MB each, and some of whose nodes have so many MB."""
    topology, profile = instance
    rng = np.random.default_rng(seed)
    for block in profile["blocks"]:
        block["parameter_bytes"] = int(rng.integers(1, 100)) * 10_000
    for node in topology["nodes"]:
        if node["name"] in memory:
            node["memory"] = f"{memory[node['name']]} MB"
    return topology, profile


def powered(instance: Instance) -> Instance:
    """Return an instance whose nodes draw the more power the faster they are."""
    topology, profile = instance
    for place, node in enumerate(topology["nodes"]):
        node["power"] = f"{5 * (place + 1) ** 1.5:.3f} W"
    return topology, profile


def joined(blocks: int, nodes: int, *, seed: int = 0, growth: float = 2.0) -> Instance:
    """Return a network without early exits on nodes that are all linked, with memory, power and prices.

    Each node is `growth` times as quick as the one before; what a bound takes from the last of them, slower ones must
    do.
    """
    rng = np.random.default_rng(seed)
    machines = [
        {"name": f"n{v}", "slowdown": 20 / growth**v, "power": "10 W", "price": "1 $/h", "memory": "1 GB"}
        for v in range(nodes)
    ]
    names = [machine["name"] for machine in machines]
    links = []
    for a, b in itertools.combinations(names, 2):
        bandwidth, latency = int(rng.integers(1, 30)), int(rng.integers(1, 20))
        links.append({"between": [a, b], "bandwidth": f"{bandwidth} MB/s", "latency": f"{latency} ms"})
    profile = _profile(rng, blocks, 1, {"reference": _times(rng, blocks, 5.0)})
    del profile["exits"]
    profile["accuracy"] = 0.9
    for block in profile["blocks"]:
        block["parameter_bytes"] = int(rng.integers(1, 100)) * 10_000
    return _document(machines, links), profile


def loose(blocks: int, nodes: int, thresholds: int, *, seed: int = 0, looseness: float = 1.0) -> Instance:
    """Return an instance whose relaxation is weak: each node is fast at blocks of its own, and links are nearly free.

    A plan would like to come back to a node again and again, which the relaxed bound lets it do. With less looseness
    nodes are less slow at the blocks of others, and links cost more; at 0 all are alike, and links cost as in `chain`.
    """
    rng = np.random.default_rng(seed)
    devices = {}
    for v in range(nodes):
        factor = np.where(rng.integers(nodes, size=blocks) == v, 1.0, 8.0**looseness)
        devices[f"d{v}"] = _times(rng, blocks, factor)
    machines = [{"name": f"n{v}", "device": f"d{v}"} for v in range(nodes)]
    return _topology(rng, machines, 0.01**looseness), _profile(rng, blocks, thresholds, devices)


def spans(blocks: int, nodes: int, thresholds: int, *, seed: int = 0) -> Instance:
    """Return a chain whose device has measured times for every span of blocks."""
    topology, profile = chain(blocks, nodes, thresholds, seed=seed)
    rng = np.random.default_rng(seed)
    device = profile["devices"]["reference"]
    table = []
    for first in range(blocks):
        sums = np.cumsum(device["block_s"][first:]) * rng.uniform(0.7, 1.0, blocks - first)
        table.append((sums + device["branch_s"][first:]).tolist())
    device["span_s"] = table
    return topology, profile


def crowd(blocks: int, edges: int, clouds: int, *, seed: int = 0) -> Instance:
    """Return Scission's kind of question: one device, several edges and clouds, one of each tier, no early exits."""
    rng = np.random.default_rng(seed)
    tiers = ["device"] + ["edge"] * edges + ["cloud"] * clouds
    speed = {"device": (40, 40), "edge": (4, 12), "cloud": (1, 3)}
    machines = [
        {"name": f"{tier}{index}", "tier": tier, "slowdown": float(rng.uniform(*speed[tier]))}
        for index, tier in enumerate(tiers)
    ]
    links = [_link(rng, a["name"], b["name"], 1.0) for i, a in enumerate(machines) for b in machines[i + 1 :]]
    topology = _document(machines, links) | {"destination": "anywhere", "one_partition_per": "tier"}
    profile = _profile(rng, blocks, 1, {"reference": _times(rng, blocks)})
    del profile["exits"]
    return topology, profile


def _times(rng: np.random.Generator, blocks: int, factor: Any = 1.0) -> dict[str, Any]:
    block_s = rng.uniform(1e-4, 2e-3, blocks) * factor
    return {"statistic": "made", "block_s": block_s.tolist(), "branch_s": (block_s * 0.1).tolist()}


def _profile(rng: np.random.Generator, blocks: int, thresholds: int, devices: dict[str, Any]) -> dict[str, Any]:
    sizes = np.linspace(4e5, 4e3, blocks) * rng.uniform(0.3, 1.0, blocks)
    accuracy = np.sort(rng.uniform(0.3, 0.95, blocks))
    alone = np.sort(np.sort(rng.beta(0.8, 1.5, (thresholds, blocks)), axis=1), axis=0)
    return {
        "format": "tiercut.profile/1",
        "model": f"made{blocks}",
        "origin": "made up for a benchmark",
        "input_bytes": 150000,
        "result_bytes": 40,
        "blocks": [{"name": f"b{i}", "output_bytes": int(sizes[i])} for i in range(blocks)],
        "exits": {
            "thresholds": np.linspace(0, 1, thresholds + 1)[1:].tolist(),
            "exit_rate_alone": alone.tolist(),
            "accuracy": accuracy.tolist(),
        },
        "devices": devices,
    }


def _topology(rng: np.random.Generator, machines: list[dict[str, Any]], link_cost: float) -> dict[str, Any]:
    names = [machine["name"] for machine in machines]
    links = [_link(rng, a, b, link_cost) for a, b in itertools.pairwise(names)]
    return _document(machines, links)


def _link(rng: np.random.Generator, a: str, b: str, cost: float) -> dict[str, Any]:
    bandwidth, latency = rng.uniform(2e6, 1e8) / cost, rng.uniform(0.005, 0.05) * cost
    return {"between": [a, b], "bandwidth": f"{bandwidth:.0f} b/s", "latency": f"{latency:.9f} s"}


def _document(machines: list[dict[str, Any]], links: list[dict[str, Any]]) -> dict[str, Any]:
    names = {"format": "tiercut.topology/1", "name": "made", "source": machines[0]["name"]}
    return names | {"nodes": machines, "links": links}
