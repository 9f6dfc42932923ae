"""Tensors in messages: raw bytes beside a name, a type and a shape, checked before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.offloader.bundles.manifest import TensorSpec
from tiercut.offloader.protocol.messages import is_request

__all__ = ["DATATYPES", "describe", "fill", "put", "put_parameters", "take", "take_parameters"]

DATATYPES: Mapping[str, str] = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
}
"""What the protocol calls the types of numpy."""

_MOST_PARAMETERS, _LONGEST = 256, 4096


@cache
def _datatype(dtype: np.dtype[Any]) -> str:
    return DATATYPES[dtype.name]


def put(message: Any, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Put tensors into a request as its inputs, or into a response as its outputs, in order."""
    fill(message, describe(message, tensors))


def describe(message: Any, tensors: Mapping[str, NDArray[Any]]) -> list[NDArray[np.uint8]]:
    """Put names, types and shapes of tensors into a request or a response, and return the bytes that belong to them.

    The bytes are those of the tensors themselves where these lie side by side in memory.
    """
    described = message.inputs if is_request(message.__class__) else message.outputs
    found = []
    for name, numbers in tensors.items():
        described.add(name=name, datatype=_datatype(numbers.dtype), shape=numbers.shape)
        found.append(np.ascontiguousarray(numbers).reshape(-1).view(np.uint8))
    return found


def fill(message: Any, contents: Sequence[NDArray[np.uint8]]) -> None:
    """Put the bytes of tensors into a message that describes them."""
    raw = message.raw_input_contents if is_request(message.__class__) else message.raw_output_contents
    raw.extend(each.tobytes() for each in contents)


def take(
    message: Any, wanted: Sequence[TensorSpec], contents: Sequence[Any] | None = None, *, others: bool = False
) -> dict[str, NDArray[Any]]:
    """Return the tensors of a request or a response, which must be exactly those that are wanted, in any order.

    Nothing is made before names, types, shapes and numbers of bytes are known to fit, and nothing is copied but what
    begins where its numbers cannot be read.

    Parameters
    ----------
    message
        The request or response.
    wanted
        What is to be in it.
    contents
        The bytes of the tensors, where they came beside the message.
    others
        Whether there may be others beside them, which are left out.

    Raises
    ------
    QuestionError
        Says which tensor is missing, one too many, or not what was expected.
    """
    from_caller = is_request(message.__class__)
    described = list(message.inputs if from_caller else message.outputs)
    raw = contents
    if raw is None:
        raw = message.raw_input_contents if from_caller else message.raw_output_contents
    fit = len(described) >= len(wanted) if others else len(described) == len(wanted)
    if not fit or len(raw) != len(described):
        raise QuestionError(
            f"expected {len(wanted)} tensors ({', '.join(each.name for each in wanted)}) with raw contents, got "
            f"{len(described)} with {len(raw)}"
        )
    by_name = {each.name: place for place, each in enumerate(described)}
    found: dict[str, NDArray[Any]] = {}
    for spec in wanted:
        name, dtype, shape = spec.name, spec.dtype, spec.shape
        if name not in by_name:
            raise QuestionError(f"there is no tensor '{name}' among {', '.join(by_name)[:200]}")
        place = by_name[name]
        came = raw[place]  # which a message copies each time
        _check(spec, described[place], len(came))
        numbers = np.frombuffer(came, dtype)
        found[name] = (numbers if numbers.flags.aligned else numbers.copy()).reshape(shape)
    return found


def _check(spec: TensorSpec, described: Any, size: int) -> None:
    if described.datatype != DATATYPES[spec.dtype] or described.shape != spec.shape:
        raise QuestionError(
            f"tensor '{spec.name}': expected {DATATYPES[spec.dtype]} of {list(spec.shape)}, got "
            f"{described.datatype[:20]} of {list(described.shape)[:8]}"
        )
    if size != spec.nbytes:
        raise QuestionError(f"tensor '{spec.name}': expected {spec.nbytes} bytes, got {size}")


def put_parameters(message: Any, values: Mapping[str, str | int | bool]) -> None:
    """Put parameters into a message, in types that every server of the protocol takes: text, int64 and bool.

    Shares and seconds go as text, or as whole nanoseconds: servers drop what is a double.
    """
    for name, value in values.items():
        entry = message.parameters[name]
        if isinstance(value, bool):
            entry.bool_param = value
        elif isinstance(value, int):
            entry.int64_param = value
        else:
            entry.string_param = value


def take_parameters(message: Any) -> dict[str, str | int | bool]:
    """Return the parameters of a message; those of other types are left out.

    Raises
    ------
    QuestionError
        If there are too many, or one is too long.
    """
    if len(message.parameters) > _MOST_PARAMETERS:
        raise QuestionError(f"a message has {_MOST_PARAMETERS} parameters at most, not {len(message.parameters)}")
    found: dict[str, str | int | bool] = {}
    for name, entry in message.parameters.items():
        kind = entry.WhichOneof("parameter_choice")
        if kind not in ("bool_param", "int64_param", "string_param"):
            continue
        value = getattr(entry, kind)
        if len(name) > _LONGEST or (isinstance(value, str) and len(value) > _LONGEST):
            raise QuestionError(f"a parameter has {_LONGEST} characters at most")
        found[name] = value
    return found
