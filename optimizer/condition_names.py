"""Conditions by name, as grids, files and ``--condition`` write them: ``bandwidth(edge-cloud)``, ``cpu(edge)``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple, TypeGuard

from tiercut import units
from tiercut.errors import QuestionError, unknown_name

__all__ = ["DOWN", "STRESS", "ConditionName", "by_kind", "conditions_flag", "level_of", "name_of"]

DOWN = "down"
STRESS = ("cpu", "memory")
"""Loads of a node, as shares of its processors and of its memory."""

_AMOUNTS = {"bandwidth": "bandwidth", "latency": "time"}
_KINDS = (*_AMOUNTS, "slowdown", *STRESS, DOWN)
_NAME = re.compile(r"\s*(\w+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_WRITTEN = (
    "a condition is written bandwidth(a-b), latency(a>b), slowdown(NODE), cpu(NODE), memory(NODE) or down(NODE or a-b)"
)


class ConditionName(NamedTuple):
    """What changes: a kind, and the link or node that it is of; ``down`` alone has no place."""

    kind: str
    place: str

    def __str__(self) -> str:
        return f"{self.kind}({self.place})" if self.place else self.kind


def name_of(text: str) -> ConditionName:
    """Return what a name such as ``cpu(edge)`` means.

    Raises
    ------
    ValueError
        If it is no such name.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        raise ValueError(f"{_WRITTEN}, not '{text}'")
    kind, place = match[1], (match[2] or "").strip()
    if kind not in _KINDS:
        raise ValueError(unknown_name("condition", kind, _KINDS))
    if not place and kind != DOWN:
        raise ValueError(f"{_WRITTEN}, not '{text}'")
    return ConditionName(kind, place)


def _is_number(value: Any) -> TypeGuard[Real]:
    return isinstance(value, Real) and not isinstance(value, bool)


def level_of(kind: str, value: object) -> float:
    """Return a level in the inner unit: bytes per second, seconds, a factor, or a share.

    Raises
    ------
    ValueError
        If it is no such level; the message says what was expected.
    """
    number = float(value) if _is_number(value) else None
    if kind in _AMOUNTS:
        positive = kind == "bandwidth"
        if number is None:
            return units.parse(value, _AMOUNTS[kind], positive=positive)
        if not math.isfinite(number) or number < 0 or (positive and not number):
            least = "greater than 0" if positive else "0 or more"
            raise ValueError(f"a {_AMOUNTS[kind]} must be finite and {least}, got {number}")
        return number
    if kind == "slowdown":
        try:
            factor = float(value) if isinstance(value, str) else number
        except ValueError:
            factor = None
        if factor is None or not 0 < factor < math.inf:
            raise ValueError(f"a slowdown is a factor greater than 0, such as 2.5, got {value!r}")
        return factor
    share = units.parse(value, "share") if isinstance(value, str) else number
    if share is None or not 0 <= share <= 1:
        raise ValueError(f"a load is a share from 0 % to 100 %, got {value!r}")
    return share


def conditions_flag(flag: str, texts: Sequence[str]) -> dict[str, Any]:
    """Return the mapping that repeated NAME(PLACE)=VALUE and down(NODE or LINK) write."""
    named: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.rpartition("=") if "=" in text.rpartition(")")[2] else (text, "", "")
        try:
            kind, place = name_of(name)
        except ValueError as error:
            raise QuestionError(f"{flag}: {error}") from None
        if kind == DOWN:
            if not place or value:
                raise QuestionError(f"{flag} is written down(NODE) or down(a-b), not '{text}'")
            named[DOWN] = [*named.get(DOWN, ()), place]
        elif not value.strip():
            raise QuestionError(f"{flag} is written {kind}({place})=VALUE, not '{text}'")
        else:
            named[f"{kind}({place})"] = value.strip()
    return named


def by_kind(named: Mapping[str, Any], called: str) -> dict[str, dict[str, Any]]:
    """Return values by kind and place; of ``down``, the nodes that it lists.

    Raises
    ------
    QuestionError
        If a name is no condition; it names what the caller calls them.
    """
    found: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS}
    for text, value in named.items():
        try:
            kind, place = name_of(text)
            if kind != DOWN:
                found[kind][place] = level_of(kind, value)
                continue
        except ValueError as error:
            raise QuestionError(f"{called} {text}: {error}") from None
        names = [place] if place else [value] if isinstance(value, str) else list(value or ())
        found[DOWN] |= dict.fromkeys(names)
    return found
