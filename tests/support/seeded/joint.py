"""Small random questions about several sources, and their answer by trying every combination of plans."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from math import inf
from typing import Any

import numpy as np

from support.made import both, exits_data, profile_data
from support.reference import Reference, number_of
from support.reference_measures import utilisations

SLACK = 1e-9


@dataclass(frozen=True)
class JointCase:
    """A topology with sources, profiles by name, how busy anything may be, and what else is asked of each source."""

    topology: dict[str, Any]
    profiles: dict[str, dict[str, Any]]
    most: float
    question: dict[str, Any] = field(default_factory=dict)

    @property
    def sources(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.topology["sources"]
        return found


def joint_case(seed: int, *, memory: bool = False) -> JointCase:
    """Return a random question: two or three sources on three to five nodes, with which machines are short or not.

    With `memory` most nodes have so much that some partitions of all sources fit there together, and others do not;
    some have none, and of some networks it is not known of every block what it needs. Then some questions have a
    greatest latency, exits inside partitions, or a threshold for each exit.
    """
    rng = np.random.default_rng([77, seed])
    devices, boxes = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    names = [f"cam{place}" for place in range(devices)] + [f"box{place}" for place in range(boxes)]
    nodes = [
        {"name": name, "slowdown": float(rng.uniform(4, 9) if name.startswith("cam") else rng.uniform(1, 3)),
         "workers": int(rng.integers(1, 3))}
        for name in names
    ]  # fmt: skip
    links = []
    for place, name in enumerate(names[1:], 1):
        duplex = {"duplex": "half"} if rng.random() < 0.4 else {}
        links.append(
            both(
                names[int(rng.integers(place))],
                name,
                float(rng.uniform(0, 0.02)),
                float(rng.uniform(2e4, 4e5)),
                **duplex,
            )
        )
    profiles = {f"net{place}": _profile(rng) for place in range(int(rng.integers(1, 3)))}
    count = int(rng.integers(2, 4))
    busy = float(rng.choice([0.3, 1.0, 2.5]))
    sources = []
    for place in range(count):
        source: dict[str, Any] = {
            "name": f"s{place}",
            "node": str(rng.choice(names[:devices])),
            "rate": f"{float(rng.uniform(2, 12)) * busy!r} fps",
            "profile": str(rng.choice(list(profiles))),
            "weight": float(rng.choice([1.0, 1.0, 2.5])),
        }
        if rng.random() < 0.5:
            source["destination"] = str(rng.choice([*names, "anywhere"]))
        if rng.random() < 0.6:
            source["min_accuracy"] = float(rng.choice([0.5, 0.7, 0.8]))
        sources.append(source)
    question: dict[str, Any] = {}
    if memory:
        own = np.random.default_rng([78, seed])
        _add_memory(own, nodes, profiles)
        question = _question(own, profiles)
    topology = {"format": "tiercut.topology/1", "name": "made", "nodes": nodes, "links": links, "sources": sources}
    return JointCase(topology, profiles, float(rng.choice([0.6, 1.0])), question)


def _profile(rng: np.random.Generator) -> dict[str, Any]:
    count = int(rng.integers(2, 4))
    seconds = rng.uniform(0.002, 0.02, count).tolist()
    sizes = rng.integers(500, 5000, count + 1).tolist()
    more: dict[str, Any] = {"result_bytes": 20}
    if rng.random() < 0.7:
        rates = rng.dirichlet(np.ones(count), int(rng.integers(1, 3))).tolist()
        more["exits"] = exits_data(sorted(rng.uniform(0.4, 0.95, count).tolist()), *rates)
        more["branch_s"] = rng.uniform(0, 0.003, count).tolist()
    else:
        more["accuracy"] = 0.85
    if rng.random() < 0.3:
        more["encode_s"] = rng.uniform(0, 0.002, count + 1).tolist()
        more["decode_s"] = rng.uniform(0, 0.002, count + 1).tolist()
    return profile_data(seconds, sizes, **more)


def _add_memory(rng: np.random.Generator, nodes: list[dict[str, Any]], profiles: dict[str, dict[str, Any]]) -> None:
    """Say what blocks hold, and what nodes have: between a part of a network and all of two."""
    most = 0
    for profile in profiles.values():
        for block in profile["blocks"]:
            block["parameter_bytes"] = int(rng.integers(1, 100)) * 1000
            if rng.random() < 0.8:
                block["activation_bytes"] = int(rng.integers(1, 60)) * 1000
        most = max(most, _held(profile, 1, len(profile["blocks"])))
    for node in nodes:
        if rng.random() < 0.8:
            node["memory"] = f"{int(rng.uniform(0.4, 2.0) * most)} B" if rng.random() < 0.9 else "0 B"
    for profile in profiles.values():
        if rng.random() < 0.15:
            del profile["blocks"][int(rng.integers(len(profile["blocks"])))]["parameter_bytes"]


def _question(rng: np.random.Generator, profiles: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what else is asked; where every exit has a threshold of its own, profiles say who leaves at it alone."""
    found: dict[str, Any] = {}
    if rng.random() < 0.3:
        found["max_latency"] = float(rng.uniform(0.03, 0.4))
    if all("exits" in profile for profile in profiles.values()):
        if rng.random() < 0.4:
            found["exits"] = "free"
        if rng.random() < 0.4:
            found["thresholds"] = "per-exit"
            for profile in profiles.values():
                rates = np.array(profile["exits"].pop("exit_rate"))
                profile["exits"]["exit_rate_alone"] = np.sort(rng.uniform(0, 1, rates.shape), axis=0).tolist()
    return found


