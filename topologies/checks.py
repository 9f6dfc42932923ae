"""What must hold between the keys of a topology, each rule with a message that says how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tiercut.documents import Key
from tiercut.errors import unknown_name

if TYPE_CHECKING:
    from tiercut.topologies.schema import Link, Topology

__all__ = ["check_name", "reachable", "topology_faults"]

_RESERVED = ">,="
_LONGEST_NAME = 80


def check_name(name: str) -> str:
    """Return the name of a node or tier; ValueError for one that could not be written in a command.

    ``a>b`` names a direction, ``a,b`` two nodes of a placement and ``a=2`` an override. A name may hold
    ``-``: where ``a-b`` names a link, all its readings are tried.
    """
    if not name or name != name.strip() or not name.isprintable():
        raise ValueError(f"expected a name of printable characters without space around it, got {name!r}")
    if found := next((each for each in _RESERVED if each in name), None):
        raise ValueError(f"'{found}' may not stand in a name, got '{name}'; commands use it between names")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"expected a name of at most {_LONGEST_NAME} characters, got {len(name)}")
    return name


def topology_faults(topology: Topology) -> Iterator[tuple[Key, str]]:
    """Yield the key and the message of everything wrong; directions are only asked for where all names are right."""
    found = [*_name_faults(topology), *_link_faults(topology), *_end_faults(topology)]
    yield from found or _way_faults(topology)


def _name_faults(topology: Topology) -> Iterator[tuple[Key, str]]:
    if not topology.nodes:
        yield ("nodes",), "a topology needs one node at least"
    first: dict[str, int] = {}
    tiers = {node.tier for node in topology.nodes}
    for place, node in enumerate(topology.nodes):
        key = ("nodes", place, "name")
        if node.name == "anywhere":
            yield key, "'anywhere' is no name for a node: as a destination it means that the result may stay anywhere"
        if node.name in first:
            yield key, f"the name '{node.name}' is taken by nodes[{first[node.name]}]; every node needs one of its own"
        if node.tier is None and node.name in tiers:
            yield key, f"'{node.name}' is a tier of its own, but other nodes name a tier so; give this node a tier too"
        first.setdefault(node.name, place)


def _link_faults(topology: Topology) -> Iterator[tuple[Key, str]]:
    known = dict.fromkeys(topology.node_names)
    first: dict[tuple[str, str], int] = {}
    for place, link in enumerate(topology.links):
        if fault := _shape_fault(link):
            yield ("links", place), fault
            continue
        for key, name in _ends(link):
            if name not in known:
                yield ("links", place, *key), unknown_name("node", name, known)
        for direction in link.directions:
            if direction[0] == direction[1]:
                yield ("links", place), f"joins '{direction[0]}' to itself; a link joins two different nodes"
                break
            if direction in first:
                yield ("links", place), _taken(direction, first[direction])
                break
            first[direction] = place


def _shape_fault(link: Link) -> str | None:
    one_way = (link.start is not None) + (link.end is not None)
    if link.between is not None and one_way:
        return "has both 'between' (for both directions) and 'from'/'to' (for one); write only one of them"
    if link.between is None and one_way < 2:
        missing = "'from'" if link.end is not None else "'to'"
        return f"{missing} is missing" if one_way else "joins nothing; write 'between: [a, b]', or 'from: a, to: b'"
    return None


def _taken(direction: tuple[str, str], place: int) -> str:
    return (
        f"there is a link from '{direction[0]}' to '{direction[1]}' already, links[{place}]; "
        "each direction has at most one ('between' serves both, 'from' and 'to' one)"
    )


def _ends(link: Link) -> Iterator[tuple[Key, str]]:
    if link.between is not None:
        return ((("between", place), name) for place, name in enumerate(link.between))
    ((sender, receiver),) = link.directions
    return iter(((("from",), sender), (("to",), receiver)))


def _end_faults(topology: Topology) -> Iterator[tuple[Key, str]]:
    names = topology.node_names
    if topology.sources is not None:
        from tiercut.topologies.sources import source_faults

        yield from source_faults(topology)
    elif "source" not in topology.model_fields_set:
        yield ("source",), "this key is missing; name the node where the input is born, or 'sources', a list of several"
    elif topology.source not in names:
        yield ("source",), unknown_name("node", topology.source, names)
    if "destination" in topology.model_fields_set and topology.destination not in (*names, "anywhere"):
        yield ("destination",), unknown_name("node", topology.destination, (*names, "anywhere"))


def _way_faults(topology: Topology) -> Iterator[tuple[Key, str]]:
    if topology.sources is not None:
        from tiercut.topologies.sources import way_faults_of_sources

        yield from way_faults_of_sources(topology)
        return
    names, directions = topology.node_names, [hop for link in topology.links for hop in link.directions]
    out = reachable(topology.source, directions)
    back = set(names)
    if topology.destination != "anywhere":
        back = reachable(topology.destination, [(receiver, sender) for sender, receiver in directions])
    for place, name in enumerate(names):
        if name not in out:
            yield (
                ("nodes", place, "name"),
                f"'{name}' cannot be reached from the source '{topology.source}'; link it or leave it out",
            )
        elif name not in back:
            yield (
                ("nodes", place, "name"),
                f"from '{name}' there is no way to the destination '{topology.destination}'; "
                "add a link in that direction, or write 'destination: anywhere' where results may stay",
            )


def reachable(start: str, directions: Iterable[tuple[str, str]]) -> set[str]:
    """Return the nodes that can be reached from `start`, itself included."""
    following: dict[str, list[str]] = {}
    for sender, receiver in directions:
        following.setdefault(sender, []).append(receiver)
    seen, waiting = {start}, [start]
    while waiting:
        new = [name for name in following.get(waiting.pop(), ()) if name not in seen]
        seen.update(new)
        waiting.extend(new)
    return seen
