"""What sort of amount a measure is: how values are written and read, and in what unit an axis shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite
from typing import NamedTuple

from tiercut import units

__all__ = ["COUNT", "ENERGY", "MONEY", "NUMBER", "RATE", "SHARE", "SIZE", "TIME", "Limit", "Quantity"]

_LARGEST = 10_000  # on an axis, before the next larger unit is taken


class Limit(NamedTuple):
    """A greatest or least value in the inner unit.

    `relative`: a count as a share of all; `monthly`: in a month of frames that arrive at the rate of the question.
    """

    value: float
    relative: bool = False
    monthly: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantity:
    """A sort of amount.

    Parameters
    ----------
    name
        One of the keys of `tiercut.units.UNITS`, or what a bare number is called.
    show
        Writes a value of the inner unit for people, as `read` reads it back.
    axis
        Factors from the inner unit to those that an axis may have, with their names, the smallest unit first.
    bare
        Examples of how a value is written where it needs no unit; empty where it needs one.
    percent
        Whether a bare value may be in percent.
    whole
        Whether only whole numbers make sense; in percent they are a share of all.
    most
        Greatest value that makes sense.
    by_time
        The kind of units by which it is written as an amount in some time, such as 10 $/month; empty: it is not.
    inverse
        Whether people write one over the inner value, as of a rate (frames per second), which is least where that is
        greatest: what is at least for them is at most in the inner unit.
    """

    name: str
    show: Callable[[float], str]
    axis: tuple[tuple[float, str], ...]
    bare: str = ""
    percent: bool = False
    whole: bool = False
    most: float = inf
    by_time: str = ""
    inverse: bool = False

    def read(self, value: object) -> Limit:
        """Return the value that a person wrote.

        Raises
        ------
        ValueError
            If it is no such amount; the message says what was expected.
        """
        if self.by_time and isinstance(value, str) and "/" in value:
            return Limit(units.parse(value, self.by_time) * units.MONTH_S, monthly=True)
        if self.inverse:
            return Limit(0.0 if value == _ANY_RATE else 1.0 / units.parse(value, self.name, positive=True))
        if not self.bare:
            return Limit(units.parse(value, self.name))
        if self.percent and isinstance(value, str) and value.rstrip().endswith("%"):
            share = units.parse(value, "share")
            if share > 1:
                raise ValueError(f"a share is at most 100 %, got '{value}'")
            return Limit(share, self.whole)
        return Limit(self._number(value))

    def plain(self, value: float) -> float | None:
        """Return a value of the inner unit as data hold it: what people write; None where it is without limit."""
        if not self.inverse:
            return value
        return 1.0 / value if value > 0 else None

    def side(self, side: str) -> str:
        """Return which side of the inner value is bounded, `at_most` or `at_least`, by one of what people write."""
        other = "at_least" if side == "at_most" else "at_most"
        return other if self.inverse else side

    def _number(self, value: object) -> float:
        wanted = f"expected a number such as {self.bare}, got {value!r}"
        try:
            number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1.0
        except ValueError:
            raise ValueError(wanted) from None
        if not (isfinite(number) and number >= 0) or (self.whole and number % 1):
            raise ValueError(wanted)
        if number > self.most:
            raise ValueError(f"a share is between 0 and 1, got {value!r}; did you mean '{number:g} %'?")
        return number

    def scale(self, largest: float = 0.0) -> tuple[float, str]:
        """Return factor and name of the unit of an axis on which `largest`, in the inner unit, is the largest value."""
        return next((each for each in self.axis if largest * each[0] <= _LARGEST), self.axis[-1])


_ANY_RATE = "inf fps"


def _show_rate(seconds: float) -> str:
    return f"{1.0 / seconds:.4g} fps" if seconds > 0 else _ANY_RATE


TIME = Quantity(name="time", show=units.format_seconds, axis=((1e3, "ms"), (1.0, "s")))
SIZE = Quantity(name="size", show=units.format_bytes, axis=((1e-3, "kB"), (1e-6, "MB"), (1e-9, "GB")))
ENERGY = Quantity(name="energy", show=lambda joules: f"{joules:.4g} J", axis=((1.0, "J"),))
MONEY = Quantity(name="money", show=lambda dollars: f"{dollars:.4g} $", axis=((1.0, "$"),), by_time="price per time")
SHARE = Quantity(
    name="share",
    show=lambda share: f"{share * 100:.4g} %",
    axis=((100.0, "%"),),
    bare="0.3 or '30 %'",
    percent=True,
    most=1.0,
)
RATE = Quantity(name="rate", show=_show_rate, axis=((1e3, "ms a frame"), (1.0, "s a frame")), inverse=True)
NUMBER = Quantity(name="number", show=lambda number: f"{number:.4g}", axis=((1.0, ""),), bare="0.8")
COUNT = Quantity(
    name="count",
    show=lambda count: f"{count:.4g}",
    axis=((1.0, ""),),
    bare="12 or '50 %' of all",
    percent=True,
    whole=True,
)
