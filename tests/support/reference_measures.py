"""Measures of the second scorer beside the whole plan's own, and what no plan beats in several of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from support.reference import Reference, Score, goal


def crossed(reference: Reference, score: Score) -> dict[tuple[str, str], float]:
    """Return the expected bytes over every direction of a link, on whatever route they take."""
    first = score.parts[0].node
    size = reference.coded(score.choice.input_codec, 0, reference.source, first)[0]
    sent = [(reference.source, first, size, 1.0)]
    for part in score.parts:
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


def value(reference: Reference, score: Score, name: str) -> float:
    """Return what a score has of a measure, accuracy with its sign turned."""
    head, _, place = name.partition(":")
    if head in ("latency", "accuracy", "bytes", "energy", "cost"):
        return goal(score, head)
    there = [part for part in score.parts if place in (part.node, reference.tier[part.node])]
    if head == "compute":
        return sum(part.reach * part.compute_s for part in there)
    if head == "blocks":
        return sum(part.blocks[1] - part.blocks[0] + 1 for part in there)
    total = crossed(reference, score)
    if head == "out":
        return sum(size for (a, _), size in total.items() if a == place)
    a, _, b = place.partition(">")
    return total[a, b]


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
