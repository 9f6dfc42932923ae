"""Weighted sums of measures as objectives: ``latency + 0.5 s/J * energy``.

The first term says in what the sum is: the weight of a measure of another quantity has the unit that turns one into the
other, such as seconds for a joule. A plus between names of places needs space around it, as a name may hold one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from tiercut.errors import unknown_name
from tiercut.optimizer.measures.kind import STILL, MeasureKind, Scope
from tiercut.optimizer.measures.places import PLAN
from tiercut.optimizer.measures.registry import KINDS
from tiercut.units import UNITS

if TYPE_CHECKING:
    from tiercut.optimizer.measures.quantity import Quantity
    from tiercut.optimizer.measures.tables import Measure

__all__ = ["Term", "is_sum", "kind_of_sum", "parts_of", "sum_fault", "terms_of"]

_EXAMPLE = "latency + 0.5 s/J * energy"
_WEIGHT = re.compile(r"((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*(\S*)")


class Term(NamedTuple):
    """A measure of a sum, and what it is multiplied by in inner units."""

    weight: float
    name: str


def is_sum(name: str) -> bool:
    """Return whether a name is written as a weighted sum, and is no measure of a place whose name looks like one."""
    head, colon, place = name.partition(":")
    if colon and head.strip() in KINDS:
        return " + " in place or " * " in place
    return "+" in name or "*" in name


@lru_cache(maxsize=64)
def terms_of(name: str) -> tuple[Term, ...]:
    """Return the terms of a weighted sum.

    Raises
    ------
    ValueError
        If it is none; the message says what was expected.
    """
    parts = re.split(r"\s\+\s" if ":" in name else r"\+", name)
    read = [_read(part.strip(), name) for part in parts]
    first = KINDS[_head(read[0][2])].quantity
    return tuple(Term(_weight(number, unit, measure, first, name), measure) for number, unit, measure in read)


def parts_of(name: str) -> tuple[str, ...]:
    """Return the measures that a weighted sum adds up; none where a name is no sum."""
    return tuple(term.name for term in terms_of(name)) if is_sum(name) else ()


def sum_fault(name: str) -> str:
    """Return why a weighted sum cannot be minimised; empty where it can."""
    try:
        terms_of(name)
    except ValueError as error:
        return str(error)
    return ""


def _read(part: str, name: str) -> tuple[float, str, str]:
    """Return number, unit and measure of a term."""
    left, star, right = (each.strip() for each in part.partition("*"))
    weight, measure = (left, right) if star else ("1", left)
    if star and _head(left) in KINDS:
        weight, measure = right, left
    found = _WEIGHT.fullmatch(weight)
    if found is None or not 0 < float(found[1]) < inf:
        raise ValueError(f"'{name}': expected a weight greater than 0, as in '{_EXAMPLE}', got '{weight}'")
    head, colon, place = measure.partition(":")
    head = head.strip()
    if head == "accuracy":
        raise ValueError(f"'{name}': accuracy is no cost to be added up; bound it (min_accuracy), or trade a frontier")
    if head not in KINDS:
        raise ValueError(f"'{name}': {unknown_name('measure', head, KINDS)}")
    kind = KINDS[head]
    if kind.ratio_of or kind.tail is not None or kind.whole or kind.peak:
        raise ValueError(f"'{name}': {head} does not add up with other measures, as it is no mean over the samples")
    if wrong := kind.places.fault(head, place.strip() if colon else None):
        raise ValueError(f"'{name}': {wrong}")
    return float(found[1]), found[2], measure


def _head(measure: str) -> str:
    return measure.partition(":")[0].strip()


def _weight(number: float, unit: str, measure: str, first: Quantity, name: str) -> float:
    """Return the weight of a measure in inner units."""
    own = KINDS[_head(measure)].quantity
    if not unit and own is first:
        return number
    over, _, under = unit.partition("/")
    units = [UNITS.get(each.name, {"": 1.0, "1": 1.0}) for each in (first, own)]
    if not unit or over not in units[0] or under not in units[1]:
        inner = (next(unit for unit, factor in each.items() if factor == 1.0) or "1" for each in units)
        wanted = "/".join(inner).removesuffix("/1")
        raise ValueError(
            f"'{name}': a weight of {_head(measure)} in a sum that is {first.name} has the unit {wanted}, as in "
            f"'0.5 {wanted} * {measure}'"
        )
    return number * units[0][over] / units[1][under]


def kind_of_sum(name: str) -> MeasureKind:
    """Return the description of a weighted sum, as `tiercut.optimizer.measures.registry.kind_of` does of a measure."""
    quantity = KINDS[_head(terms_of(name)[0].name)].quantity

    def tables(scope: Scope) -> Measure:
        from tiercut.optimizer.measures.tables import measure, plus, scaled

        (weight, first), *rest = terms_of(name)
        total = scaled(measure(scope.problem, first, scope.rate_fps), weight)
        for term in rest:
            total = plus(total, measure(scope.problem, term.name, scope.rate_fps), term.weight)
        return total

    return MeasureKind(
        name="weighted",
        about="a weighted sum of measures",
        example="",
        quantity=quantity,
        places=PLAN,
        tables=tables,
        moved_by=STILL,
        axis=name,
    )
