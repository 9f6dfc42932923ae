"""Conditions of a call, in place of what topology and profile say: one type for flags, query files and Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

from tiercut import units
from tiercut.errors import QuestionError
from tiercut.option_fields import option, pairs

if TYPE_CHECKING:
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

__all__ = ["Conditions"]

_PANEL = "Conditions, in place of what the files say"
_FORWARDING = ("store", "cut-through")
_ONE_PER = ("node", "tier")
_ACCURACIES = ("joint", "separate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a call changes of a topology and a profile; what is left out or None stays as the files say.

    Quantities are text with a unit, or numbers in seconds, bytes and bytes per second. They are read when the
    conditions are applied, so that a message can name the flag or the keyword that they came by.

    Parameters
    ----------
    source
        The node where the input is born.
    destination
        The node that wants the result, or ``anywhere``: it stays where it is made.
    bandwidth, latency
        Of links, by name: ``a-b`` means both directions, ``a>b`` one; such as ``{"a-b": "1 Mb/s"}``.
    slowdown
        Of nodes, by name: a factor such as 20 on every second of the node's device.
    without
        Nodes that are left out, and their links with them.
    forwarding
        ``store`` or ``cut-through``: how payloads are passed on.
    one_partition_per
        ``node`` or ``tier``: what is used at most once.
    accuracies
        ``joint``: of branches in the network that was recorded; ``separate``: of each trained alone.
    input, result
        Size of the input, and of a prediction.
    """

    source: str | None = option(panel=_PANEL, metavar="NODE", help="Where the input is born.")
    destination: str | None = option(
        panel=_PANEL, metavar="NODE", help="Which node wants the result; anywhere: it stays."
    )
    bandwidth: Mapping[str, str | float] | None = option(
        panel=_PANEL, metavar="LINK=RATE", help="a-b='1 Mb/s' both ways, a>b one way.", many=True, read=pairs
    )
    latency: Mapping[str, str | float] | None = option(
        panel=_PANEL, metavar="LINK=TIME", help="Such as a-b='20 ms'.", many=True, read=pairs
    )
    slowdown: Mapping[str, str | float] | None = option(
        panel=_PANEL, metavar="NODE=FACTOR", help="Such as phone=20.", many=True, read=pairs
    )
    without: Sequence[str] | None = option(
        panel=_PANEL, metavar="NODE", help="As if the node were not there.", many=True
    )
    forwarding: Literal["store", "cut-through"] | None = option(
        panel=_PANEL, metavar="store|cut-through", help="How payloads are passed on."
    )
    one_partition_per: Literal["node", "tier"] | None = option(
        panel=_PANEL, metavar="node|tier", help="What is used at most once."
    )
    accuracies: Literal["joint", "separate"] | None = option(
        panel=_PANEL, metavar="joint|separate", help="Of branches in the network recorded, or each trained alone."
    )
    input: str | float | None = option(panel=_PANEL, metavar="SIZE", help="Such as '170 KB'.")
    result: str | float | None = option(panel=_PANEL, metavar="SIZE", help="Bytes of a prediction.")

    def on_top_of(self, below: Conditions) -> Conditions:
        """Return both together; where they speak of the same thing, these count. Links, nodes and names add up."""
        merged: dict[str, Any] = {}
        for each in fields(self):
            mine, other = getattr(self, each.name), getattr(below, each.name)
            if mine is None or other is None:
                merged[each.name] = other if mine is None else mine
            elif each.name in ("bandwidth", "latency", "slowdown"):
                # What is said later counts: a direction of these beats the whole link of those.
                merged[each.name] = {name: value for name, value in other.items() if name not in mine} | dict(mine)
            else:
                merged[each.name] = (*other, *mine) if each.name == "without" else mine
        return replace(self, **merged)

    @property
    def said(self) -> tuple[str, ...]:
        """What is changed, in words: ``bandwidth a-b = 1 Mb/s``."""
        words: list[str] = []
        for each in fields(self):
            value = getattr(self, each.name)
            name = each.name.replace("_", " ")
            if isinstance(value, Mapping):
                words += [f"{name} {place} = {amount}" for place, amount in value.items()]
            elif value is not None and not isinstance(value, str) and isinstance(value, Sequence):
                words += [f"{name} {place}" for place in value]
            elif value is not None:
                words.append(f"{name} = {value}")
        return tuple(words)

    def apply(
        self, topology: Topology, profile: Profile, named: Callable[[str], str] = str
    ) -> tuple[Topology, Profile]:
        """Return a topology and a profile under these conditions.

        Parameters
        ----------
        topology, profile
            What the files say.
        named
            What to call a field in a message; commands name its flag.

        Raises
        ------
        QuestionError
            If a value cannot be read, a name is unknown, a node that is left has no route any more, or the profile has
            no accuracies of branches trained alone.
        """
        return self.changed_topology(topology, named), self.changed_profile(profile, named)

    def changed_topology(self, topology: Topology, named: Callable[[str], str] = str) -> Topology:
        """Return a topology under these conditions; see `apply`."""
        changes: dict[str, Any] = {
            "source": self.source,
            "destination": self.destination,
            "bandwidth": _each(named("bandwidth"), self.bandwidth, partial(_amount, kind="bandwidth", positive=True)),
            "latency": _each(named("latency"), self.latency, partial(_amount, kind="time")),
            "slowdown": _each(named("slowdown"), self.slowdown, _factor),
            "exclude": _names(named("without"), self.without),
            "forwarding": _one_of(named("forwarding"), self.forwarding, _FORWARDING),
            "one_partition_per": _one_of(named("one_partition_per"), self.one_partition_per, _ONE_PER),
        }
        changes = {key: value for key, value in changes.items() if value}
        return topology.with_changes(**changes) if changes else topology

    def changed_profile(self, profile: Profile, named: Callable[[str], str] = str) -> Profile:
        """Return a profile under these conditions; see `apply`."""
        if _one_of(named("accuracies"), self.accuracies, _ACCURACIES) == "separate":
            profile = profile.with_separate_accuracies()
        sizes = {"input_bytes": (named("input"), self.input), "result_bytes": (named("result"), self.result)}
        update = {
            key: _read(name, size, partial(_amount, kind="size"))
            for key, (name, size) in sizes.items()
            if size is not None
        }
        return profile.model_copy(update=update) if update else profile


