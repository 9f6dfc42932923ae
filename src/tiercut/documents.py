"""Documents that people write: read safely, checked by pydantic, refused with file, line, column and key path.

Topologies, queries, profiles and answers all come through here, so that a fault reads the same
wherever it stands. A file is bounded in size before it is opened; YAML aliases (the means of the
"billion laughs") and deep nesting are refused before anything is built from them.
"""

from __future__ import annotations

import json
import os
import tempfile
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema

from tiercut import units
from tiercut.errors import Fault, InputError, nearest

__all__ = ["Document", "load", "parse_json", "parse_yaml", "quantity", "read_text", "validate", "write_text"]

_MAX_DEPTH = 40
_MAX_FAULTS = 12
_LOCATABLE = 4 << 20  # beyond this many characters a fault is named by its key alone

Key = tuple[str | int, ...]
M = TypeVar("M", bound="Document")


class Document(BaseModel):
    """Base of everything that stands in a file: unknown keys and loose types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield what is wrong between keys that are each right by themselves: the key and a message.

        Asked by `validate` once every field has its type; a document that has such rules overrides it.
        """
        return ()


def quantity(kind: str, *, positive: bool = False) -> Any:
    """Return the type of a field that is written with a unit and held as an SI float.

    Code that has the number in the inner unit already wraps it in `Si`; files hold text, and a bare number
    in one of them is refused.
    """

    def read(value: object) -> float:
        if isinstance(value, Si):
            return float(value)
        return units.parse(value, kind, positive=positive)

    schema = {"type": "string", "description": f"a {kind}", "examples": [units.EXAMPLES[kind]]}
    return Annotated[float, BeforeValidator(read), WithJsonSchema(schema)]


class Si(float):
    """A number that is already in the inner unit; the way for code to fill a `quantity` field."""


def read_text(path: str | os.PathLike[str], *, limit: int) -> str:
    """Return the text of a file.

    Parameters
    ----------
    path
        The file to read.
    limit
        Most bytes that a file of this kind may have; a larger one is refused before it is opened.

    Raises
    ------
    InputError
        If the file is missing, empty, too large, unreadable or not UTF-8.
    """
    source = os.fspath(path)
    try:
        size = os.stat(path).st_size
        if size > limit:
            raise InputError(source, f"the file has {size:,} bytes, more than the {limit:,} that one of its kind may have")
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(source, "there is no such file") from None
    except OSError as error:
        raise InputError(source, f"cannot be read: {error.strerror or error}") from None
    return _decode(data, source)


