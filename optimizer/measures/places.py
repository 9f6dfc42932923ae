"""Of what a measure is taken: the whole plan, a node or a tier, a link, or what one place sends to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["LINK", "NODE_OR_TIER", "NODE_TIER_OR_LINK", "PLAN", "PLAN_OR_PAIR", "PLAN_OR_PLACE", "Places"]


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The places that a measure takes.

    Parameters
    ----------
    words
        For people, such as ``a node or a tier``.
    forms
        What is written after the name of the measure, such as ``:PLACE``.
    fault
        Takes the name of a measure and a place (None where there is none); returns what is wrong with the place, empty
        where nothing is.
    """

    words: str
    forms: tuple[str, ...]
    fault: Callable[[str, str | None], str]


def _takes_none(measure: str, place: str | None) -> str:
    return "" if place is None else f"{measure} is of the whole plan; leave the place '{place}' out"


def _may_be_pair(measure: str, place: str | None) -> str:
    if place is None:
        return ""
    sender, arrow, receiver = place.partition(">")
    whole = arrow and sender.strip() and receiver.strip() and ">" not in receiver
    return "" if whole else f"{measure} are between two places as a>b, or of the whole plan, not of '{place}'"


def _may_be_place(measure: str, place: str | None) -> str:
    return f"{measure} is of the whole plan, or of a node or a tier, not of ''" if place == "" else ""


def _needs(words: str, *forms: str) -> Places:
    return Places(words, forms, lambda measure, place: "" if place else f"{measure} needs {words}")


PLAN = Places("the whole plan", ("",), _takes_none)
PLAN_OR_PAIR = Places("the whole plan, or what a sends to b", ("", ":a>b"), _may_be_pair)
PLAN_OR_PLACE = Places("the whole plan, a node or a tier", ("", ":PLACE"), _may_be_place)
NODE_OR_TIER = _needs("a node or a tier", ":PLACE")
NODE_TIER_OR_LINK = _needs("a node, a tier or a link", ":PLACE", ":a>b")
LINK = _needs("a link", ":a>b")
