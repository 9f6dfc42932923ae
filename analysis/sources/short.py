"""Why several sources do not go together: which machines and links are short of time, which nodes of memory."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

from tiercut import units
from tiercut.optimizer import SLACK
from tiercut.solvers import Limit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.solvers import Room, Shortage

__all__ = ["nearest_of", "served_of", "why_short"]

_NAMED = 4


def why_short(short: Shortage) -> str:
    """Return what is short, by how much, and what would help, of sources that each have a plan by themselves."""
    if not short.places:
        text = "no plans of the sources go together"
    elif short.factor > 1:
        text = f"whatever plans the sources take, {_needed(short)} or more"
    else:
        always = "is always busier than it may be" if _is_time(short) else "is always too little"
        text = f"no plans of the sources go together: {_one_of(short)} {always}"
    return text + _enough(short)


def nearest_of(short: Shortage | None, sources: int) -> str:
    """Return what comes nearest to a plan for each source, as the end of a sentence."""
    served = "" if short is None else served_of(short, sources)
    enough = "" if short is None else _enough(short)
    return enough + (served or "; joint 'served' asks for the most sources that can be" * (sources > 1))


def served_of(short: Shortage, sources: int) -> str:
    """Return how many sources were found to go together, as the end of a sentence."""
    if not short.served:
        return ""
    return f"; plans of {short.served} of the {sources} sources go together, and joint 'served' asks for the most"


def _enough(short: Shortage) -> str:
    if short.enough is None:
        return ""
    enough = _at_least(short.enough)
    rates = f", or rates of 1/{enough} of these," if short.by_rates else ""
    return f"; with {enough} times these limits{rates} there is a joint plan"


def _needed(short: Shortage) -> str:
    """Say what is needed at least of what is short."""
    (first, *others), factor = short.places, short.factor
    if others:
        times = f"{factor:.{units.distinct_digits((factor, 1.0), 3)}g} times"
        if _is_time(short):
            return f"{_one_of(short)} is {times} as busy as it may be"
        return f"they need {times} as much as there is of {_one_of(short)},"
    if isinstance(first, Limit):
        digits = units.distinct_digits((100 * first.most * factor, 100 * first.most), 4)
        return f"{_called(first)} is busy for {_busy(first.most * factor, digits)}"
    least, most = _sizes(first.most * factor, first.most)
    return f"'{first.node}' has {most} of memory, of which the partitions of {_listed(short.holders)} need {least}"


def _sizes(least: float, most: float) -> tuple[str, str]:
    """Return two sizes as people read them, or byte by byte where these are alike."""
    first, second = units.format_bytes(least), units.format_bytes(most)
    if first != second:
        return first, second
    return f"{ceil(least * (1 - SLACK)):,} B", f"{floor(most):,} B"


def _at_least(factor: float) -> str:
    """Return a factor with three decimals, rounded up so that it does suffice."""
    return f"{ceil(1e3 * factor * (1 - SLACK)) / 1e3:.3f}".rstrip("0").rstrip(".")


def _is_time(short: Shortage) -> bool:
    return all(isinstance(place, Limit) for place in short.places)


def _one_of(short: Shortage) -> str:
    named = [_called(place) for place in short.places[:_NAMED]]
    more = f" and {len(short.places) - _NAMED} more" if len(short.places) > _NAMED else ""
    return ("one of " if len(short.places) > 1 else "") + ", ".join(named) + more


def _called(place: Limit | Room) -> str:
    if isinstance(place, Limit):
        return f"'{place.place}' ({_busy(place.most)} at most)"
    return f"the memory of '{place.node}' ({units.format_bytes(place.most)})"


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "the sources"
    if len(names) > _NAMED:
        return f"all {len(names)} sources"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _busy(share: float, digits: int = 4) -> str:
    return f"{100 * share:.{digits}g} % of the time"
