"""What pydantic found, in our words: what was expected, what came, and the nearest known key."""

from __future__ import annotations

import datetime as dt
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from tiercut.documents.parse import Key
from tiercut.errors import nearest

__all__ = ["described", "key_of", "message_of"]

_EXPECTED = {
    "string_type": "text",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_TEMPLATES = {
    "missing": "this key is missing",
    "missing_item": "expected more in this list, which ends after {last}",
    "invalid_key": "expected a key that is text, got {last}; put it in quotes",
    "finite_number": "expected a finite number, got {given}",
    "literal_error": "expected {expected}, got {given}",
    "greater_than": "expected a number greater than {gt:g}, got {given}",
    "greater_than_equal": "expected a number that is at least {ge:g}, got {given}",
    "less_than": "expected a number less than {lt:g}, got {given}",
    "less_than_equal": "expected a number that is at most {le:g}, got {given}",
    "too_short": "expected {min_length} or more in this list, got {actual_length}",
    "too_long": "expected {max_length} at most in this list, got {actual_length}",
    "string_too_short": "expected some text, got none",
}


def described(value: object) -> str:
    """Return a value of a document as a message names it."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, dt.date):
        return f"the date {value}"
    text = f"'{value}'" if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def key_of(loc: tuple[int | str, ...]) -> Key:
    """Return where pydantic's `loc` points to, without the names of its own machinery."""
    machinery = ("function-", "list[", "tuple[", "[key]")
    return tuple(part for part in loc if not (isinstance(part, str) and part.startswith(machinery)))


def message_of(error: dict[str, Any], model: type[BaseModel]) -> str:
    """Return the message for one of the errors of a pydantic validation of `model`."""
    kind, given, context, last = str(error["type"]), error.get("input"), error.get("ctx", {}), error["loc"][-1]
    if kind == "missing" and isinstance(last, int):
        kind = "missing_item"
    if kind == "extra_forbidden":
        return _unknown_key(key_of(error["loc"]), model)
    if kind == "value_error":
        return str(context["error"])
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, got {described(given)}{_hint(_EXPECTED[kind], given)}"
    if kind in _TEMPLATES:
        return _TEMPLATES[kind].format(given=described(given), last=last, **context)
    return f"{error['msg'].replace('Input should', 'should')}, got {described(given)}"


def _hint(expected: str, given: object) -> str:
    if expected == "text" and isinstance(given, bool | int | float | dt.date):
        return "; put it in quotes"
    if expected in ("a number", "a whole number") and isinstance(given, str) and _is_number(given):
        return "; leave the quotes out"
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unknown_key(key: Key, model: type[BaseModel]) -> str:
    known = list(_fields_at(model, key[:-1]))
    guess = nearest(str(key[-1]), known)
    advice = f"did you mean '{guess}'?" if guess else f"known here: {', '.join(known)}"
    return f"unknown key '{key[-1]}'; {advice}"


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
