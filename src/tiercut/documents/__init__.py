"""Documents that people write: read safely, checked by pydantic, refused with file, line, column and key path.

Topologies, queries, profiles and answers all come through here, so that a fault reads the same wherever it stands.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema

from tiercut import units
from tiercut.documents.files import check_writable, read_bytes, read_text, write_text, write_whole
from tiercut.documents.messages import described, key_of, message_of
from tiercut.documents.parse import Key, locate, parse_json, parse_yaml
from tiercut.errors import Fault, InputError

__all__ = [
    "Document",
    "Key",
    "Si",
    "check_writable",
    "load",
    "loads",
    "parse_json",
    "parse_yaml",
    "quantity",
    "read_bytes",
    "read_text",
    "validate",
    "write_text",
    "write_whole",
]

_MAX_FAULTS = 12

M = TypeVar("M", bound="Document")


class Document(BaseModel):
    """Base of everything that stands in a file: unknown keys and loose types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield what is wrong between keys that are each right by themselves: the key and a message.

        Asked by `validate` once every field has its type; a document that has such rules overrides it.
        """
        return ()

    @classmethod
    def model_rebuild(cls, *, _parent_namespace_depth: int = 2, **options: Any) -> bool | None:
        """Compile the document, as pydantic does when one is first read, without its plugins.

        Looking for plugins reads the metadata of every package that is installed, and documents need none.
        """
        with _no_plugins():
            return super().model_rebuild(_parent_namespace_depth=_parent_namespace_depth + 1, **options)


@contextmanager
def _no_plugins() -> Iterator[None]:
    """Keep pydantic from looking for plugins, unless the user said which; what comes after finds them as ever."""
    if "PYDANTIC_DISABLE_PLUGINS" in os.environ:
        yield
        return
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    try:
        yield
    finally:
        os.environ.pop("PYDANTIC_DISABLE_PLUGINS", None)


class Si(float):
    """A number that is already in the inner unit; the way for code to fill a `quantity` field."""


def quantity(kind: str, *, positive: bool = False) -> Any:
    """Return the type of a field that is written with a unit and held as an SI float.

    Code that has the number in the inner unit already wraps it in `Si`; files hold text, and a bare number
    in one of them is refused.

    Parameters
    ----------
    kind
        One of the keys of `tiercut.units.UNITS`.
    positive
        Whether zero is refused as well as what is negative.
    """

    def read(value: object) -> float:
        if not isinstance(value, Si):
            return units.parse(value, kind, positive=positive)
        if not math.isfinite(value) or value < 0 or (positive and not value):
            least = "greater than 0" if positive else "0 or more"
            raise ValueError(f"a {kind} must be finite and {least}, got {float(value)}")
        return float(value)

    schema = {"type": "string", "pattern": units.pattern(kind), "examples": [units.EXAMPLES[kind]]}
    return Annotated[float, BeforeValidator(read), WithJsonSchema(schema)]


def load(path: str | os.PathLike[str], model: type[M], *, format_: str, limit: int) -> M:
    """Read, parse and check the document at `path` (JSON by its ending, otherwise YAML).

    Parameters
    ----------
    path
        The file.
    model
        The pydantic model of the document.
    format_
        The ``format`` that the document must name, such as ``tiercut.topology/1``.
    limit
        Most bytes that a file of this kind may have.

    Raises
    ------
    InputError
        If the file cannot be read, or with every fault found in it, each at its place.
    """
    return loads(read_text(path, limit=limit), os.fspath(path), model, format_=format_)


def loads(text: str, source: str, model: type[M], *, format_: str) -> M:
    """Parse and check the text of a document, as `load` does with that of a file called `source`.

    Raises
    ------
    InputError
        With every fault found in it, each at its place.
    """
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
        got = "nothing" if data is None else described(data)
        raise InputError(source, f"expected a mapping that begins with 'format: {format_}', got {got}")
    if data.get("format") != format_:
        raise InputError(source, _located([(("format",), _format_fault(data, format_))], text))
    try:
        document = model.model_validate(data)
    except ValidationError as error:
        found = [(key_of(each["loc"]), message_of(dict(each), model)) for each in error.errors(include_url=False)]
        raise InputError(source, _located(found, text)) from None
    if wrong := list(document.faults()):
        raise InputError(source, _located(wrong, text))
    return document


def _format_fault(data: dict[Any, Any], wanted: str) -> str:
    """Say whether the format is missing, that of another document, or of a version that is not known."""
    if "format" not in data:
        return f"this key is missing; expected 'format: {wanted}'"
    found, kind = data["format"], wanted.partition("/")[0]
    if isinstance(found, str) and found.startswith(f"{kind}/"):
        return f"expected '{wanted}', got '{found}': this version of tiercut reads no other version of {_noun(kind)}"
    if isinstance(found, str) and found.startswith("tiercut."):
        return f"expected {_noun(kind)}, '{wanted}', got {_noun(found.partition('/')[0])}, {described(found)}"
    return f"expected '{wanted}', got {described(found)}"


def _noun(kind: str) -> str:
    """Return what a kind of document is called, with its article."""
    noun = kind.removeprefix("tiercut.")
    return f"{'an' if noun[:1] in set('aeiou') else 'a'} {noun}"


def _located(found: Sequence[tuple[Key, str]], text: str) -> list[Fault]:
    shown = found[:_MAX_FAULTS]
    places = locate(text, [key for key, _ in shown])
    faults = [
        Fault(message, _rendered(key), line, column)
        for (key, message), (line, column) in zip(shown, places, strict=True)
    ]
    faults.sort(key=lambda fault: (fault.line or 0, fault.column or 0))
    if len(found) > _MAX_FAULTS:
        faults.append(Fault(f"... and {len(found) - _MAX_FAULTS} more"))
    return faults


def _rendered(key: Key) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".")
