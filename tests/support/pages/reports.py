"""Findings for reports: a recorded network, and made ones with everything that a plan may have."""

from __future__ import annotations

from typing import Any

import numpy as np

from support.made import both, one, profile_data, topology_data
from tiercut.optimizer import Conditions, Problem, QuestionOptions, make_query, price, rebuild_problem
from tiercut.profiling import Profile, load_profile
from tiercut.report import Origin, gather
from tiercut.report.explorer.gathering import Findings
from tiercut.solvers import Options
from tiercut.topologies import Topology, load_topology

MESH = topology_data(
    [{"name": "cam"}, {"name": "left", "slowdown": 3}, {"name": "right", "slowdown": 2}, {"name": "far"}],
    [
        both("cam", "left", 0.002, 1e6),
        both("cam", "right", 0.02, 9e6),
        one("left", "far", 0.01, 3e6),
        one("far", "left", 0.01, 5e5),
        both("right", "far", 0.001, 2e6),
    ],
    forwarding="cut-through",
    destination="far",
)
"""Two ways from end to end, of which the quicker depends on the payload and on every link."""

CODED = profile_data(
    [0.004, 0.003, 0.006, 0.002, 0.005],
    [60000, 90000, 30000, 20000, 800, 40],
    branch_s=[0.001, 0.0005, 0.001, 0.0007, 0.0002],
    encode_s=[0.001, 0.002, 0.001, 0.0005, 0.0001],
    decode_s=[0.0005, 0.001, 0.0005, 0.0002, 0.0001],
    result_bytes=2000,
    exits={
        "thresholds": [0.2, 0.5],
        "accuracy": [0.5, 0.62, 0.7, 0.83, 0.9],
        "exit_rate_alone": [[0.1, 0.2, 0.3, 0.4, 1.0], [0.3, 0.35, 0.5, 0.7, 1.0]],
    },
    codecs={
        "half": {
            "bytes": [30000, 45000, 15000, None, 400],
            "encode_s": {"d": [0.0001] * 5},
            "decode_s": {"d": [0.0002] * 5},
            "accuracy_drop": [0.01, 0.004, 0.002, 0, 0.001],
        }
    },
)


def recorded(topology: str = "mobile", **question: Any) -> tuple[Findings, Origin]:
    return found(load_topology(topology), load_profile("resnet20-digits32"), topology, "resnet20-digits32", **question)


def coded(**question: Any) -> tuple[Findings, Origin]:
    """Free exits with a threshold for each, and codecs, where routes change with the links."""
    asked = {"exits": "free", "thresholds": "per-exit", "codec": "auto", **question}
    return found(Topology.from_data(MESH), Profile.from_data(CODED), "mesh.yaml", "coded.json", **asked)


def found(
    topology: Topology, profile: Profile, *names: str, changes: bool = False, **question: Any
) -> tuple[Findings, Origin]:
    options = QuestionOptions(**question)
    findings = gather(topology, profile, make_query("solve", options), options=Options(), changes=changes)
    origin = Origin(
        topology=names[0], profile=names[1], before=topology, conditions=Conditions(), question=options, command="here"
    )
    return findings, origin


def settings(findings: Findings, rng: np.random.Generator) -> tuple[dict[str, list[float]], Problem]:
    """Return a random setting of every link and node as the page takes it, and the tables that Python makes of it."""
    topology = findings.topology
    hops = list(topology.hops.items())
    factors = 10 ** rng.uniform(-1, 1, (3, max(len(hops), len(topology.nodes))))
    bandwidth = [hop.bandwidth * factor for (_, hop), factor in zip(hops, factors[0], strict=False)]
    latency = [hop.latency * factor for (_, hop), factor in zip(hops, factors[1], strict=False)]
    slowdown = [node.slowdown * factor for node, factor in zip(topology.nodes, factors[2], strict=False)]
    names = [f"{a}>{b}" for (a, b), _ in hops]
    changed = Conditions(
        bandwidth=dict(zip(names, bandwidth, strict=True)),
        latency=dict(zip(names, latency, strict=True)),
        slowdown=dict(zip(topology.node_names, slowdown, strict=True)),
    ).changed_topology(topology)
    tables = rebuild_problem(findings.frontier.space.problem, topology, changed, findings.profile)
    return {"bandwidth": bandwidth, "latency": latency, "slowdown": slowdown}, tables


def latencies(findings: Findings, count: int, seed: int = 0) -> tuple[list[Any], list[float]]:
    """Return so many settings, each with the place of a plan on the page, and what Python says of its latency."""
    rng, plans = np.random.default_rng(seed), [plan for _, plan in findings.plans()]
    asked, wanted = [], []
    for _ in range(count):
        setting, tables = settings(findings, rng)
        place = int(rng.integers(len(plans)))
        asked.append([place, setting])
        wanted.append(price(tables, plans[place].decision).latency_s)
    return asked, wanted
