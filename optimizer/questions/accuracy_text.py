"""Accuracies as people ask for them: a share, a share of the network's own accuracy, or points below that."""

from __future__ import annotations

import re
from typing import NamedTuple

from tiercut import units
from tiercut.optimizer.measures.quantity import SHARE

__all__ = ["Floor", "floor_of", "loss_of"]

_OF_FINAL = re.compile(r"\s*(.*?)\s*\bof\s+(?:the\s+)?final(?:\s+(?:one|accuracy))?\s*", re.IGNORECASE)


class Floor(NamedTuple):
    """A least accuracy: a share of all samples, or of those that the whole network gets right."""

    share: float
    of_final: bool = False


def floor_of(value: object) -> Floor:
    """Return the least accuracy that a person wrote: ``0.92``, ``"92 %"`` or ``"95 % of final"``.

    Raises
    ------
    ValueError
        If it is none; the message says what was expected.
    """
    if isinstance(value, str) and (found := _OF_FINAL.fullmatch(value)) is not None:
        return Floor(SHARE.read(found[1]).value, of_final=True)
    try:
        return Floor(SHARE.read(value).value)
    except ValueError as error:
        if isinstance(value, str) and "final" in value.casefold():
            raise ValueError(
                f"expected a least accuracy such as 0.92, '92 %' or '95 % of final', got {value!r}"
            ) from None
        raise error from None


def loss_of(value: object) -> float:
    """Return the greatest loss of accuracy that a person wrote, as a share: ``"2 points"``, or a number such as 0.02.

    Raises
    ------
    ValueError
        If it is none; the message says what was expected.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value > 1:
            raise ValueError(
                f"a loss is at most 1, which is 100 points, got {value!r}; did you mean '{value:g} points'?"
            )
        return float(value)
    if isinstance(value, str) and value.rstrip().endswith("%"):
        raise ValueError(
            f"a loss is in points of accuracy, such as '2 points' (from 96 % to 94 %), not '{value}'; a share of the "
            "final accuracy is a least accuracy, such as '98 % of final'"
        )
    return units.parse(value, "loss of accuracy")
