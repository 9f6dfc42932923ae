"""Bounds as text: ``bytes:edge>cloud<=1 MB``, and the value of one by what it bounds."""

from __future__ import annotations

import re
from math import ceil, floor, log10

from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.measures.quantity import SHARE, Limit
from tiercut.optimizer.measures.registry import KINDS
from tiercut.optimizer.query import SLACK, Bound

__all__ = ["Limit", "bound_of", "limit_of", "nearest_limit", "shown"]

_TEXT = re.compile(r"\s*([^:<>=]+?)\s*(?::\s*(.+?))?\s*(<=|>=)\s*([^<>=]*?)\s*")


def limit_of(measure: str, value: object) -> Limit:
    """Return the value that a person wrote for a bound on a measure.

    Parameters
    ----------
    measure
        One of `tiercut.optimizer.measures.registry.KINDS`.
    value
        Text with a unit, such as ``"1 MB"``; for shares, utilisation and blocks also a number.

    Raises
    ------
    ValueError
        If it is no value of that measure; the message says what was expected.
    """
    return KINDS[measure].quantity.read(value)


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
    if wrong := KINDS[measure].places.fault(measure, place):
        raise QuestionError(f"'{text}': {wrong}")
    try:
        limit = limit_of(measure, value)
    except ValueError as error:
        raise QuestionError(f"'{text}': {error}") from None
    side = {KINDS[measure].quantity.side("at_most" if sign == "<=" else "at_least"): limit.value}
    return Bound(measure, place, **side, relative=limit.relative, monthly=limit.monthly)


def shown(bound: Bound) -> str:
    """Return a bound with one value as `bound_of` reads it, such as ``share:edge >= 30 %``."""
    side, value = ("at_most", bound.at_most) if bound.at_most is not None else ("at_least", bound.at_least or 0.0)
    sign = "<=" if bound.kind.quantity.side(side) == "at_most" else ">="
    return f"{bound.name} {sign} {_written(bound, value)}"


def _written(bound: Bound, value: float) -> str:
    if bound.monthly:
        return f"{value:.4g} $/month"
    return (SHARE if bound.relative else bound.kind.quantity).show(value)


def nearest_limit(bound: Bound, value: float) -> str:
    """Return a limit in four digits, or a few more, that a plan with that value keeps.

    It is rounded up for a bound with ``at_most``, down for one with ``at_least``.
    """
    upward = bound.at_most is not None
    if bound.counts:
        return f"{ceil(value - SLACK) if upward else floor(value + SLACK)}"
    written = _written(bound, value)
    if _keeps(bound, written, value):
        return written
    if bound.kind.quantity.inverse:  # a little slower, in four digits
        step = 10.0 ** (floor(-log10(value)) - 3)
        return _written(bound, 1.0 / (floor(1.0 / value / step) * step))
    step = 10.0 ** (floor(log10(abs(value))) - 3)
    return _written(bound, max(value + (step / 2 if upward else -step / 2), 0.0))


def _keeps(bound: Bound, written: str, value: float) -> bool:
    limit = limit_of(bound.measure, written).value
    slack = SLACK / 2 * max(0.0 if bound.kind.quantity.inverse else 1.0, abs(limit))
    return limit >= value - slack if bound.at_most is not None else limit <= value + slack
