"""The two plans of this study, and the same plans with services that were timed: what is simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import tiercut

__all__ = ["DRAWS", "NETWORK", "PLANS", "Planned", "Simulated", "services_of", "simulated"]

NETWORK = "digits-onnx"
DRAWS = 20
"""Simulations with services that are drawn."""

_APART_S = 10.0
_Z99 = NormalDist().inv_cdf(0.99)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and its machines: name, nodes with slowdowns, links (Mb/s, ms), partition, exits and threshold."""

    name: str
    slowdown: dict[str, float]
    links: tuple[tuple[float, float], ...]
    partition: tuple[int, ...]
    exits: tuple[int, ...]
    threshold: float

    def document(self, *, slowed: bool = True) -> dict[str, Any]:
        """Return the topology; its nodes as they are where they are not slowed."""
        names = list(self.slowdown)
        return {
            "format": "tiercut.topology/1",
            "name": self.name,
            "nodes": [{"name": name, "slowdown": self.slowdown[name] if slowed else 1} for name in names],
            "links": [
                {"between": [a, b], "bandwidth": f"{rate:g} Mb/s", "latency": f"{late:g} ms"}
                for a, b, (rate, late) in zip(names, names[1:], self.links, strict=False)
            ],
            "source": names[0],
            "order": "forward",
        }

    def plan(self, profile: tiercut.Profile) -> tiercut.Plan:
        """Return the plan, priced with the profile as it was recorded."""
        return tiercut.plan(
            tiercut.Topology.from_data(self.document()),
            profile,
            partition=list(self.partition),
            placement=list(self.slowdown),
            exits=list(self.exits),
            threshold=self.threshold,
        )


PLANS = (
    # The links and names of the ready-made topology three-tiers. Its camera would be the busiest, serve every frame as
    # long, and make nobody wait below a load of 1; so its gateway, where frames come irregularly, is the slowest here.
    Planned(
        "three machines",
        {"camera": 15, "gateway": 60, "cloud": 60},
        ((100, 5), (200, 10)),
        (5, 8, 12),
        (5, 7, 8, 12),
        0.2,
    ),
    # Most frames come to the server one after the other, and leave it early or late.
    Planned("two machines", {"device": 15, "server": 25}, ((100, 3),), (4, 12), (4, 5, 7, 9, 12), 0.2),
)


@dataclass(frozen=True, slots=True)
class Simulated:
    """A stream of F frames as it was simulated.

    Parameters
    ----------
    latency_s
        D x F: of each frame in each simulation: in one, or in `DRAWS` where services are drawn.
    alone_s, exit
        F: latency where the frame meets no other, and the block where it leaves.
    used
        Share of the time for which each node is busy.
    busiest, sustainable_rate
        The server that is asked for most, and the rate at which that is all its time.
    hops_s
        What hops of an average frame take beside their links.
    """

    latency_s: NDArray[np.float64]
    alone_s: NDArray[np.float64]
    exit: NDArray[np.int64]
    used: dict[str, float]
    busiest: str
    sustainable_rate: float
    hops_s: float


