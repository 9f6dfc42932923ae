"""Measures of a part of a plan: what one node or tier computes and holds, and what crosses one link."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError, TiercutWarning, unknown_name
from tiercut.optimizer.measures.tables import Measure, scaled
from tiercut.optimizer.problem import ANYWHERE
from tiercut.topologies.changes import directions_of
from tiercut.topologies.routes import transfer_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.problem import Floats, Problem
    from tiercut.topologies.route import Hop
    from tiercut.topologies.schema import Topology

    Way = tuple[str, str]

__all__ = ["LOCAL", "between", "is_link", "place_of", "utilisation"]


def place_of(problem: Problem, name: str) -> NDArray[np.bool_]:
    """Return which of the M nodes a name means: a node, or all of a tier.

    Raises
    ------
    QuestionError
        If it is neither.

    Warns
    -----
    TiercutWarning
        If it is a node and a tier of others too; the node is meant.
    """
    by_node, by_tier = (np.array([each == name for each in names]) for names in (problem.nodes, problem.tiers))
    found = by_node if by_node.any() else by_tier
    if by_node.any() and (by_tier & ~by_node).any():
        doubt = f"'{name}' is the name of a node and of a tier with other nodes, and is taken to mean the node"
        warnings.warn(TiercutWarning(doubt, "give the node or the tier another name"), stacklevel=2)
    if not found.any():
        known = tuple(dict.fromkeys((*problem.nodes, *problem.tiers)))
        raise QuestionError(unknown_name("node or tier", name, known))
    return found


def _hops_of(problem: Problem, link: str) -> tuple[Hop, ...]:
    """Return the directions that the name of a link means: ``a>b`` one, ``a-b`` both (or as many as there are).

    Raises
    ------
    QuestionError
        If there is no such link.
    """
    topology = _topology(problem)
    name = ">".join(part.strip() for part in link.split(">"))
    return tuple(topology.hops[way] for way in directions_of(topology, name))


def is_link(problem: Problem, place: str) -> bool:
    """Return whether a place is written as a link, and is no node or tier of that name."""
    return (">" in place or "-" in place) and place not in problem.nodes and place not in problem.tiers


def _topology(problem: Problem) -> Topology:
    if problem.network is None:
        raise QuestionError("what crosses links cannot be told of a problem that was made without a topology")
    return problem.network


def between(problem: Problem, tables: Measure, pair: str) -> Measure:
    """Return what of the bytes of a plan partitions on one place send to partitions on another, ``a>b``."""
    sender, _, receiver = (part.strip() for part in pair.partition(">"))
    pairs = np.outer(place_of(problem, sender), place_of(problem, receiver)).astype(float)
    result = np.zeros_like(tables.result)
    if problem.destination != ANYWHERE:
        result = tables.result * pairs[:, problem.destination]
    return replace(
        tables,
        first=tables.first * pairs[problem.source],
        send=tables.send * pairs,
        result=result,
        codec_send=tables.codec_send * pairs,
    )


def utilisation(problem: Problem, place: str, rate_fps: float | None) -> Measure:
    """Return the share of the time that a node, a tier or a link is busy when frames arrive at a rate.

    Parameters
    ----------
    problem
        The tables.
    place
        A node or tier: rate times expected seconds of computing there (of all nodes of the tier together). A link:
        rate times expected bytes over bandwidth; ``a-b`` adds up both directions, as on a medium that they share.
    rate_fps
        Frames per second.
    """
    if rate_fps is None:
        raise QuestionError("utilisation needs the rate at which frames arrive, such as rate: 30 fps (--rate '30 fps')")
    if is_link(problem, place):
        return _crossing(problem, {way: rate_fps / hop.bandwidth for way, hop in _by_way(_hops_of(problem, place))})
    return scaled(_computing(problem, place), rate_fps)


def _by_way(hops: tuple[Hop, ...]) -> list[tuple[Way, Hop]]:
    return [((hop.sender, hop.receiver), hop) for hop in hops]


def _link(problem: Problem, link: str) -> Measure:
    return _crossing(problem, {way: 1.0 for way, _ in _by_way(_hops_of(problem, link))})


def _out(problem: Problem, name: str) -> Measure:
    here = {node for node, inside in zip(problem.nodes, place_of(problem, name), strict=True) if inside}
    leaving = (way for way in _topology(problem).hops if way[0] in here and way[1] not in here)
    return _crossing(problem, dict.fromkeys(leaving, 1.0))


def _crossing(problem: Problem, weights: Mapping[Way, float]) -> Measure:
    """Return bytes times the weights of the links that they cross (formulation: other additive measures, and rate)."""
    topology = _topology(problem)

    def crossed(sizes: Floats) -> Floats:
        made: Floats = sizes[:, None, None] * transfer_sums(topology, sizes, weights)
        return made

    sends = crossed(problem.payload_bytes)
    result = np.zeros_like(problem.result_s)
    if problem.destination != ANYWHERE:
        result = np.tile(crossed(np.array([problem.result_bytes]))[0, :, problem.destination], (len(result), 1))
    codecs = [crossed(sizes)[1:] for sizes in problem.codec_bytes]
    coded = np.stack(codecs) if codecs else np.zeros_like(problem.codec_s[:, 1:])
    nothing = np.zeros_like(problem.span_s)
    return Measure("", "", sends[0, problem.source], nothing, nothing, sends[1:], result, coded)


def _pieces(problem: Problem, place: str, span: Floats, bare: Floats, *, unweighted: bool = False) -> Measure:
    """Return a measure of pieces alone, on some nodes."""
    mask = place_of(problem, place)[:, None, None].astype(float)
    nothing = np.zeros_like(problem.transfer_s)
    sends = nothing[1:], np.zeros_like(problem.result_s), np.zeros_like(problem.codec_s[:, 1:])
    return Measure("", "", nothing[0, 0], np.nan_to_num(span) * mask, np.nan_to_num(bare) * mask, *sends, unweighted)


def _computing(problem: Problem, place: str) -> Measure:
    return _pieces(problem, place, problem.span_s, problem.bare_s)


def _blocks(problem: Problem, place: str) -> Measure:
    number = np.arange(problem.block_count)
    count = np.broadcast_to(number[None, None, :] - number[None, :, None] + 1.0, problem.span_s.shape)
    return _pieces(problem, place, count, count, unweighted=True)


def _memory(problem: Problem, place: str) -> Measure:
    """Return parameters and largest activation of each piece; with exits inside a partition, summed over its pieces."""
    if np.isnan(problem.parameter_bytes).any():
        raise QuestionError(
            f"a bound on memory needs the key 'parameter_bytes' of every block, which profile '{problem.profile}' does "
            "not have"
        )
    count, largest = problem.block_count, np.nan_to_num(problem.activation_bytes)
    size = np.zeros((count, count))
    for first in range(count):
        rest = slice(first, None)
        size[first, first:] = np.cumsum(problem.parameter_bytes[rest]) + np.maximum.accumulate(largest[rest])
    table = np.broadcast_to(size, problem.span_s.shape)
    return _pieces(problem, place, table, table, unweighted=True)


LOCAL: Mapping[str, Callable[[Problem, str], Measure]] = MappingProxyType(
    {"compute": _computing, "share": _computing, "blocks": _blocks, "memory": _memory, "link": _link, "out": _out}
)
"""Measures of a node, a tier or a link, and how their tables are made."""
