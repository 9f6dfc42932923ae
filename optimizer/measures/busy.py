"""Whether nodes and links keep up with the rate at which frames arrive (formulation: rate)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from tiercut.optimizer.itinerary import itinerary
from tiercut.optimizer.measures.local import busy_seconds, crossing, is_link, place_of, shared_hops_of
from tiercut.optimizer.measures.tables import plus
from tiercut.optimizer.query import Bound

if TYPE_CHECKING:
    from tiercut.optimizer.itinerary import Step
    from tiercut.optimizer.measures.tables import Measure
    from tiercut.optimizer.plan import Decision
    from tiercut.optimizer.problem import Floats, Problem
    from tiercut.optimizer.query import Query
    from tiercut.optimizer.space import Space

__all__ = ["busy_by_place", "busy_tables", "occupancy", "rate_bounds", "servers", "servers_of"]

_MEASURE = "utilisation"
_CROSSING = ("first", "send", "result", "codec_first", "codec_send")


def servers(problem: Problem) -> Iterator[str]:
    """Yield the place of everything that frames keep busy: nodes, directions of links, both of half duplex as one."""
    yield from problem.nodes
    hops = {} if problem.network is None else problem.network.hops
    for (sender, receiver), hop in hops.items():
        other = hops.get((receiver, sender))
        if (
            hop.half
            and other is not None
            and other.half
            and problem.nodes.index(receiver) < problem.nodes.index(sender)
        ):
            continue
        yield f"{sender}>{receiver}"


def busy_tables(problem: Problem) -> Iterator[Measure]:
    """Yield the seconds for which a frame keeps each place of `servers` busy, but for links that nothing crosses."""
    for node in range(problem.node_count):
        weights = np.zeros(problem.node_count)
        weights[node] = 1.0 / float(problem.workers[node])
        yield busy_seconds(problem, weights)
    nothing = np.zeros(problem.span_s.shape)
    for place in tuple(servers(problem))[problem.node_count :]:
        hops = shared_hops_of(problem, place)
        crossed = crossing(problem, {(hop.sender, hop.receiver): 1.0 / hop.bandwidth for hop in hops}, nothing)
        if any(getattr(crossed, name).any() for name in _CROSSING):
            yield crossed


def busy_by_place(problem: Problem, decision: Decision) -> dict[str, float]:
    """Return for how many seconds a frame keeps each place of `servers` busy, by what it passes through on a plan."""
    path = itinerary(problem, decision)
    busy = dict.fromkeys(servers(problem), 0.0)
    for step in path.steps:
        if step.sort == "compute":
            assert step.node is not None
            busy[step.node] += step.reach * step.seconds / float(problem.workers[problem.nodes.index(step.node)])
            continue
        for hop in path.hops(step):
            ways = f"{hop.sender}>{hop.receiver}", f"{hop.receiver}>{hop.sender}"
            busy[next(way for way in ways if way in busy)] += step.reach * step.size / hop.bandwidth
        if step.sort != "result" and step.node != step.to:
            for name, seconds in zip((step.node, step.to), _coding(problem, step), strict=True):
                assert name is not None
                busy[name] += step.reach * seconds / float(problem.workers[problem.nodes.index(name)])
    return busy


def occupancy(problem: Problem, weights: Mapping[str, float]) -> Measure:
    """Return for how long a frame keeps places of `servers` busy, in seconds times a weight of each (default 0)."""
    nodes = np.array([weights.get(name, 0.0) for name in problem.nodes])
    total = busy_seconds(problem, nodes / problem.workers)
    over = {}
    for place in weights.keys() - set(problem.nodes):
        for hop in shared_hops_of(problem, place):
            over[hop.sender, hop.receiver] = weights[place] / hop.bandwidth
    return plus(total, crossing(problem, over)) if over else total


def servers_of(problem: Problem, place: str) -> tuple[str, ...]:
    """Return the places of `servers` that make up a node, a tier, a link ``a-b`` or one direction of it, ``a>b``.

    Raises
    ------
    QuestionError
        If there is no such place.
    """
    if not is_link(problem, place):
        mask = place_of(problem, place)
        return tuple(name for name, there in zip(problem.nodes, mask, strict=True) if there)
    ways = {f"{hop.sender}>{hop.receiver}" for hop in shared_hops_of(problem, place)}
    return tuple(name for name in servers(problem) if name in ways)


def _coding(problem: Problem, step: Step) -> tuple[float, float]:
    """Return the seconds of the sender to encode what crosses in a step, and of the receiver to decode it."""
    assert step.node is not None
    assert step.to is not None
    ends = problem.nodes.index(step.node), problem.nodes.index(step.to)
    tables = problem.encode_s, problem.decode_s
    if step.codec is not None:
        codec = problem.codecs.index(step.codec)
        tables = problem.codec_encode_s[codec], problem.codec_decode_s[codec]
    return float(tables[0][step.last, ends[0]]), float(tables[1][step.last, ends[1]])


def rate_bounds(space: Space, query: Query) -> tuple[Bound, ...]:
    """Return the bounds on utilisation that the rate of a question sets, but for those that nothing could exceed.

    A place whose utilisation the question bounds itself keeps that bound alone.
    """
    if query.max_utilisation is None or query.rate_fps is None:
        return ()
    own = {bound.place for bound in query.bounds if bound.measure == _MEASURE and bound.at_most is not None}
    most = dict(_most(space))
    return tuple(
        Bound(_MEASURE, place, at_most=query.max_utilisation)
        for place in servers(space.problem)
        if place not in own and query.rate_fps * most[place] > query.max_utilisation
    )


def _most(space: Space) -> Iterator[tuple[str, float]]:
    """Yield every place with the seconds that a frame could keep it busy at most, by whatever plan."""
    problem = space.problem
    coding = _greatest(problem.encode_s, problem.codec_encode_s) + _greatest(problem.decode_s, problem.codec_decode_s)
    for node, name in enumerate(problem.nodes):
        computing = _longest(np.maximum(problem.span_s[node], problem.bare_s[node]), inside=space.inside)
        # The source may encode the input beside what it sends of its own.
        yield name, (computing + 2 * float(coding[node])) / float(problem.workers[node])
    if problem.network is None:
        return
    sizes = np.concatenate([problem.payload_bytes[None], problem.codec_bytes]).max(axis=0)
    # A payload crosses a link once: the input, what leaves each cut, and the result.
    total = float(sizes[0] + (space.most - 1) * sizes[1:].max(initial=0.0) + problem.result_bytes)
    for (sender, receiver), hop in problem.network.hops.items():
        slowest = min(hop.bandwidth, problem.network.hops.get((receiver, sender), hop).bandwidth)
        yield f"{sender}>{receiver}", total / (slowest if hop.half else hop.bandwidth)


def _greatest(plain: Floats, codecs: Floats) -> Floats:
    """Return M: the most seconds that coding takes, at any cut and by any codec."""
    most: Floats = np.concatenate([plain[None], codecs]).max(axis=(0, 1))
    return most


def _longest(pieces: Floats, *, inside: bool) -> float:
    """Return the most seconds that a partition may take: one piece, or several where exits stand inside."""
    if not inside:
        return float(np.triu(pieces).max())
    best = np.zeros(len(pieces) + 1)
    for end in range(len(pieces)):
        best[end + 1] = (best[: end + 1] + pieces[: end + 1, end]).max()
    return float(best.max())