def simulated(
    planned: Planned,
    profile: tiercut.Profile,
    services: Mapping[tuple[int, int], float],
    due: Path,
    hops_s: Mapping[int, float],
    variation: Sequence[float] | None = None,
    *,
    frames: int,
) -> Simulated:
    """Simulate a stream with services that were timed, frames leaving as the recorded samples of the test split do.

    Parameters
    ----------
    planned, profile
        The plan, and the profile as it was recorded.
    services
        Seconds in a stage, 0-based, of the frames that pass it up to a block (1-based): an exit, or its last.
    due
        A file of the times when frames are due, in seconds.
    hops_s
        Seconds of a frame that meets no other, by the block where it leaves: all that nodes and links leave of it is
        what hops take beside their links, and keeps no server busy.
    variation
        By stage how much services vary from frame to frame: the standard deviation over the mean. They are drawn,
        log-normal with these means, anew in each of `DRAWS` simulations; None: each takes its mean.
    frames
        How many.
    """
    topology = tiercut.Topology.from_data(planned.document(slowed=False))
    timed, plan = with_services(profile, planned, services), planned.plan(profile)
    alone = tiercut.simulate(topology, timed, plan, rate=1 / _APART_S, frames=frames, split="test").to_frame()
    lone = alone.groupby("exit")["latency_s"].min().to_dict()
    beside = {block: hops_s[block] - seconds for block, seconds in lone.items() if block in hops_s}
    stream = tiercut.simulate(topology, timed, plan, arrivals=due, frames=frames, split="test")
    told = stream.to_frame()
    left = told["exit"].to_numpy(np.int64)
    more = np.array([beside.get(int(block), 0.0) for block in left])
    latency_s = told["latency_s"].to_numpy(float)[None]
    if variation is not None:
        varied = with_services(profile, planned, services, variation)
        drawn = [
            tiercut.simulate(
                topology, varied, plan, arrivals=due, frames=frames, split="test", times="drawn", seed=seed
            ).to_frame()["latency_s"]
            for seed in range(DRAWS)
        ]
        latency_s = np.array(drawn, float)
    bottleneck, most = stream.bottleneck, stream.sustainable_rate
    assert bottleneck is not None
    assert most is not None
    return Simulated(
        latency_s + more,
        np.array([lone[int(block)] for block in left]) + more,
        left,
        {each.server.name: each.utilisation or 0.0 for each in stream.servers if not each.server.is_link},
        bottleneck.name,
        most,
        float(more.mean()),
    )


def with_services(
    profile: tiercut.Profile,
    planned: Planned,
    services: Mapping[tuple[int, int], float],
    variation: Sequence[float] | None = None,
) -> tiercut.Profile:
    """Return a profile in which the pieces of a plan take what they took; its nodes are then not slowed any more.

    With their variation by stage it has the quantiles of log-normal times with these means.
    """
    blocks, sigma = [0.0] * len(profile.blocks), [0.0] * len(profile.blocks)
    for stage in range(len(planned.partition)):
        first, last_one = (0, *planned.partition)[stage], planned.partition[stage]
        varies = 0.0 if variation is None else variation[stage]
        sigma[first:last_one] = [float(np.sqrt(np.log1p(varies**2)))] * (last_one - first)
        before = 0.0
        for (_, last), seconds in sorted(each for each in services.items() if each[0][0] == stage):
            blocks[last - 1] = max(seconds - before, 0.0)
            before = max(seconds, before)
    name = profile.reference or next(iter(profile.devices))
    device = profile.devices[name]
    none = {key: None for key in type(device).model_fields if key.startswith("whole_model")}
    none |= dict.fromkeys(("span_s", "encode_s", "decode_s"))
    none |= {key: None for key in type(device).model_fields if key.startswith(("block_", "branch_"))}
    times: dict[str, Any] = {"block_s": blocks, "branch_s": [0.0] * len(blocks)}
    if variation is not None:
        middle = [mean * np.exp(-(each**2) / 2) for mean, each in zip(blocks, sigma, strict=True)]
        times["block_p50_s"] = middle
        times["block_p99_s"] = [mean * np.exp(_Z99 * each) for mean, each in zip(middle, sigma, strict=True)]
    changed = device.model_copy(update=none | times)
    return profile.model_copy(update={"devices": {name: changed}})


def services_of(
    frames: pd.DataFrame, planned: Planned, column: str, between_s: Sequence[float]
) -> dict[tuple[int, int], float]:
    """Return mean seconds in each stage of the frames that pass it up to a block, as `simulated` takes them.

    Parameters
    ----------
    frames
        A row for each, as ``tiercut run --parquet`` writes them.
    planned
        The plan.
    column
        ``compute_s``, or ``predicted_compute_s``: as it was timed before.
    between_s
        By stage what keeps a worker busy from the end of its pieces until it can begin those of the next frame.
    """
    found = {}
    for stage, (node, last) in enumerate(zip(planned.slowdown, planned.partition, strict=True)):
        name = f"{stage + 1}-{node}"
        there = frames[frames[f"{name}.compute_s"].notna()]
        until = there["exit"].astype(int).clip(upper=last)
        for block, seconds in there.groupby(until)[f"{name}.{column}"].mean().items():
            found[stage, int(block)] = float(seconds) + between_s[stage]
    return found
