"""Why several sources do not go together: which machines and links are short of time, which nodes of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut import units
from tiercut.solvers import Limit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.solvers import Room, Shortage

__all__ = ["why_short"]

_NAMED = 4


def why_short(short: Shortage, sources: Sequence[str]) -> str:
    """Return what is short, by how much, and what would help.

    Parameters
    ----------
    short
        Of sources that each have a plan by themselves.
    sources
        What they are called.
    """
    text = f"whatever plans the sources take, {_needed(short, sources)} or more"
    if short.factor <= 1:
        always = "is always busier than it may be" if _is_time(short) else "is always too little"
        text = f"no plans of the sources go together: {_one_of(short)} {always}"
    if short.enough is None:
        return text
    rates = f", or rates of 1/{short.enough:.4g} of these," if short.by_rates else ""
    return f"{text}; with {short.enough:.4g} times these limits{rates} there is a joint plan"


def _needed(short: Shortage, sources: Sequence[str]) -> str:
    """Say what is needed at least of what is short."""
    (first, *others), factor = short.places, short.factor
    if others:
        if _is_time(short):
            return f"{_one_of(short)} is {factor:.3g} times as busy as it may be"
        return f"they need {factor:.3g} times as much as there is of {_one_of(short)},"
    if isinstance(first, Limit):
        return f"{_called(first)} is busy for {_busy(first.most * factor)}"
    least, most = (units.format_bytes(size) for size in (first.most * factor, first.most))
    return f"'{first.node}' has {most} of memory, of which the partitions of {_listed(sources)} need {least}"


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
    if len(names) > _NAMED:
        return f"all {len(names)} sources"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _busy(share: float) -> str:
    return f"{100 * share:.4g} % of the time"
