"""How a measure is named in a question, such as ``latency``, ``compute:edge`` or ``link:a>b``, and what a name says.

``bytes:a>b`` counts what partitions on a (a node or a tier) send to partitions on b, whatever lies between; the input
counts from the source. A link is ``a>b`` for one direction, ``a-b`` for both together. The measures themselves are in
`tiercut.optimizer.measures.kinds`, one in each file.
"""

from __future__ import annotations

from tiercut.errors import unknown_name
from tiercut.optimizer.measures.kind import MeasureKind
from tiercut.optimizer.measures.registry import KINDS, kind_of
from tiercut.optimizer.measures.weighted import is_sum, sum_fault

__all__ = [
    "counts_whole",
    "format_amount",
    "goal_fault",
    "is_peak",
    "is_tail",
    "objectives",
    "place_fault",
    "plain_amount",
    "split_name",
]


def split_name(name: str) -> tuple[str, str | None]:
    """Return measure and place of a name such as ``compute:edge``; no place: None. A sum has none."""
    if is_sum(name):
        return name.strip(), None
    head, colon, place = name.partition(":")
    return head.strip(), place.strip() if colon else None


def place_fault(measure: str, place: str | None) -> str:
    """Return what is wrong with the place of a measure; empty where nothing is."""
    return kind_of(measure).places.fault(measure, place)


def goal_fault(name: str) -> str:
    """Return why a name is nothing that can be minimised, or maximised for accuracy; empty where it is."""
    measure, place = split_name(name)
    if name == "accuracy":
        return ""
    if is_sum(name):
        return sum_fault(name)
    if measure not in KINDS:
        return unknown_name("objective", measure, (*(each.name for each in _goals()), "accuracy"))
    if ratio_of := KINDS[measure].ratio_of:
        return (
            f"'{name}' is a ratio of two sums, which can be bounded but not minimised; "
            f"{ratio_of}:{place or 'PLACE'} is the {KINDS[ratio_of].quantity.name} itself"
        )
    return place_fault(measure, place)


def _goals() -> tuple[MeasureKind, ...]:
    return tuple(kind for kind in KINDS.values() if not kind.ratio_of)


def objectives() -> tuple[str, ...]:
    """Return what can be minimised, each as it is written with its place."""
    return tuple(kind.forms[0] for kind in _goals())


def is_tail(name: str) -> bool:
    """Return whether a name, which may also be ``accuracy``, is a quantile of the latency."""
    kind = KINDS.get(split_name(name)[0])
    return kind is not None and kind.tail is not None


def is_peak(name: str) -> bool:
    """Return whether a name, which may also be ``accuracy``, is the greatest of several sums, as a rate is."""
    kind = KINDS.get(split_name(name)[0])
    return kind is not None and kind.peak


def counts_whole(name: str) -> bool:
    """Return whether pieces count whole in what is named, which may also be ``accuracy``."""
    kind = KINDS.get(split_name(name)[0])
    return kind is not None and kind.whole


def format_amount(value: float, name: str) -> str:
    """Return a value of a measure, whatever its place, as people read it, and as a bound on it is read back."""
    return kind_of(name).quantity.show(value)


def plain_amount(value: float, name: str) -> float | None:
    """Return a value of a measure, or of ``accuracy``, as data hold it; None where it is without limit."""
    return value if name == "accuracy" else kind_of(name).quantity.plain(value)
