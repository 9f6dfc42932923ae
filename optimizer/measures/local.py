"""Parts of a plan by name, and tables of what one node or tier computes or holds, and of what crosses links."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError, TiercutWarning, unknown_name
from tiercut.optimizer.measures.tables import Measure
from tiercut.optimizer.problem import ANYWHERE
from tiercut.topologies import directions_of, transfer_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.problem import Floats, Problem
    from tiercut.topologies import Hop, Network

    Pair = tuple[str, str]

__all__ = [
    "between",
    "busy_seconds",
    "crossing",
    "hops_of",
    "is_link",
    "network_of",
    "pieces",
    "pieces_at",
    "place_of",
    "shared_hops_of",
    "unknown",
]


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


def hops_of(problem: Problem, link: str) -> tuple[Hop, ...]:
    """Return the directions that the name of a link means: ``a>b`` one, ``a-b`` both (or as many as there are).

    Raises
    ------
    QuestionError
        If there is no such link.
    """
    network = network_of(problem)
    name = ">".join(part.strip() for part in link.split(">"))
    return tuple(network.hops[pair] for pair in directions_of(network, name))


def shared_hops_of(problem: Problem, link: str) -> tuple[Hop, ...]:
    """Return the directions that a link means, with those that share their medium: the other one of half duplex."""
    network = network_of(problem)
    named = {(hop.sender, hop.receiver): hop for hop in hops_of(problem, link)}
    for sender, receiver in tuple(named):
        other = network.hops.get((receiver, sender))
        if other is not None and other.half and named[sender, receiver].half:
            named[receiver, sender] = other
    return tuple(named.values())


def is_link(problem: Problem, place: str) -> bool:
    """Return whether a place is written as a link, and is no node or tier of that name."""
    return (">" in place or "-" in place) and place not in problem.nodes and place not in problem.tiers


def network_of(problem: Problem) -> Network:
    """Return the nodes and links that payloads cross.

    Raises
    ------
    QuestionError
        If the problem was made without one.
    """
    if problem.network is None:
        raise QuestionError("what crosses links cannot be told of a problem that was made without a topology")
    return problem.network


def unknown(problem: Problem, values: Floats, key: str, what: str) -> str:
    """Return why pieces on some nodes have no value in a measure (see `Measure.unknown`); empty where all have.

    Parameters
    ----------
    problem
        The tables.
    values
        M: one for each node; nan where the topology does not say it.
    key
        Under which a topology has it.
    what
        The measure that needs it.
    """
    if not np.isnan(values).any():
        return ""
    return (
        f"{what} needs the {key} of every node that may run a part, but {{nodes}} in topology '{problem.topology}' "
        f"have none; add '{key}' to them (0 where it does not count) or exclude them"
    )


def pieces(problem: Problem, span: Floats, bare: Floats) -> Measure:
    """Return a measure of pieces alone; M x N x N, with the branch of the last block and without."""
    free = np.zeros_like(problem.transfer_s)
    coded = np.zeros_like(problem.codec_s)
    return Measure(free[0, 0], span, bare, free[1:], np.zeros_like(problem.result_s), coded[:, 0, 0], coded[:, 1:])


def busy_seconds(problem: Problem, weights: Floats) -> Measure:
    """Return the seconds in which nodes compute, decode what comes and encode what goes, by a weight for each (M).

    The result is neither encoded nor decoded (formulation: rate).
    """
    span, bare = np.zeros(problem.span_s.shape), np.zeros(problem.bare_s.shape)
    for node in np.flatnonzero(weights):  # of one node alone, most of a large table is never touched
        span[node], bare[node] = problem.span_s[node] * weights[node], problem.bare_s[node] * weights[node]
    apart = 1.0 - np.eye(problem.node_count)

    def coded(encode: Floats, decode: Floats) -> Floats:
        both: Floats = ((encode * weights)[..., :, None] + (decode * weights)[..., None, :]) * apart
        return both

    sends, codecs = (
        coded(problem.encode_s, problem.decode_s),
        coded(problem.codec_encode_s, problem.codec_decode_s),
    )
    nothing = np.zeros_like(problem.result_s)
    source = problem.source
    return Measure(sends[0, source], span, bare, sends[1:], nothing, codecs[:, 0, source], codecs[:, 1:])


def pieces_at(problem: Problem, place: str, span: Floats, bare: Floats) -> Measure:
    """Return a measure of the pieces on a node or a tier."""
    mask = place_of(problem, place)[:, None, None].astype(float)
    return pieces(problem, np.nan_to_num(span) * mask, np.nan_to_num(bare) * mask)


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
        codec_first=tables.codec_first * pairs[problem.source],
        codec_send=tables.codec_send * pairs,
    )


def crossing(problem: Problem, weights: Mapping[Pair, float], nothing: Floats | None = None) -> Measure:
    """Return bytes times the weights of the links that they cross (formulation: other additive measures, and rate).

    ``nothing`` is M x N x N zeros for the pieces, which the measures of many links may share.
    """
    network = network_of(problem)

    def crossed(sizes: Floats) -> Floats:
        weighted: Floats = sizes[:, None, None] * transfer_sums(network, sizes, weights)
        return weighted

    sends = crossed(problem.payload_bytes)
    result = np.zeros_like(problem.result_s)
    if problem.destination != ANYWHERE:
        result = np.tile(crossed(np.array([problem.result_bytes]))[0, :, problem.destination], (len(result), 1))
    codecs = [crossed(sizes) for sizes in problem.codec_bytes]
    coded = np.stack(codecs) if codecs else np.zeros_like(problem.codec_s)
    nothing = np.zeros(problem.span_s.shape) if nothing is None else nothing
    source = problem.source
    return Measure(sends[0, source], nothing, nothing, sends[1:], result, coded[:, 0, source], coded[:, 1:])
