"""Measures of the second scorer beside the whole plan's own, and what no plan beats in several of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from support.reference import Choice, Part, Reference, Score, goal, number_of

Way = tuple[str, str]


def directions(reference: Reference) -> Iterator[tuple[dict[str, Any], Way]]:
    """Yield every direction that has a link, with what the topology says of the link."""
    for link in reference.topology["links"]:
        first, second = link.get("between") or [link["from"], link["to"]]
        yield link, (first, second)
        if "between" in link:
            yield link, (second, first)


def crossed(reference: Reference, parts: Sequence[Part]) -> dict[Way, float]:
    """Return the expected bytes over every direction of a link, on whatever route they take."""
    sent = [(reference.source, parts[0].node, parts[0].input_bytes, 1.0)]
    for part in parts:
        if part.send_to is not None:
            sent.append((part.node, part.send_to, part.send_bytes, part.reach - part.exit_rate))
        if reference.destination != "anywhere":
            sent.append((part.node, reference.destination, reference.profile.get("result_bytes", 0), part.exit_rate))
    total = dict.fromkeys(reference.hops, 0.0)
    for sender, receiver, size, share in sent:
        way = reference.way(sender, receiver, size)
        for pair in pairwise(way[0] if way is not None else ()):
            total[pair] += share * size
    return total


def joules(reference: Reference, parts: Sequence[Part], latency: float) -> dict[str, float]:
    """Return what each node draws: while it computes, while it waits for the rest of a sample, and for sending."""
    waiting = {node["name"]: number_of(node.get("idle_power", "0 W")) for node in reference.topology["nodes"]}
    radio = {ends: number_of(link.get("energy", "0 J/B")) for link, ends in directions(reference)}
    over, drawn = crossed(reference, parts), {}
    for node in reference.nodes:
        here = [part for part in parts if part.node == node]
        busy = sum(part.reach * part.compute_s for part in here)
        computing = busy * reference.watts[node] if here else 0.0
        sending = sum(size * radio[ends] for ends, size in over.items() if ends[0] == node)
        drawn[node] = computing + waiting[node] * (latency - busy) + sending
    return drawn


def dollars(reference: Reference, parts: Sequence[Part]) -> float | None:
    """Return what computing and sending cost; None where a node says no price."""
    if len(reference.prices) < len(reference.nodes):
        return None
    total = reference.way_dollars(reference.source, parts[0].node, parts[0].input_bytes)
    for part in parts:
        total += part.reach * part.compute_s * reference.prices[part.node]
        if part.send_to is not None:
            onward = part.reach - part.exit_rate
            total += onward * reference.way_dollars(part.node, part.send_to, part.send_bytes)
        if reference.destination != "anywhere":
            result_bytes = reference.profile.get("result_bytes", 0)
            total += part.exit_rate * reference.way_dollars(part.node, reference.destination, result_bytes)
    return total


def busy_seconds(reference: Reference, choice: Choice, parts: Sequence[Part]) -> dict[str, float]:
    """Return the expected seconds in which each node computes, encodes what it sends or decodes what it gets."""
    total = dict.fromkeys(reference.nodes, 0.0)
    source, first = reference.source, parts[0].node
    if first != source:
        for node, key in ((source, "encode_s"), (first, "decode_s")):
            total[node] += _coding(reference, choice.input_codec, node, key, 0)
    for k, part in enumerate(parts):
        total[part.node] += part.reach * part.compute_s
        if part.send_to is None:
            continue
        onward, codec, block = part.reach - part.exit_rate, choice.codec(k), part.blocks[1]
        for node, key in ((part.node, "encode_s"), (part.send_to, "decode_s")):
            total[node] += onward * _coding(reference, codec, node, key, block)
    return total


def _coding(reference: Reference, codec: str | None, node: str, key: str, block: int) -> float:
    """Return the seconds in which a node encodes or decodes a block's output (the input: 0)."""
    if codec is None:
        return reference.coding(node, key, block)
    record = reference.profile["codecs"][codec][key][reference.device_name[node]]
    seconds: float = record[block] * reference.slowdown[node]
    return seconds


def utilisations(reference: Reference, score: Score, rate: float) -> dict[str, float]:
    """Return the share of the time that every node and every direction of a link is busy at so many frames a second."""
    seconds = busy_seconds(reference, score.choice, score.parts)
    workers = {node["name"]: node.get("workers", 1) for node in reference.topology["nodes"]}
    half = {ends for link, ends in directions(reference) if link.get("duplex") == "half"}
    over = crossed(reference, score.parts)
    found = {node: rate * seconds[node] / workers[node] for node in reference.nodes}
    for a, b in over:
        ways = [(a, b), (b, a)] if {(a, b), (b, a)} <= half else [(a, b)]
        found[f"{a}>{b}"] = sum(rate * over[way] / reference.hops[way][1] for way in ways)
    return found


def value(reference: Reference, score: Score, name: str) -> float:
    """Return what a score has of a measure, accuracy with its sign turned."""
    head, _, place = name.partition(":")
    if head == "energy" and place:
        drawn = joules(reference, score.parts, score.latency)
        return sum(own for node, own in drawn.items() if place in (node, reference.tier[node]))
    if head in ("latency", "accuracy", "bytes", "energy", "cost"):
        return goal(score, head)
    if head == "rate":
        return max(utilisations(reference, score, 1.0).values())
    there = [part for part in score.parts if place in (part.node, reference.tier[part.node])]
    if head == "compute":
        return sum(part.reach * part.compute_s for part in there)
    if head == "blocks":
        return sum(part.blocks[1] - part.blocks[0] + 1 for part in there)
    total = crossed(reference, score.parts)
    here, _, there_to = place.partition(">")
    return sum(size for (a, b), size in total.items() if a == here and there_to in (b, ""))


def over(reference: Reference, scores: list[Score], names: Sequence[str]) -> list[Score]:
    """Return the scores that none beats in some measures, equals once, by the first measure, then the next."""
    points = {score.choice: tuple(value(reference, score, name) for name in names) for score in scores}
    ordered = sorted(scores, key=lambda score: (*points[score.choice], *reference.tie_key(score)))
    kept: list[Score] = []
    for score in ordered:
        mine = points[score.choice]
        others = (points[each.choice] for each in kept)
        if not any(all(o <= m for o, m in zip(other, mine, strict=True)) for other in others):
            kept.append(score)
    return kept
