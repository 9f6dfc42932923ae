"""A question with one of its bounds loosened, or one of its rules gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tiercut.optimizer.query import Bound, Query

__all__ = ["SHARE", "Easing", "easings"]

SHARE = 0.1
"""By how much of its value a bound is loosened."""

_RULES: dict[str, Any] = {
    "use_all_tiers": False,
    "fewest_partitions": None,
    "most_partitions": None,
    "keep_first": 0,
    "order": "any",
}
"""Rules of a question, and what stands for none."""


@dataclass(frozen=True, slots=True)
class Easing:
    """One bound or rule of a question, and the question made easier.

    Parameters
    ----------
    name
        What a person calls it.
    sense
        ``at least`` or ``at most``; empty for a rule.
    asked, loosened
        Its value, and the easier one; None for a rule.
    easier
        The question with the easier value; None for a rule.
    without
        The question without it.
    """

    name: str
    sense: str
    asked: float | None
    loosened: float | None
    easier: Query | None
    without: Query


def easings(query: Query) -> Iterator[Easing]:
    """Yield every bound of a question 10 % easier and gone, then every rule for the placement gone."""
    if (least := query.min_accuracy) is not None:
        easy = least * (1 - SHARE)
        made = replace(query, min_accuracy=easy), replace(query, min_accuracy=None)
        yield Easing("accuracy", "at least", least, easy, *made)
    if (most := query.max_latency_s) is not None:
        easy = most * (1 + SHARE)
        made = replace(query, max_latency_s=easy), replace(query, max_latency_s=None)
        yield Easing("latency", "at most", most, easy, *made)
    for place, bound in enumerate(query.bounds):
        yield from _bound(query, place, bound)
    yield from _rules(query)


def _bound(query: Query, place: int, bound: Bound) -> Iterator[Easing]:
    if (most := bound.at_most) is not None:
        easy = most * (1 + SHARE)
        if bound.measure == "share" or bound.relative:
            easy = min(easy, 1.0)
        rest = None if bound.at_least is None else replace(bound, at_most=None)
        made = _with(query, place, replace(bound, at_most=easy)), _with(query, place, rest)
        yield Easing(bound.name, "at most", most, easy, *made)
    if (least := bound.at_least) is not None:
        easy = least * (1 - SHARE)
        rest = None if bound.at_most is None else replace(bound, at_least=None)
        made = _with(query, place, replace(bound, at_least=easy)), _with(query, place, rest)
        yield Easing(bound.name, "at least", least, easy, *made)


def _with(query: Query, place: int, bound: Bound | None) -> Query:
    rest = () if bound is None else (bound,)
    return replace(query, bounds=(*query.bounds[:place], *rest, *query.bounds[place + 1 :]))


def _rules(query: Query) -> Iterator[Easing]:
    for name in query.include:
        yield _rule(f"include {name}", query, include=tuple(each for each in query.include if each != name))
    for name in query.exclude:
        yield _rule(f"exclude {name}", query, exclude=tuple(each for each in query.exclude if each != name))
    for pin in query.pins:
        yield _rule(f"block {pin[0]} on {pin[1]}", query, pins=tuple(each for each in query.pins if each != pin))
    for key, nothing in _RULES.items():
        if (value := getattr(query, key)) != nothing:
            said = key.replace("_", " ")
            yield _rule(said if value is True else f"{said} {value}", query, **{key: nothing})


def _rule(name: str, query: Query, **gone: Any) -> Easing:
    return Easing(name, "", None, None, None, replace(query, **gone))
