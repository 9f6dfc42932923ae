"""Measures of the second scorer beside the whole plan's own, and what no plan beats in several of them."""

from __future__ import annotations

from collections.abc import Sequence

from support.reference import Reference, Score, goal


def crossed(reference: Reference, score: Score) -> dict[tuple[str, str], float]:
    """Return the expected bytes over every direction of a link, on whatever route they take."""
    return reference.crossed(score.parts)


def utilisations(reference: Reference, score: Score, rate: float) -> dict[str, float]:
    """Return the share of the time that every node and every direction of a link is busy at so many frames a second."""
    seconds, over = reference.busy(score.choice, score.parts), crossed(reference, score)
    found = {node: rate * seconds[node] / reference.workers[node] for node in reference.nodes}
    for a, b in over:
        ways = [(a, b), (b, a)] if (a, b) in reference.shared else [(a, b)]
        found[f"{a}>{b}"] = sum(rate * over[way] / reference.hops[way][1] for way in ways)
    return found


def value(reference: Reference, score: Score, name: str) -> float:
    """Return what a score has of a measure, accuracy with its sign turned."""
    head, _, place = name.partition(":")
    if head == "energy" and place:
        drawn = reference.joules(score.parts, score.latency)
        return sum(joules for node, joules in drawn.items() if place in (node, reference.tier[node]))
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
