"""Where several streams of frames are born, and the topology as one of them sees it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from tiercut.documents import Document, Key, quantity
from tiercut.errors import QuestionError, unknown_name
from tiercut.topologies.checks import check_name, reachable

if TYPE_CHECKING:
    from typing import TypeAlias

    from tiercut.topologies.schema import Topology

    Rate: TypeAlias = float
else:
    Rate = quantity("rate", positive=True)

__all__ = ["Source", "beside", "destination_of", "seen_from", "source_faults", "way_faults_of_sources"]


class Source(Document):
    """A stream of frames that shares the machines with others; the rate in frames per second."""

    name: Annotated[str, AfterValidator(check_name)] | None = Field(
        default=None, description="what answers call it; default: its node, where no other source is born there"
    )
    node: str = Field(description="where its frames are born")
    rate: Rate = Field(description="how many frames arrive, such as 5 fps")
    destination: str | None = Field(
        default=None,
        description="the node that wants its results, or 'anywhere'; default: the topology's or its own",
    )
    profile: str | None = Field(
        default=None, description="of its network, a file (one beside the topology first) or a recorded one"
    )
    min_accuracy: float | None = Field(default=None, ge=0, le=1, description="least accuracy of its plan, such as 0.9")
    weight: float = Field(default=1.0, gt=0, description="what its latency counts beside that of others")

    @property
    def called(self) -> str:
        """The name of the source, or of its node."""
        return self.name or self.node


def source_faults(topology: Topology) -> Iterator[tuple[Key, str]]:
    """Yield what is wrong with sources: nodes that there are none of, and names that two have."""
    names = topology.node_names
    if not topology.sources:
        yield ("sources",), "there is no source in it; name one at least, or write 'source: NODE' for a single stream"
    if "source" in topology.model_fields_set:
        yield ("source",), "there are 'sources' too, each with its node; write 'source' or 'sources', not both"
    first: dict[str, int] = {}
    for place, each in enumerate(topology.sources or ()):
        if each.node not in names:
            yield ("sources", place, "node"), unknown_name("node", each.node, names)
        if each.destination is not None and each.destination not in (*names, "anywhere"):
            yield ("sources", place, "destination"), unknown_name("node", each.destination, (*names, "anywhere"))
        if each.called in first:
            key = "node" if each.name is None else "name"
            yield (
                ("sources", place, key),
                f"sources[{first[each.called]}] is called '{each.called}' too; give one of them a name of its own",
            )
        first.setdefault(each.called, place)


def way_faults_of_sources(topology: Topology) -> Iterator[tuple[Key, str]]:
    """Yield destinations that a source does not reach, and nodes that are on the way of none."""
    directions = [hop for link in topology.links for hop in link.directions]
    turned = [(receiver, sender) for sender, receiver in directions]
    useful: set[str] = set()
    for place, each in enumerate(topology.sources or ()):
        end = destination_of(topology, each)
        out = reachable(each.node, directions)
        if end != "anywhere" and end not in out:
            yield ("sources", place), f"from '{each.node}' there is no way to its destination '{end}'; link them"
        useful |= out if end == "anywhere" else out & reachable(end, turned)
    for place, name in enumerate(topology.node_names):
        if name not in useful:
            yield (
                ("nodes", place, "name"),
                f"'{name}' is of use to no source: none reaches it and has a way from it to its destination; link it "
                "or leave it out",
            )


def destination_of(topology: Topology, source: Source) -> str:
    """Return the node that wants the results of a source, or ``anywhere``."""
    if source.destination is not None:
        return source.destination
    return topology.destination if "destination" in topology.model_fields_set else source.node


def seen_from(topology: Topology, name: str) -> Topology:
    """Return the topology with one of its sources alone, as any question about a single stream takes it.

    Parameters
    ----------
    topology
        With `sources`.
    name
        Of the source.

    Raises
    ------
    QuestionError
        If there is no such source.
    """
    known = {each.called: each for each in topology.sources or ()}
    if name not in known:
        raise QuestionError(unknown_name("source", name, known))
    one = known[name]
    update = {"sources": None, "source": one.node, "destination": destination_of(topology, one)}
    return topology.model_copy(update=update)


def beside(topology: Topology, path: Path) -> Topology:
    """Return the topology of a file; profiles that lie beside it are named from here."""
    if topology.sources is None:
        return topology
    found = tuple(
        each
        if each.profile is None or not (path.parent / each.profile).is_file()
        else each.model_copy(update={"profile": os.fspath(path.parent / each.profile)})
        for each in topology.sources
    )
    return topology.model_copy(update={"sources": found}) if found != topology.sources else topology
