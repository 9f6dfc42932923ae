"""How long frames of several sources wait for each other, where it is known what serves them and where they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tiercut.analysis.stream.service import Service
from tiercut.analysis.stream.simulate import Feed, simulate_feeds
from tiercut.optimizer import PieceTable, Recorded, build_problem, decide_again, itinerary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer import Decision, Plan, Problem
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

__all__ = ["Timed", "Waits", "waits_of"]

_APART = 1e-3
"""Frames per second that meet no other."""


@dataclass(frozen=True, slots=True)
class Timed:
    """Frames of a source that is run.

    Parameters
    ----------
    topology, profile, plan
        The topology as this source sees it, and what its frames pass.
    rate
        Frames per second.
    leaving
        The block where each of them leaves, F.
    pieces_s
        Seconds for which each piece keeps a worker busy, by its node, first and last block.
    with_coding
        Whether these hold what a worker takes to make bytes and tensors, by codecs too; else the profile says that.
    first_s
        When the first frame is born.
    """

    topology: Topology
    profile: Profile
    plan: Plan
    rate: float
    leaving: Sequence[int]
    pieces_s: Mapping[tuple[str, int, int], float]
    with_coding: bool = False
    first_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Waits:
    """What frames wait, and how busy that keeps machines and links.

    Parameters
    ----------
    waited_s
        Of each source F: how much longer each of its frames takes than one that meets no other.
    busy
        Share of the time for which each node and direction of a link is busy, by its name.
    """

    waited_s: tuple[NDArray[np.float64], ...]
    busy: dict[str, float]


def waits_of(topology: Topology, sources: Sequence[Timed]) -> Waits:
    """Simulate the frames of all sources at once, one every so often, and each by itself; agents form no batches.

    Parameters
    ----------
    topology
        Nodes and links, which all share.
    sources
        In the order that decides at equal times.
    """
    topology = topology.model_copy(update={"nodes": [each.model_copy(update={"batch": 1}) for each in topology.nodes]})
    feeds = [_feed(each, each.leaving, each.rate) for each in sources]
    stream = simulate_feeds(topology, feeds)
    told = stream.to_frame()
    latency_s = told["latency_s"].to_numpy(float)
    waited, first = [], 0
    for each in sources:
        exits = sorted(set(each.leaving))
        alone = simulate_feeds(topology, [_feed(each, exits, _APART)]).to_frame()["latency_s"].to_numpy(float)
        lone = dict(zip(exits, alone.tolist(), strict=True))
        own = latency_s[first : first + len(each.leaving)]
        waited.append(np.maximum(own - np.array([lone[block] for block in each.leaving]), 0.0))
        first += len(each.leaving)
    return Waits(tuple(waited), {each.server.name: each.utilisation or 0.0 for each in stream.servers})


def _feed(source: Timed, leaving: Sequence[int], rate: float) -> Feed:
    problem = build_problem(source.topology, source.profile)
    decision = decide_again(problem, source.plan)
    tables = _with_pieces(problem, decision, source.pieces_s)
    if source.with_coding:
        tables = _without_coding(tables)
    recorded = _leavers(leaving, problem.block_count)
    return Feed(tables, decision, Service(tables), rate, "periodic", len(leaving), recorded, source.first_s)


def _with_pieces(problem: Problem, decision: Decision, pieces_s: Mapping[tuple[str, int, int], float]) -> Problem:
    """Return the tables of a problem in which the pieces of a plan take so long."""
    span_s, bare_s = problem.span_s.whole, problem.bare_s.whole
    for step in itinerary(problem, decision).steps:
        if step.sort == "compute":
            table = span_s if step.exits else bare_s
            node = problem.nodes.index(str(step.node))
            table[node, step.first - 1, step.last - 1] = pieces_s[str(step.node), step.first, step.last]
    return replace(problem, span_s=PieceTable.of(span_s), bare_s=PieceTable.of(bare_s))


def _without_coding(problem: Problem) -> Problem:
    """Return the tables of a problem in which bytes and tensors take no time, but an input codec, at the source."""
    codec_encode_s = problem.codec_encode_s.copy()
    codec_encode_s[:, 1:] = 0.0
    return replace(
        problem,
        encode_s=np.zeros_like(problem.encode_s),
        decode_s=np.zeros_like(problem.decode_s),
        codec_encode_s=codec_encode_s,
        codec_decode_s=np.zeros_like(problem.codec_decode_s),
    )


def _leavers(leaving: Sequence[int], blocks: int) -> Recorded:
    """Return samples that leave at these blocks, whatever the thresholds: all are sure there, and nowhere else."""
    entropy = np.full((blocks, len(leaving)), 2.0, np.float32)
    entropy[np.array(leaving) - 1, np.arange(len(leaving))] = -1.0
    return Recorded(entropy, np.zeros(entropy.shape, np.uint8))
