"""New figures for a link in the text of a topology file, of which everything else stays as it is.

The text is edited where the values stand, as writing the whole document anew would move comments and spaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tiercut import units
from tiercut.errors import QuestionError
from tiercut.topologies.loader import topology_from_text
from tiercut.topologies.quoting import quoted

__all__ = ["with_link"]

Direction: TypeAlias = tuple[str, str]
Figures: TypeAlias = tuple[float, float]
"""Bandwidth in bytes per second, and latency in seconds."""
Node: TypeAlias = Any
"""A node of ruamel's tree: it knows where it begins and ends in the text."""
Splice: TypeAlias = tuple[int, int, str]
"""What stands from one place to another, and what takes its place."""


def with_link(text: str, source: str, figures: Mapping[Direction, Figures]) -> str:
    """Return the text of a topology with other figures for some directions.

    Parameters
    ----------
    text
        A topology, as YAML or JSON.
    source
        What to call it in an error.
    figures
        By sender and receiver. A link ``between`` two nodes becomes two one-way links; a direction without a link gets
        one at the end.

    Raises
    ------
    InputError
        If the text is no topology, before or after.
    QuestionError
        If a node is unknown, or the links have anchors or aliases, so that a figure may be that of several.
    """
    before = topology_from_text(text, source)
    for direction in figures:
        for name in direction:
            before.index(name)
    said = {
        direction: {"bandwidth": units.format_bandwidth(bandwidth), "latency": units.format_seconds(latency)}
        for direction, (bandwidth, latency) in figures.items()
    }
    _check_no_aliases(text)
    new = text
    for begin, end, words in sorted(_splices(text, said), reverse=True):
        new = new[:begin] + words + new[end:]
    topology_from_text(new, source)
    return new


def _check_no_aliases(text: str) -> None:
    from ruamel.yaml import YAML
    from ruamel.yaml.events import AliasEvent

    links = next((value for key, value in _compose(text).value if key.value == "links"), None)
    if links is None:
        return
    for event in YAML(typ="rt", pure=True).parse(text):
        named = getattr(event, "anchor", None)
        if named is not None and _begin(links) <= event.start_mark.index < links.end_mark.index:
            sign = "*" if isinstance(event, AliasEvent) else "&"
            raise QuestionError(
                f"figures cannot be written among links that share values ('{sign}{named}' in line "
                f"{event.start_mark.line + 1}); write the values out"
            )


@dataclass(frozen=True, slots=True)
class _Link:
    """One entry of ``links``, and how it is written."""

    text: str
    node: Node

    @property
    def pairs(self) -> dict[str, tuple[Node, Node]]:
        return {key.value: (key, value) for key, value in self.node.value}

    @property
    def in_quotes(self) -> bool:
        return bool(self.node.value[0][0].style)

    @property
    def between_pairs(self) -> str:
        """What stands between two keys."""
        return ", " if self.node.flow_style else "\n" + " " * self.node.start_mark.column

    def raw(self, *nodes: Node) -> str:
        return self.text[_begin(nodes[0]) : _end(nodes[-1])]

    def ends(self) -> tuple[Node, ...]:
        """Return the nodes of the names that it joins: sender and receiver, or both of ``between``."""
        pairs = self.pairs
        return tuple(pairs["between"][1].value) if "between" in pairs else (pairs["from"][1], pairs["to"][1])

    def written(self, **values: str) -> str:
        """Return pairs as this entry would have them."""
        mark = '"' if self.in_quotes else ""
        return self.between_pairs.join(f"{mark}{key}{mark}: {value}" for key, value in values.items())

    def new_value(self, key: str, value: str) -> Splice:
        node = self.pairs[key][1]
        return _begin(node), _end(node), quoted(value, always=bool(node.style))


def _splices(text: str, said: Mapping[Direction, Mapping[str, str]]) -> Iterator[Splice]:
    root = _compose(text)
    links = next((value for key, value in root.value if key.value == "links"), None)
    entries = [_Link(text, node) for node in (links.value if links is not None else ()) or ()]
    left = dict(said)
    for entry in entries:
        first, second = (str(node.value) for node in entry.ends())
        if "between" not in entry.pairs and (first, second) in left:
            yield from (entry.new_value(key, value) for key, value in left.pop((first, second)).items())
        elif "between" in entry.pairs and ((first, second) in left or (second, first) in left):
            there, back = left.pop((first, second), {}), left.pop((second, first), {})
            yield from _split(links, entry, there, back)
    if left:
        yield _appended(text, root, links, entries, left)


def _split(links: Node, entry: _Link, there: Mapping[str, str], back: Mapping[str, str]) -> Iterator[Splice]:
    """Make two one-way links of one: a new one before it, and itself turned round."""
    first, second = (entry.raw(node) for node in entry.ends())
    rest = {key: entry.raw(value) for key, (_, value) in entry.pairs.items() if key != "between"}
    fresh = {key: quoted(value, always=bool(entry.pairs[key][1].style)) for key, value in there.items()}
    words = entry.written(**{"from": first, "to": second, **rest, **fresh})
    begin = _begin(entry.node)
    if entry.node.flow_style:
        words = "{" + words + "}"
    yield begin, begin, words + _after(links)
    key, value = entry.pairs["between"]
    yield _begin(key), _end(value), entry.written(**{"from": second, "to": first})
    yield from (entry.new_value(key, value) for key, value in back.items())


def _after(links: Node) -> str:
    """Return what stands between two links of the list."""
    return ", " if links.flow_style else "\n" + " " * links.start_mark.column + "- "


def _appended(
    text: str, root: Node, links: Node, entries: list[_Link], left: Mapping[Direction, Mapping[str, str]]
) -> Splice:
    """Return the new links after the last one, or the whole list where there is none."""
    mark = bool(root.value[0][0].style)
    added = [_written({"from": a, "to": b, **said}, mark) for (a, b), said in left.items()]
    if entries:
        last = entries[-1].node
        end = _end(last) if links.flow_style else _line_end(text, _end(last))
        return end, end, "".join(_after(links) + each for each in added)
    if links is not None:
        return _begin(links), _end(links), "[" + ", ".join(added) + "]"
    if root.flow_style:
        end = _end(root) - 1
        return end, end, f", {quoted('links', always=mark)}: [" + ", ".join(added) + "]"
    lines = "".join(f"\n  - {each}" for each in added)
    return len(text), len(text), ("" if text.endswith("\n") else "\n") + f"links:{lines}\n"


def _written(values: Mapping[str, str], mark: bool) -> str:
    """Return a mapping in one line, its words in quotes where all others are."""
    pairs = (f"{quoted(key, always=mark)}: {quoted(value, always=mark)}" for key, value in values.items())
    return "{" + ", ".join(pairs) + "}"


def _compose(text: str) -> Node:
    from ruamel.yaml import YAML

    return YAML(typ="rt", pure=True).compose(text)


def _begin(node: Node) -> int:
    return int(node.start_mark.index)


def _end(node: Node) -> int:
    """Return where a node ends; one in block style is said to end where the next begins, so its last part is asked."""
    if node.id == "mapping" and not node.flow_style:
        return _end(node.value[-1][1])
    if node.id == "sequence" and not node.flow_style:
        return _end(node.value[-1])
    return int(node.end_mark.index)


def _line_end(text: str, place: int) -> int:
    end = text.find("\n", place)
    end = len(text) if end < 0 else end
    return end - 1 if text[place:end].endswith("\r") else end
