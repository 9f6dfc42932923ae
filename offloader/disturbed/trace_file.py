"""The file ``tiercut.disturbances/1``: what becomes of links and nodes while frames are sent, and when."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

from pydantic import Field

from tiercut import documents, units
from tiercut.documents import Document, Key, quantity
from tiercut.errors import QuestionError
from tiercut.optimizer import DOWN, Conditions, level_of, name_of
from tiercut.profiling import Profile
from tiercut.topologies import Topology, directions_of

__all__ = ["FORMAT", "By", "DisturbanceFile", "Moment", "check_within", "load_disturbances", "moments_of"]

FORMAT: Literal["tiercut.disturbances/1"] = "tiercut.disturbances/1"
_LIMIT = 1 << 20

By = Literal["kill", "stop"]
"""How a node goes down: its agent is killed, and started again when it is back; or it stands still until then."""

_DOWN = f"expected a list of nodes and links that are down from then on, such as [{{}}]; [] for none ({DOWN}: [])"


class Disturbed(Document):
    """What changes at a time; all else stays as it was."""

    at: quantity("time") = Field(description="from when the first frame is due, such as 10 s")  # type: ignore[valid-type]
    conditions: dict[str, Any] = Field(
        min_length=1,
        description="such as bandwidth(a-b): 1 Mb/s, slowdown(edge): 4, or down: [cloud], which is all that is down",
    )
    by: Literal["kill", "stop"] = Field(
        default="kill", description="how nodes go down: kill (they begin anew afterwards) or stop (they go on)"
    )


class DisturbanceFile(Document):
    """Conditions over time."""

    format: Literal["tiercut.disturbances/1"] = Field(description="the kind and version of this document")
    disturbances: list[Disturbed] = Field(min_length=1, description="in the order in which they come")

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield times that are out of order, names that are no condition, and values that cannot be read."""
        before = -1.0
        for place, each in enumerate(self.disturbances):
            if not each.at > before:
                yield (
                    ("disturbances", place, "at"),
                    f"expected a time after the one before ({units.format_seconds(before)}), "
                    f"got {units.format_seconds(each.at)}",
                )
            before = max(before, each.at)
            for text, value in each.conditions.items():
                if (wrong := _fault(text, value)) is not None:
                    yield ("disturbances", place, "conditions", text), wrong


def _fault(text: str, value: Any) -> str | None:
    """Return what is wrong with a condition; None if nothing is."""
    try:
        name = name_of(text)
        if name.kind == DOWN:
            if name.place:
                return f"write {DOWN}: [{name.place}]; it lists all that is down from then on"
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                return _DOWN.format("cloud")
            return None
        if name.kind != "slowdown" and not isinstance(value, str):
            return f"expected text with its unit, got the bare value {value!r}"
        level_of(name.kind, value)
    except ValueError as error:
        return str(error)
    return None


@dataclass(frozen=True, slots=True)
class Moment:
    """What is true from a time on.

    Parameters
    ----------
    at_s
        Seconds from when the first frame is due.
    topology
        With the numbers of then, and all that is down still in it.
    nodes
        Which nodes are down.
    cut
        Directions of links that are down.
    by
        How those nodes went that were up until then.
    changes
        What the file says of this time, by name, as it is written; of `DOWN`, all that is.
    conditions
        All that was said until then, as ``--condition`` takes it.
    """

    at_s: float
    topology: Topology
    nodes: frozenset[str]
    cut: frozenset[tuple[str, str]]
    by: By
    changes: tuple[tuple[str, str], ...]
    conditions: dict[str, Any]


def load_disturbances(path: str | os.PathLike[str]) -> DisturbanceFile:
    """Read a file of disturbances.

    Raises
    ------
    InputError
        If it cannot be read, or anything in it is wrong; each fault with line, column and key.
    """
    return documents.load(path, DisturbanceFile, format_=FORMAT, limit=_LIMIT)


def moments_of(file: DisturbanceFile, topology: Topology, profile: Profile) -> tuple[Moment, ...]:
    """Return what is true when, in order.

    Raises
    ------
    QuestionError
        If a name is unknown, the source is down, or a node that is left has no route.
    """
    found, said = list[Moment](), dict[str, Any]()
    for each in file.disturbances:
        for text, value in each.conditions.items():
            said.pop(name := str(name_of(text)), None)  # what is said last counts
            said[name] = value
        numbers = {name: value for name, value in said.items() if name != DOWN}
        down: Sequence[str] = said.get(DOWN, [])
        try:
            now, _ = Conditions(condition=numbers or None).apply(topology, profile)
            if down:
                _check_destination(topology, down)
                Conditions(condition={DOWN: tuple(down)}).changed_topology(now)
        except QuestionError as error:
            raise QuestionError(f"--disturb, at {units.format_seconds(each.at)}: {error}") from None
        links = [name for name in down if name not in topology.node_names]
        cut = frozenset(way for name in links for way in directions_of(topology, name))
        shown = tuple(
            (str(name_of(text)), (", ".join(value) or "none") if isinstance(value, list) else str(value))
            for text, value in each.conditions.items()
        )
        nodes = frozenset(down) - frozenset(links)
        found.append(Moment(each.at, now, nodes, cut, each.by, shown, {**numbers, **({DOWN: down} if down else {})}))
    return tuple(found)


def _check_destination(topology: Topology, down: Sequence[str]) -> None:
    """Refuse nodes and links that are down where no result can get to the destination meanwhile."""
    start, end = topology.source, topology.destination
    if topology.sources is not None or topology.destination_index is None or start in down:
        return
    links = [name for name in down if name not in topology.node_names and ("-" in name or ">" in name)]
    cut = {way for name in links for way in directions_of(topology, name)}
    if end in down:
        raise QuestionError(f"'{end}' is the destination, where all results go: it cannot be down")
    left = [way for way in topology.network.hops if way not in cut and not {*down} & {*way}]
    reached = {start}
    while further := {receiver for sender, receiver in left if sender in reached} - reached:
        reached |= further
    if end not in reached:
        raise QuestionError(
            f"nothing leads from the source '{start}' to the destination '{end}' without {', '.join(down)}: leave a way"
        )


def check_within(moments: Sequence[Moment], seconds: float) -> None:
    """Refuse what would come after the last frame.

    Raises
    ------
    QuestionError
        Says when, and how long the run takes.
    """
    last_s = moments[-1].at_s if moments else -inf
    if last_s >= seconds:
        raise QuestionError(
            f"--disturb: something is to happen at {units.format_seconds(last_s)}, and the last frame is due before "
            f"{units.format_seconds(seconds)}; send more frames (--frames) or fewer a second (--rate)"
        )
