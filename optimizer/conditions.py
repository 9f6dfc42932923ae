"""Conditions of a call, in place of what topology and profile say: one type for flags, query files and Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from tiercut import units
from tiercut.errors import QuestionError
from tiercut.optimizer.condition_names import DOWN, STRESS, by_kind, conditions_flag
from tiercut.option_fields import names, option, pairs

if TYPE_CHECKING:
    from tiercut.profiling import Profile
    from tiercut.topologies import Topology

__all__ = ["Conditions"]

_PANEL = "Conditions, in place of what the files say"
_FORWARDING = ("store", "cut-through")
_ONE_PER = ("node", "tier")
_ACCURACIES = ("joint", "separate")


class Changed(NamedTuple):
    """New numbers of links (bytes per second, seconds) and nodes (factors), by their names."""

    bandwidth: dict[str, float]
    latency: dict[str, float]
    slowdown: dict[str, float]


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
    condition
        All of these by one name each, as grids write them: ``{"bandwidth(a-b)": "1 Mb/s", "slowdown(phone)": 20,
        "down": ["cloud"]}``; and loads of nodes, ``{"cpu(edge)": "45 %", "memory(edge)": 0.9}``, which make a node as
        much slower as the profile's curve of its device says.
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
        panel=_PANEL, metavar="NODE", help="As if the node were not there.", many=True, read=names
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
    condition: Mapping[str, Any] | None = option(
        panel=_PANEL,
        metavar="NAME(PLACE)=VALUE",
        help="Any of bandwidth, latency, slowdown, cpu, memory and down, such as 'cpu(edge)=45%' or 'down(cloud)'.",
        many=True,
        read=conditions_flag,
    )

    def on_top_of(self, below: Conditions) -> Conditions:
        """Return both together; where they speak of the same thing, these count. Links, nodes and names add up."""
        merged: dict[str, Any] = {}
        above, below = self._by_field(), below._by_field()
        for each in fields(self):
            mine, other = getattr(above, each.name), getattr(below, each.name)
            if mine is None or other is None:
                merged[each.name] = other if mine is None else mine
            elif each.name in ("bandwidth", "latency", "slowdown", "condition"):
                # What is said later counts: a direction of these beats the whole link of those.
                merged[each.name] = {name: value for name, value in other.items() if name not in mine} | dict(mine)
                if each.name == "condition" and DOWN in mine and DOWN in other:
                    merged[each.name][DOWN] = (*other[DOWN], *mine[DOWN])
            else:
                merged[each.name] = (*other, *mine) if each.name == "without" else mine
        return replace(self, **merged)

    def _by_field(self, named: Callable[[str], str] = str) -> Conditions:
        """Return the same with what `condition` names in the other fields; loads and nodes that are down stay in it."""
        if not self.condition:
            return self
        kinds = by_kind(self.condition, named("condition"))
        moved: dict[str, Any] = {}
        for kind in ("bandwidth", "latency", "slowdown"):
            own = getattr(self, kind) or {}
            if twice := next((place for place in kinds[kind] if place in own), None):
                raise QuestionError(f"{named('condition')} {kind}({twice}) is given by {named(kind)} too")
            if kinds[kind]:
                moved[kind] = {**own, **kinds[kind]}
        left: dict[str, Any] = {f"{kind}({place})": share for kind in STRESS for place, share in kinds[kind].items()}
        if kinds[DOWN]:
            left[DOWN] = tuple(kinds[DOWN])
        return replace(self, **moved, condition=left or None)

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

    def numbers(self) -> Changed | None:
        """Return what is changed of links and nodes; None where anything else is.

        Raises
        ------
        QuestionError
            If a value cannot be read.
        """
        own = self._by_field()
        if any(getattr(own, each.name) is not None for each in fields(own) if each.name not in Changed._fields):
            return None
        return Changed(
            _each("bandwidth", own.bandwidth, partial(_amount, kind="bandwidth", positive=True)),
            _each("latency", own.latency, partial(_amount, kind="time")),
            _each("slowdown", own.slowdown, _factor),
        )

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
        own = self._by_field(named)
        topology = own.changed_topology(topology, named)
        if own.condition and any(name != DOWN for name in own.condition):
            loads = by_kind(own.condition, named("condition"))
            slower = _slower(topology, profile, {kind: loads[kind] for kind in STRESS}, named("condition"))
            topology = topology.with_changes(slowdown=slower)
        return topology, own.changed_profile(profile, named)

    def changed_topology(self, topology: Topology, named: Callable[[str], str] = str) -> Topology:
        """Return a topology under these conditions, loads of nodes apart; see `apply`."""
        own = self._by_field(named)
        changes: dict[str, Any] = {
            "source": own.source,
            "destination": own.destination,
            "bandwidth": _each(named("bandwidth"), own.bandwidth, partial(_amount, kind="bandwidth", positive=True)),
            "latency": _each(named("latency"), own.latency, partial(_amount, kind="time")),
            "slowdown": _each(named("slowdown"), own.slowdown, _factor),
            "exclude": _names(named("without"), own.without),
            "forwarding": _one_of(named("forwarding"), own.forwarding, _FORWARDING),
            "one_partition_per": _one_of(named("one_partition_per"), own.one_partition_per, _ONE_PER),
        }
        if own.condition and (down := own.condition.get(DOWN)):
            links = tuple(each for each in down if _is_link(topology, each))
            nodes = (*changes["exclude"], *(each for each in down if each not in links))
            changes["exclude"] += tuple(_cut_off(topology, nodes, links, self.source))
            changes["cut"] = links
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


def _is_link(topology: Topology, name: str) -> bool:
    """Return whether what is down is a link, ``a-b`` or ``a>b``; a node of that name comes first."""
    from tiercut.topologies import directions_of

    if name in topology.node_names or not ("-" in name or ">" in name):
        return False
    directions_of(topology, name)
    return True


def _cut_off(topology: Topology, gone: Sequence[str], cut: Sequence[str], source: str | None) -> Iterator[str]:
    """Yield nodes that are down, and those that then cannot be reached from the source any more."""
    from tiercut.topologies import directions_of

    for name in gone:
        topology.index(name)
    ways = set(topology.hops) - {way for link in cut for way in directions_of(topology, link)}
    begin = source or topology.source
    if begin in gone:
        raise QuestionError(f"'{begin}' is the source, where the input is born, and cannot be down")
    reached, front = {begin}, [begin]
    while front:
        at = front.pop()
        found = {to for sender, to in ways if sender == at and to not in gone} - reached
        reached |= found
        front += found
    yield from (name for name in topology.node_names if name not in reached)


def _slower(
    topology: Topology, profile: Profile, loads: Mapping[str, Mapping[str, float]], called: str
) -> dict[str, float]:
    """Return the slowdown of each node that is loaded: its own, times what the curves of its device say."""
    found: dict[str, float] = {}
    for kind, shares in loads.items():
        for name, share in shares.items():
            node = topology.nodes[topology.index(name)]
            device = node.device or profile.reference_device
            curve = (
                profile.devices[device].stress_curve.get(cast("Literal['cpu', 'memory']", kind))
                if device in profile.devices
                else None
            )
            if curve is None:
                raise QuestionError(
                    f"{called} {kind}({name}): the profile has no times of device '{device}' under load of its "
                    f"{'processors' if kind == 'cpu' else 'memory'} (stress_curve)"
                )
            try:
                factor = curve.at(share)
            except ValueError as error:
                raise QuestionError(f"{called} {kind}({name}): {error}") from None
            found[name] = found.get(name, node.slowdown) * factor
    return found


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