def _one_of(name: str, value: str | None, known: tuple[str, ...]) -> str | None:
    if value is not None and value not in known:
        raise QuestionError(f"{name} is {' or '.join(known)}, not '{value}'")
    return value


def _names(name: str, value: Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(value, str):
        raise QuestionError(f"{name} is a list, not {value!r} by itself")
    return tuple(value or ())


def _each(name: str, values: Mapping[str, Any] | None, read: Callable[[Any], float]) -> dict[str, float]:
    if not isinstance(values, Mapping | None):
        raise QuestionError(f"{name} is a mapping from names to values, not {values!r}")
    return {each: _read(f"{name} {each}", value, read) for each, value in (values or {}).items()}


def _read(name: str, value: Any, read: Callable[[Any], float]) -> float:
    try:
        return read(value)
    except ValueError as error:
        raise QuestionError(f"{name}: {error}") from None


def _amount(value: Any, kind: str, *, positive: bool = False) -> float:
    """Return a quantity in SI: text with its unit, or a number that is in SI already."""
    if not _is_number(value):
        return units.parse(value, kind, positive=positive)
    if not math.isfinite(value) or value < 0 or (positive and not value):
        raise ValueError(f"a {kind} must be finite and {'greater than 0' if positive else '0 or more'}, got {value}")
    return float(value)


def _factor(value: Any) -> float:
    try:
        factor = float(value) if isinstance(value, str) or _is_number(value) else None
    except ValueError:
        factor = None
    if factor is None:
        raise ValueError(f"expected a factor such as 2.5, got {value!r}")
    if not 0 < factor < math.inf:
        raise ValueError(f"a slowdown must be greater than 0 and finite, got {value!r}")
    return factor


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
