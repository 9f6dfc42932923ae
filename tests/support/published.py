"""Reading the folder of published measurements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiercut.topologies.schema import Topology


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def aws_chain() -> Topology:
    """Return the chain of three AWS machines on which the Joint model was measured."""
    nodes = [
        {"name": name, "device": name, "tier": tier}
        for name, tier in (("a1.medium", "device"), ("m4.large", "edge"), ("g4dn.xlarge", "cloud"))
    ]
    links = [
        {"between": ["a1.medium", "m4.large"], "bandwidth": "10 Mb/s", "latency": "20 ms"},
        {"between": ["m4.large", "g4dn.xlarge"], "bandwidth": "400 Mb/s", "latency": "40 ms"},
    ]
    data = {"format": "tiercut.topology/1", "name": "aws-chain", "nodes": nodes, "links": links, "source": "a1.medium"}
    return Topology.from_data({**data, "forwarding": "cut-through", "mtu": "9000 B"})


def scission_pipeline(network: str, machines: list[str]) -> Topology:
    """Return the device, the edge machines and the clouds of Scission over one of its networks."""
    edge_ms, cloud_ms, rate = {"3g": (66.7, 100, 1.6), "wired": (20, 45, 20)}[network]
    tiers = {name: "device" if name == "raspi4" else name.split("-")[0] for name in machines}
    ordered = [name for tier in ("device", "edge", "cloud") for name in machines if tiers[name] == tier]
    links = []
    for name in ordered[1:]:
        latency = edge_ms if tiers[name] == "edge" else cloud_ms
        links.append({"between": ["raspi4", name], "bandwidth": f"{rate} Mb/s", "latency": f"{latency} ms"})
    edges, clouds = ([name for name in ordered if tiers[name] == tier] for tier in ("edge", "cloud"))
    links += [
        {"between": [edge, cloud], "bandwidth": "50 Mb/s", "latency": "20 ms"} for edge in edges for cloud in clouds
    ]
    nodes = [{"name": name, "tier": tiers[name], "device": name} for name in ordered]
    data = {"format": "tiercut.topology/1", "name": network, "nodes": nodes, "links": links, "source": "raspi4"}
    return Topology.from_data({**data, "destination": "anywhere", "one_partition_per": "tier"})
