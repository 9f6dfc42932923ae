"""How measures of a plan are named: ``latency``, ``compute:edge``, ``link:a>b``.

==============  ====================================================================  ==========================
measure         what it is                                                            place
==============  ====================================================================  ==========================
latency         expected seconds                                                      none
p99             seconds that 99 % of the samples do not exceed                        none
bytes           expected payload, input and result included                           none, or ``a>b``
energy, cost    joules of computing; dollars of computing and sending                 none
compute         expected seconds of computing per sample                              node or tier
share           that, as a share of the expected latency                              node or tier
utilisation     that, or the seconds a link is busy, times the frames that arrive     node, tier or link
blocks          number of blocks that are placed there                                node or tier
memory          bytes of parameters and of the largest activation there               node or tier
link            expected bytes over the link, on whatever route                       link
out             expected bytes over all links that lead away, also what is passed on  node or tier
==============  ====================================================================  ==========================

``bytes:a>b`` counts what partitions on a (a node or a tier) send to partitions on b, whatever lies between; the input
counts from the source. A link is ``a>b`` for one direction, ``a-b`` for both together.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tiercut.errors import unknown_name

__all__ = ["KINDS", "PIECES_WHOLE", "TAILS", "WHOLE_PLAN", "goal_fault", "kind_of", "place_fault", "split_name"]

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "latency": "time",
        "p99": "time",
        "bytes": "size",
        "energy": "energy",
        "cost": "money",
        "compute": "time",
        "share": "share",
        "utilisation": "number",
        "blocks": "count",
        "memory": "size",
        "link": "size",
        "out": "size",
    }
)
"""What may be bounded, and as what kind of quantity its values are written."""

WHOLE_PLAN = ("latency", "p99", "bytes", "energy", "cost")
"""Measures of the whole plan, which need no place."""

PIECES_WHOLE = ("blocks", "memory")
"""Measures of which a piece counts whole, however few samples get there."""


TAILS: Mapping[str, float] = MappingProxyType({"p99": 0.01})
"""Quantiles of the latency: the share of the samples that may take longer."""


def split_name(name: str) -> tuple[str, str | None]:
    """Return measure and place of a name such as ``compute:edge``; no place: None."""
    head, colon, place = name.partition(":")
    return head.strip(), place.strip() if colon else None


def kind_of(name: str) -> str:
    """Return as what kind of quantity the values of a measure are written, whatever its place."""
    return KINDS[split_name(name)[0]]


def place_fault(measure: str, place: str | None) -> str:
    """Return what is wrong with the place of a measure; empty where nothing is."""
    if measure in WHOLE_PLAN and measure != "bytes" and place is not None:
        return f"{measure} is of the whole plan; leave the place '{place}' out"
    if measure == "bytes":
        sender, arrow, receiver = (place or "a>b").partition(">")
        whole = arrow and sender.strip() and receiver.strip() and ">" not in receiver
        return "" if whole else f"bytes are between two places as a>b, or of the whole plan, not of '{place}'"
    if measure not in WHOLE_PLAN and not place:
        wanted = {"link": "a link", "utilisation": "a node, a tier or a link"}.get(measure, "a node or a tier")
        return f"{measure} needs {wanted}"
    return ""


def goal_fault(name: str) -> str:
    """Return why a name is nothing that can be made least, or greatest for accuracy; empty where it is."""
    measure, place = split_name(name)
    if name == "accuracy":
        return ""
    if measure not in KINDS:
        return unknown_name("objective", measure, (*(each for each in KINDS if each != "share"), "accuracy"))
    if measure == "share":
        return (
            f"'{name}' is a ratio of two sums, which can be bounded but not made least; "
            f"compute:{place or 'PLACE'} is the time itself"
        )
    return place_fault(measure, place)
