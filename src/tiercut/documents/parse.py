"""JSON and YAML texts to plain Python, and back to the place where a key stands.

YAML anchors, aliases and merge keys are read as long as what they repeat stays small (the "billion laughs" are told by
counting, before anything is built). Deep nesting, keys that stand twice and numbers that are none are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from tiercut.errors import Fault, InputError

__all__ = ["Key", "locate", "parse_json", "parse_yaml"]

Key: TypeAlias = tuple[str | int, ...]
"""The path to a value in a document: names of keys and places in lists, counted from 0."""

_MAX_DEPTH = 40
_MAX_REPEATED = 100_000
_LOCATABLE = 1 << 20  # characters of YAML beyond which composing it again would take too long
_MERGE = "tag:yaml.org,2002:merge"
_SPACE = re.compile(r"[ \t\n\r,:]*")


def parse_json(text: str, source: str) -> Any:
    """Return the value of a JSON text; NaN, infinities, repeated keys and deep nesting are refused."""

    def refuse(constant: str) -> NoReturn:
        raise InputError(source, f"holds {constant}, which is not a JSON number; every number must be finite")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(pairs)
        if len(mapping) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError(source, [Fault("the key stands twice in one object", key=twice)])
        return mapping

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise InputError(source, [Fault(f"not JSON: {error.msg}", line=error.lineno, column=error.colno)]) from None
    except RecursionError:
        raise InputError(source, "is nested too deeply") from None
    except ValueError as error:
        raise InputError(source, f"not JSON: {error}") from None


def parse_yaml(text: str, source: str) -> Any:
    """Return the value of a YAML 1.2 text, with merge keys, as plain Python.

    Raises
    ------
    InputError
        If it is no such text, a key stands twice, it is nested too deeply, or its aliases repeat too much.
    """
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return _bounded_yaml(source).load(text)
    except DuplicateKeyError as error:
        key = re.search('"(.*?)"', str(error.problem))
        message = "the key stands twice in one mapping; keep one of them"
        raise InputError(source, [_fault_at(error.problem_mark, message, key[1] if key else "")]) from None
    except MarkedYAMLError as error:
        raise InputError(source, [_fault_at(error.problem_mark or error.context_mark, _yaml_problem(error))]) from None
    except YAMLError as error:
        raise InputError(source, f"not YAML: {' '.join(str(error).split())}") from None
    except ValueError as error:
        what = str(error).split(";")[0]
        message = f"holds something that looks like a date or a number but is none ({what}); put text in quotes"
        raise InputError(source, message) from None


def _bounded_yaml(source: str) -> Any:
    """Return a safe loader that stops where nodes, or what aliases repeat of them, become too deep or too many."""
    from ruamel.yaml import YAML
    from ruamel.yaml.composer import Composer
    from ruamel.yaml.events import AliasEvent

    class Bounded(Composer):
        depth = deepest = nodes = repeated = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.warn_double_anchors = False
            self.sizes: dict[str, _Size] = {}

        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.parser.peek_event()
            if isinstance(event, AliasEvent):
                self.repeat(event)
                return super().compose_node(parent, index)
            self.reach(event, self.depth)
            anchor, outer, before = event.anchor, self.deepest, self.nodes
            if anchor is not None:
                self.sizes.pop(anchor, None)  # until it is whole, an alias of it would be a part of itself
                self.deepest = self.depth
            self.nodes += 1
            self.depth += 1
            node = super().compose_node(parent, index)
            self.depth -= 1
            if (twice := _key_twice(node)) is not None:
                message = "the key stands twice in one mapping; keep one of them"
                raise InputError(source, [_fault_at(twice.start_mark, message, twice.value)])
            if anchor is not None:
                self.sizes[anchor] = _Size(self.nodes - before, self.deepest - self.depth)
                self.deepest = max(outer, self.deepest)
            return node

        def repeat(self, event: Any) -> None:
            """Count what an alias stands for, before anything goes through it."""
            size = self.sizes.get(event.anchor)
            if size is None and event.anchor in self.anchors:
                raise InputError(source, [_fault_at(event.start_mark, f"the alias '*{event.anchor}' holds itself")])
            if size is not None:
                self.reach(event, self.depth + size.height)
                self.nodes += size.nodes
                self.repeated += size.nodes
            if self.repeated > _MAX_REPEATED:
                message = f"the aliases up to here repeat more than {_MAX_REPEATED:,} values; write fewer of them"
                raise InputError(source, [_fault_at(event.start_mark, message)])

        def reach(self, event: Any, depth: int) -> None:
            self.deepest = max(self.deepest, depth)
            if depth > _MAX_DEPTH:
                raise InputError(source, [_fault_at(event.start_mark, "is nested too deeply")])

    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = Bounded
    return yaml


def _key_twice(node: Any) -> Any:
    """Return the key that a mapping with a merge key repeats itself, which ruamel takes for one that was merged."""
    names = [name for name, _ in node.value if name.id == "scalar"] if node.id == "mapping" else []
    if any(name.tag == _MERGE for name in names):
        for place, name in enumerate(names):
            if any(name.value == before.value for before in names[:place]):
                return name
    return None


@dataclass(frozen=True, slots=True)
class _Size:
    """What an anchor names, with its aliases written out: how many nodes, and how many levels below its own."""

    nodes: int
    height: int


def _fault_at(mark: Any, message: str, key: str = "") -> Fault:
    return Fault(message, key, mark.line + 1, mark.column + 1) if mark else Fault(message, key)


def _yaml_problem(error: Any) -> str:
    said = ", ".join(" ".join(str(part).split()) for part in (error.context, error.problem) if part)
    hint = "; indent with spaces, not tabs" if r"'\t'" in said else ""
    return f"not YAML: {said}{hint}"


def locate(text: str, keys: Iterable[Key]) -> list[tuple[int | None, int | None]]:
    """Return 1-based line and column where the value of each key begins.

    For a key that is not there it is the closest thing around it. Without a text, or with one that cannot be read
    again, nothing is known.
    """
    wanted = list(keys)
    if not text:
        return [(None, None)] * len(wanted)
    if text.lstrip()[:1] == "{":
        try:
            return [_position(text, _json_offset(text, key)) for key in wanted]
        except (ValueError, IndexError, RecursionError):
            pass  # a flow mapping of YAML
    root = _compose(text) if len(text) <= _LOCATABLE else None
    return [_node_position(root, key) for key in wanted]


def _position(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _json_offset(text: str, key: Key) -> int:
    here = _next(text, 0)
    for part in key:
        found = next((at for name, at in _json_children(text, here) if name == part), None)
        if found is None:
            break
        here = found
    return here


def _json_children(text: str, here: int) -> Iterator[tuple[str | int, int]]:
    """Yield name or place, and offset, of what the object or list at `here` holds, by the decoder's own scanner."""
    if text[here] not in "[{":
        return
    scan = json.JSONDecoder().raw_decode
    at, place = _next(text, here + 1), 0
    while text[at] not in "]}":
        name: str | int = place
        if text[here] == "{":
            name, end = scan(text, at)
            at = _next(text, end)
        yield name, at
        at, place = _next(text, scan(text, at)[1]), place + 1


def _next(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _compose(text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, ValueError, RecursionError):
        return None


def _node_position(node: Any, key: Key) -> tuple[int | None, int | None]:
    if node is None:
        return None, None
    for part in key:
        child = _child(node, part)
        if child is None:
            break
        node = child
    return node.start_mark.line + 1, node.start_mark.column + 1


def _child(node: Any, part: str | int) -> Any:
    if node.id == "sequence" and isinstance(part, int) and part < len(node.value):
        return node.value[part]
    if node.id != "mapping":
        return None
    own = next((value for name, value in node.value if name.value == str(part)), None)
    return own if own is not None else next(filter(None, (_child(each, part) for each in _merged(node))), None)


def _merged(node: Any) -> Iterator[Any]:
    """Yield the mappings that a mapping's merge key takes keys from."""
    for name, value in node.value:
        if name.tag == _MERGE:
            yield from value.value if value.id == "sequence" else [value]
