"""Bounds as people write them: ``bytes:edge>cloud<=1 MB``, and the value of one by what it bounds."""

from __future__ import annotations

import re
from math import ceil, floor, isfinite, log10
from types import MappingProxyType
from typing import NamedTuple

from tiercut import units
from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.measures.names import KINDS, place_fault
from tiercut.optimizer.query import SLACK, Bound

__all__ = ["Limit", "bound_of", "limit_of", "nearest_limit", "shown"]

_EXAMPLES = MappingProxyType({"share": "0.3 or '30 %'", "number": "0.8", "count": "12 or '50 %' of all"})
_TEXT = re.compile(r"\s*([^:<>=]+?)\s*(?::\s*(.+?))?\s*(<=|>=)\s*([^<>=]*?)\s*")


class Limit(NamedTuple):
    """A greatest or least value in the inner unit; `relative`: blocks as a share of all."""

    value: float
    relative: bool = False


def limit_of(measure: str, given: object) -> Limit:
    """Return the value that a person wrote for a bound on a measure.

    Parameters
    ----------
    measure
        One of `KINDS`.
    given
        Text with a unit, such as ``"1 MB"``; for shares, utilisation and blocks also a number.

    Raises
    ------
    ValueError
        If it is no value of that measure; the message says what was expected.
    """
    kind = KINDS[measure]
    if kind not in _EXAMPLES:
        return Limit(units.parse(given, kind))
    wanted = f"expected a number such as {_EXAMPLES[kind]}, got {given!r}"
    if isinstance(given, str) and given.rstrip().endswith("%") and kind != "number":
        share = units.parse(given, "share")
        if share > 1:
            raise ValueError(f"a share is at most 100 %, got '{given}'")
        return Limit(share, kind == "count")
    try:
        number = float(given) if isinstance(given, str | int | float) and not isinstance(given, bool) else -1.0
    except ValueError:
        raise ValueError(wanted) from None
    if not (isfinite(number) and number >= 0) or (kind == "count" and number % 1):
        raise ValueError(wanted)
    if kind == "share" and number > 1:
        raise ValueError(f"a share is between 0 and 1, got {given!r}; did you mean '{number:g} %'?")
    return Limit(number)


def bound_of(text: str) -> Bound:
    """Return the bound that a text such as ``bytes:edge>cloud<=1 MB`` or ``share:edge>=30 %`` says.

    Raises
    ------
    QuestionError
        If it says none; the message says what was expected.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise QuestionError(f"a bound is written as 'bytes:edge>cloud<=1 MB' or 'share:edge>=30 %', not '{text}'")
    measure, place, sign, value = found.groups()
    if measure not in KINDS:
        raise QuestionError(unknown_name("measure to bound", measure, KINDS))
    if wrong := place_fault(measure, place):
        raise QuestionError(f"'{text}': {wrong}")
    try:
        limit = limit_of(measure, value)
    except ValueError as error:
        raise QuestionError(f"'{text}': {error}") from None
    side = {"at_most" if sign == "<=" else "at_least": limit.value}
    return Bound(measure, place, **side, relative=limit.relative)


def shown(bound: Bound) -> str:
    """Return a bound with one value as `bound_of` reads it, such as ``share:edge >= 30 %``."""
    sign, value = ("<=", bound.at_most) if bound.at_most is not None else (">=", bound.at_least or 0.0)
    return f"{bound.name} {sign} {_written(bound, value)}"


def _written(bound: Bound, value: float) -> str:
    return units.format_amount(value, "share" if bound.relative else bound.measure)


def nearest_limit(bound: Bound, value: float) -> str:
    """Return a limit in four digits, or a few more, that a plan with that value keeps.

    It is rounded up for a bound with ``at_most``, down for one with ``at_least``.
    """
    upward = bound.at_most is not None
    if KINDS[bound.measure] == "count" and not bound.relative:
        return f"{ceil(value - SLACK) if upward else floor(value + SLACK)}"
    written = _written(bound, value)
    if _keeps(bound, written, value):
        return written
    step = 10.0 ** (floor(log10(abs(value))) - 3)
    return _written(bound, max(value + (step / 2 if upward else -step / 2), 0.0))


def _keeps(bound: Bound, written: str, value: float) -> bool:
    limit = limit_of(bound.measure, written).value
    slack = SLACK / 2 * max(1.0, abs(limit))
    return limit >= value - slack if bound.at_most is not None else limit <= value + slack
