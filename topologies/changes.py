"""A topology under other conditions: the same document with some values replaced, checked again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tiercut.documents import Si
from tiercut.errors import InputError, QuestionError, unknown_name
from tiercut.topologies.network import Network, network_of
from tiercut.topologies.schema import Link, Topology
from tiercut.topologies.sources import seen_from

__all__ = ["changed", "directions_of"]

_QUANTITIES = ("memory", "power", "idle_power", "price", "energy", "bandwidth", "latency", "mtu", "batch_wait", "rate")


def directions_of(topology: Topology | Network, link: str) -> tuple[tuple[str, str], ...]:
    """Return the directions that a person means by `link`.

    Parameters
    ----------
    topology
        Where to look the names up: a topology, or the network of one.
    link
        ``a-b`` for both directions between two nodes (as many as there are), ``a>b`` for one.

    Raises
    ------
    QuestionError
        If there is no such link, or ``a-b`` can be read in two ways because names hold a ``-``.
    """
    network = network_of(topology)
    found = [reading for names in _readings(link) if (reading := tuple(each for each in names if each in network.hops))]
    if len(found) > 1:
        raise QuestionError(
            f"'{link}' can be read as {' or '.join(map(_one_way, found))}; name each direction like that"
        )
    if not found:
        raise QuestionError(unknown_name("link", link, network.link_names))
    return found[0]


def _readings(link: str) -> Iterator[tuple[tuple[str, str], ...]]:
    if ">" in link:
        sender, _, receiver = link.partition(">")
        yield ((sender, receiver),)
        return
    parts = link.split("-")
    for cut in range(1, len(parts)):
        left, right = "-".join(parts[:cut]), "-".join(parts[cut:])
        yield (left, right), (right, left)


def _one_way(reading: tuple[tuple[str, str], ...]) -> str:
    return f"'{reading[0][0]}>{reading[0][1]}'"


def changed(
    topology: Topology,
    plain: Mapping[str, str],
    of_links: Mapping[str, Mapping[str, float]],
    slowdown: Mapping[str, float],
    exclude: tuple[str, ...],
    cut: tuple[str, ...] = (),
) -> Topology:
    """Return what `Topology.with_changes` promises."""
    for name in (*slowdown, *exclude):
        topology.index(name)
    network = topology.network if cut or any(of_links.values()) else None
    gone = {direction for link in cut for direction in directions_of(network or topology, link)}
    fresh = {
        (direction, key): value
        for key, values in of_links.items()
        for link, value in values.items()
        for direction in directions_of(network or topology, link)
    }
    if topology.sources is not None and "source" in plain:
        topology = seen_from(topology, _source_called(topology, plain["source"]))
        plain = {key: value for key, value in plain.items() if key != "source"}
    data = _written(topology) | dict(plain)
    if topology.sources is None:
        data.pop("sources", None)
    else:
        data["sources"] = [_written(each) for each in topology.sources]
    data["nodes"] = [
        _written(node) | ({"slowdown": slowdown[node.name]} if node.name in slowdown else {})
        for node in topology.nodes
        if node.name not in exclude
    ]
    data["links"] = [
        new
        for link in topology.links
        if not any(name in exclude for name in link.directions[0])
        for new in _changed_link(link, fresh, gone)
    ]
    try:
        return Topology.from_data(data, source=topology.name)
    except InputError as error:
        raise QuestionError("with these changes: " + "\n".join(each.render("") for each in error.faults)) from None


def _source_called(topology: Topology, name: str) -> str:
    """Return the source of several that a person means: by its name, or by its node."""
    sources = topology.sources or ()
    found = [each.called for each in sources if each.called == name] or [
        each.called for each in sources if each.node == name
    ]
    if len(found) != 1:
        if found:
            raise QuestionError(f"at '{name}' several sources are born: {', '.join(found)}; name one of them")
        raise QuestionError(unknown_name("source", name, [each.called for each in sources]))
    return found[0]


def _changed_link(
    link: Link, fresh: Mapping[tuple[tuple[str, str], str], float], gone: Collection[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Return the link with its new values, as one-way links where its directions now differ or one is gone."""
    new = [
        {key: Si(fresh[direction, key]) for key in ("bandwidth", "latency") if (direction, key) in fresh}
        for direction in link.directions
    ]
    left = [direction not in gone for direction in link.directions]
    if all(left) and all(each == new[0] for each in new):
        return [_written(link) | new[0]]
    rest = {key: value for key, value in _written(link).items() if key != "between"}
    ways = zip(link.directions, new, left, strict=True)
    return [rest | {"from": a, "to": b} | each for (a, b), each, stays in ways if stays]


def _written(part: Any) -> dict[str, Any]:
    """Return what the document says of `part`, with quantities marked as being in SI units."""
    said = {
        (field.alias or name): getattr(part, name)
        for name, field in type(part).model_fields.items()
        if name in part.model_fields_set
    }
    return {key: Si(value) if key in _QUANTITIES and value is not None else value for key, value in said.items()}