def _held(profile: dict[str, Any], first: int, last: int) -> int:
    """Return the bytes of blocks (1-based) that run together: their parameters, and the largest activation."""
    blocks = profile["blocks"][first - 1 : last]
    if not all("parameter_bytes" in block for block in profile["blocks"]):
        return 0
    largest = max(block.get("activation_bytes", 0) for block in blocks)
    return int(sum(block["parameter_bytes"] for block in blocks) + largest)


@dataclass(frozen=True)
class Tried:
    """What trying every combination finds: the least mean and worst latency (inf: none), the most weight served."""

    mean: float
    worst: float
    served: float
    alone: tuple[bool, ...]


def by_trying(case: JointCase) -> Tried:
    """Return the best of all combinations, by the second scorer and what it says of every server."""
    plans, room = [_plans(case, source) for source in case.sources], _room(case)
    weights = [source["weight"] for source in case.sources]
    total = sum(weights)
    mean = worst = inf
    served = 0.0
    for chosen in product(*[[None, *own] for own in plans]):
        taken = [each for each in chosen if each is not None]
        busy, held = (sum((each[at] for each in taken), np.zeros(1)) for at in (1, 2))
        if not ((busy <= case.most * (1 + SLACK)).all() and (held <= room).all()):
            continue
        served = max(served, sum(w for w, each in zip(weights, chosen, strict=True) if each is not None))
        if len(taken) == len(chosen):
            mean = min(mean, sum(w * each[0] for w, each in zip(weights, taken, strict=True)) / total)
            worst = min(worst, max(each[0] for each in taken))
    return Tried(mean, worst, served, tuple(bool(own) for own in plans))


def _room(case: JointCase) -> np.ndarray:
    """Return the memory of each node; inf where it is not known."""
    return np.array([number_of(node["memory"]) if "memory" in node else inf for node in case.topology["nodes"]])


def _plans(case: JointCase, source: dict[str, Any]) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Return latency, load of servers and bytes on nodes of a source's plans that no other beats in all of these."""
    topology = {key: value for key, value in case.topology.items() if key != "sources"}
    topology |= {"source": source["node"], "destination": source.get("destination", source["node"])}
    reference = Reference(topology, case.profiles[source["profile"]])
    rate, least = float(source["rate"].split()[0]), source.get("min_accuracy", 0.0)
    profile, nodes, room = case.profiles[source["profile"]], reference.nodes, _room(case)
    exits = case.question.get("exits", "cuts") if reference.exits else "final"
    per_exit, latest = case.question.get("thresholds") == "per-exit", case.question.get("max_latency", inf)
    found = []
    for choice in reference.choices(exits, "any", "none", per_exit=per_exit):
        if not reference.possible(choice):
            continue
        score = reference.score(choice)
        held = np.zeros(len(nodes))
        for part in score.parts:
            held[nodes.index(part.node)] += _held(profile, *part.blocks)
        if (score.accuracy or 0.0) >= least - SLACK and score.latency <= latest + SLACK and (held <= room).all():
            found.append((score.latency, np.array(list(utilisations(reference, score, rate).values())), held))
    kept: list[tuple[float, np.ndarray, np.ndarray]] = []
    for latency, busy, held in sorted(found, key=lambda each: each[0]):
        if not any((other[1] <= busy).all() and (other[2] <= held).all() for other in kept):
            kept.append((latency, busy, held))
    return kept
