"""Relaxations of a question: one of its bounds loosened or gone, or one of its rules for the placement gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from tiercut.optimizer import Bound, Query

__all__ = ["NO_RULES", "SHARE", "Relaxation", "Rule", "relaxations", "rules_of"]

SHARE = 0.1
"""By how much of its value a bound is loosened."""

_ALONE: Mapping[str, Any] = MappingProxyType(
    {"use_all_tiers": False, "fewest_partitions": None, "most_partitions": None, "keep_first": 0, "order": "any"}
)
"""Rules of which a question has one, and what stands for none; the order of a topology is no rule of the question."""

NO_RULES: Mapping[str, Any] = MappingProxyType(
    {"include": (), "exclude": (), "pins": (), "ignore_memory": True, **_ALONE}
)
"""Every key of a question that is a rule for the placement, and what stands for none."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule for the placement.

    Parameters
    ----------
    name
        For people, such as ``block 7 on edge``.
    written
        As a question has it, such as ``pin 7=edge``; the fewest and the most partitions are written as one.
    lifted
        The keys of a question without it.
    """

    name: str
    written: str
    lifted: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Relaxation:
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


def relaxations(query: Query, *, memory: bool = False) -> Iterator[Relaxation]:
    """Yield every bound of a question 10 % easier and left out, then every rule for the placement left out.

    Parameters
    ----------
    query
        The question.
    memory
        Whether the memory of nodes limits something (see `tiercut.optimizer.memory.limits_memory`).
    """
    if (least := query.min_accuracy) is not None:
        easy = least * (1 - SHARE)
        eased = replace(query, min_accuracy=easy), replace(query, min_accuracy=None)
        yield Relaxation("accuracy", "at least", least, easy, *eased)
    if (most := query.max_latency_s) is not None:
        easy = most * (1 + SHARE)
        eased = replace(query, max_latency_s=easy), replace(query, max_latency_s=None)
        yield Relaxation("latency", "at most", most, easy, *eased)
    for place, bound in enumerate(query.bounds):
        yield from _of_bound(query, place, bound)
    if (busiest := query.max_utilisation) is not None:
        easy = busiest * (1 + SHARE)
        eased = replace(query, max_utilisation=easy), replace(query, max_utilisation=None)
        yield Relaxation("utilisation", "at most", busiest, easy, *eased)
    for rule in rules_of(query, memory=memory):
        yield Relaxation(rule.name, "", None, None, None, replace(query, **rule.lifted))


def _of_bound(query: Query, place: int, bound: Bound) -> Iterator[Relaxation]:
    most, least = bound.at_most, bound.at_least
    easy = bound.loosened(SHARE)
    if most is not None:
        rest = None if least is None else replace(bound, at_most=None)
        eased = _with(query, place, replace(bound, at_most=easy.at_most)), _with(query, place, rest)
        yield Relaxation(bound.title, "at most", most, easy.at_most, *eased)
    if least is not None:
        rest = None if most is None else replace(bound, at_least=None)
        eased = _with(query, place, replace(bound, at_least=easy.at_least)), _with(query, place, rest)
        yield Relaxation(bound.title, "at least", least, easy.at_least, *eased)


def _with(query: Query, place: int, bound: Bound | None) -> Query:
    rest = () if bound is None else (bound,)
    return replace(query, bounds=(*query.bounds[:place], *rest, *query.bounds[place + 1 :]))


def rules_of(query: Query, *, memory: bool = False) -> Iterator[Rule]:
    """Yield every rule for the placement that a question has; `memory` as in `relaxations`."""
    for key in ("include", "exclude"):
        for name in getattr(query, key):
            rest = tuple(each for each in getattr(query, key) if each != name)
            yield Rule(f"{key} {name}", f"{key} {name}", {key: rest})
    for pin in query.pins:
        rest = tuple(each for each in query.pins if each != pin)
        yield Rule(f"block {pin[0]} on {pin[1]}", f"pin {pin[0]}={pin[1]}", {"pins": rest})
    for key, nothing in _ALONE.items():
        if (value := getattr(query, key)) not in (None, nothing):
            suffix = "" if value is True else f" {value}"
            written = f"partitions {_range(query)}" if key.endswith("partitions") else key + suffix
            yield Rule(key.replace("_", " ") + suffix, written, {key: nothing})
    if memory and not query.ignore_memory:
        yield Rule("memory of nodes", "the memory of nodes", {"ignore_memory": True})


def _range(query: Query) -> str:
    few, many = query.fewest_partitions or 1, query.most_partitions
    return f"{few}" if few == many else f"{few} or more" if many is None else f"{few}-{many}"
