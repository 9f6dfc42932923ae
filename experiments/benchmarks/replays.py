"""Recorded samples sent through many plans, side by side with NumPy."""

from __future__ import annotations

import time
from typing import Any

import instances
import numpy as np

import tiercut
from tiercut import Plan, Samples

__all__ = ["replays"]

Loaded = tuple[tiercut.Topology, tiercut.Profile]


def replays(blocks: int, nodes: int, thresholds: int, samples: int, plans: int) -> list[dict[str, Any]]:
    """Replay random plans of a random network on random samples; the counts must agree."""
    rng = np.random.default_rng(0)
    loaded = instances.load(instances.chain(blocks, nodes, thresholds))
    drawn = [_plan(loaded, rng) for _ in range(plans)]
    entropy = rng.random((samples, blocks), dtype=np.float32)
    recorded = Samples(entropy, rng.random((samples, blocks)) < 0.5)
    work = samples * sum(len(plan.exits) for plan in drawn)
    rows = []
    for name, run in (("replay", _tiercut), ("numpy", _numpy)):
        run(loaded, drawn[:1], recorded)
        began = time.perf_counter()
        found = run(loaded, drawn, recorded)
        seconds = time.perf_counter() - began
        rows.append({"solver": name, "seconds": seconds, "work": work, "plans": len(drawn), "found": found})
        rows[-1]["status"] = f"{work / seconds:.2g} sample-branches a second"
    first, second = (row.pop("found") for row in rows)
    assert first == second
    return [row | {"ratio": row["seconds"] / rows[0]["seconds"]} for row in rows]


def _plan(loaded: Loaded, rng: np.random.Generator) -> Plan:
    topology, profile = loaded
    assert profile.exits is not None
    partition = np.sort(rng.choice(profile.block_count, len(topology.nodes), replace=False) + 1).tolist()
    threshold = float(rng.choice(profile.exits.thresholds))
    return tiercut.plan(*loaded, partition=partition, placement=topology.node_names, threshold=threshold)


def _tiercut(loaded: Loaded, plans: list[Plan], samples: Samples) -> list[list[tuple[int, int]]]:
    """Go the whole way: files in memory to replays, every plan priced with what the samples do."""
    return [
        [(each.left, each.right) for each in seen.exits] for seen in tiercut.replay(*loaded, plans, samples=samples)
    ]


def _numpy(_: Loaded, plans: list[Plan], samples: Samples) -> list[list[tuple[int, int]]]:
    """Only count, with one array operation for each step of a plan."""
    entropy, correct = samples.entropy.T.astype(float, order="C"), samples.correct.T.copy()
    made = []
    for plan in plans:
        under_way, counts = np.ones(entropy.shape[1], bool), []
        for block in plan.exits:
            last = block == plan.exits[-1]
            leaves = under_way if last else under_way & (entropy[block - 1] < (plan.threshold or 0.0))
            counts.append((int(np.count_nonzero(leaves)), int(np.count_nonzero(leaves & correct[block - 1]))))
            under_way = under_way & ~leaves
        made.append(counts)
    return made