def _decode(data: bytes, source: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        message = f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8; save the file as UTF-8 text"
        raise InputError(source, [Fault(message, line=line)]) from None
    if not text.strip():
        raise InputError(source, "the file is empty")
    return text


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file whole: into a temporary one beside it, then renamed, so that a reader never sees half."""
    write_whole(path, lambda stream: stream.write(text.encode()))


def write_whole(path: str | os.PathLike[str], fill: Callable[[Any], object]) -> None:
    """Let `fill` write into a temporary binary file beside `path`, then rename it to `path`."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            fill(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def parse_json(text: str, source: str) -> Any:
    """Return the value of a JSON text; NaN, infinities and repeated keys are refused."""

    def refuse(constant: str) -> NoReturn:
        raise InputError(source, f"holds {constant}, which is not a JSON number; every number must be finite")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError(source, [Fault("the key stands twice in one object", key=twice)])
        return made

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise InputError(source, [Fault(f"not JSON: {error.msg}", line=error.lineno, column=error.colno)]) from None
    except RecursionError:
        raise InputError(source, "is nested too deeply") from None
    except ValueError as error:
        raise InputError(source, f"not JSON: {error}") from None


def parse_yaml(text: str, source: str) -> Any:
    """Return the value of a YAML 1.2 text as plain Python; aliases and deep nesting are refused."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    yaml = YAML(typ="safe", pure=True)
    try:
        _refuse_bombs(yaml.parse(text), source)
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        message = f"not YAML: {' '.join(str(error.problem or error.context).split())}"
        raise InputError(source, [Fault(message, line=line, column=column)]) from None
    except (YAMLError, ValueError) as error:
        raise InputError(source, f"not YAML: {' '.join(str(error).split())}") from None


def _refuse_bombs(events: Iterable[Any], source: str) -> None:
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

    depth = 0
    for event in events:
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if isinstance(event, AliasEvent) or depth > _MAX_DEPTH:
            what = f"alias '*{event.anchor}' is not supported; write the value out" if depth <= _MAX_DEPTH else "is nested too deeply"
            raise InputError(source, [Fault(what, line=event.start_mark.line + 1, column=event.start_mark.column + 1)])


def load(path: str | os.PathLike[str], model: type[M], *, format_: str, limit: int) -> M:
    """Read, parse and check the document at `path` (JSON by its ending, otherwise YAML)."""
    source = os.fspath(path)
    text = read_text(path, limit=limit)
    data = (parse_json if source.endswith(".json") else parse_yaml)(text, source)
    return validate(data, model, format_=format_, source=source, text=text)


def validate(data: Any, model: type[M], *, format_: str, source: str, text: str = "") -> M:
    """Return `data` as a `model`.

    Parameters
    ----------
    data
        What the document holds, as plain Python.
    model
        The pydantic model of the document.
    format_
        The ``format`` that the document must name, such as ``tiercut.topology/1``.
    source, text
        Its name and text, to say where a fault stands.

    Raises
    ------
    InputError
        With every fault found, each at its place.
    """
    if not isinstance(data, dict):
        raise InputError(source, f"expected a mapping with 'format: {format_}', got {_kind_of(data)}")
    found = data.get("format")
    if found != format_:
        got = "no 'format' key" if found is None else f"format {found!r}"
        message = f"expected format '{format_}', got {got}; this version of tiercut reads no other"
        raise InputError(source, [_locate([(("format",), message)], text)[0]])
    try:
        document = model.model_validate(data)
    except ValidationError as error:
        found_faults = [(_key_of(each["loc"]), _message(dict(each), model)) for each in error.errors(include_url=False)]
        raise InputError(source, _locate(found_faults, text)) from None
    if wrong := list(document.faults()):
        raise InputError(source, _locate(wrong, text))
    return document


def _kind_of(value: object) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", bool: "a truth value", type(None): "nothing"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def _key_of(loc: tuple[int | str, ...]) -> Key:
    return tuple(part for part in loc if not (isinstance(part, str) and part.startswith(("function-", "list["))))


def _message(error: dict[str, Any], model: type[BaseModel]) -> str:
    """Say in our words what pydantic found."""
    kind, given = str(error["type"]), error.get("input")
    key = _key_of(error["loc"])
    if kind == "extra_forbidden":
        known = list(_fields_at(model, key[:-1]))
        guess = nearest(str(key[-1]), known)
        return f"unknown key '{key[-1]}'; " + (f"did you mean '{guess}'?" if guess else f"known here: {', '.join(known)}")
    if kind == "missing":
        return "this key is missing"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "finite_number":
        return f"expected a finite number, got {given}"
    if kind == "literal_error":
        return f"expected {error['ctx']['expected']}, got {given!r}"
    if kind.endswith(("_type", "_parsing")):
        hint = "; put it in quotes" if kind == "string_type" and isinstance(given, int | float) else ""
        return f"{error['msg'].replace('Input should be', 'expected')}, got {_short(given)}{hint}"
    return f"{error['msg'].replace('Input should', 'should')}, got {_short(given)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fields_at(model: type[BaseModel], key: Key) -> Iterable[str]:
    """Return the names of the keys that the model knows at `key`."""
    here: type[BaseModel] | None = model
    for part in key:
        if here is not None and isinstance(part, str) and part in (names := _by_alias(here)):
            here = _model_in(names[part])
    return _by_alias(here) if here is not None else ()


def _by_alias(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(each) for each in typing.get_args(annotation))
    return next((each for each in inner if each is not None), None)


def _locate(found: list[tuple[Key, str]], text: str) -> list[Fault]:
    """Turn keys into faults with positions, by composing the text again (JSON is YAML, near enough)."""
    root = _compose(text) if text and len(text) <= _LOCATABLE else None
    faults = []
    for key, message in found[:_MAX_FAULTS]:
        line, column = _position(root, key)
        faults.append(Fault(message, _render(key), line, column))
    if len(found) > _MAX_FAULTS:
        faults.append(Fault(f"... and {len(found) - _MAX_FAULTS} more"))
    return faults


def _compose(text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, ValueError, RecursionError):
        return None


def _position(node: Any, key: Key) -> tuple[int | None, int | None]:
    """Return where the value at `key` begins, or the closest thing around it that exists."""
    mark = node.start_mark if node is not None else None
    for part in key:
        children = getattr(node, "value", None)
        if isinstance(part, int) and isinstance(children, list) and part < len(children) and node.id == "sequence":
            node = children[part]
        elif isinstance(part, str) and node is not None and node.id == "mapping":
            pair = next((pair for pair in children or () if pair[0].value == part), None)
            if pair is None:
                break
            node = pair[1]
        else:
            break
        mark = node.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (None, None)


def _render(key: Key) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".")
