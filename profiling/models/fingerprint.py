"""The architecture of a Keras model as a hash, which tells networks apart but not their weights.

It is the same in every process and with every Keras that builds the same network. So it holds what the user built:
kinds of layers, the settings that are not the defaults, and how layers are joined; no names, which Keras makes up, no
addresses in memory, no names of modules, and nothing that only training needs.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tiercut.profiling.models.keras_calls import LayerCall, functional, layer_calls

__all__ = ["fingerprint"]

_OF_TRAINING = ("initializer", "regularizer", "constraint")
_SAY_NOTHING = ("name", "dtype", "trainable", "autocast", "build_config", "module", "registered_name")
"""Settings that Keras makes up, or that change no time; the type of numbers is read of the layer itself."""

_DEEPEST = 20


def fingerprint(model: Any) -> str:
    """Return the SHA-256 of a model's architecture: its layers, their settings, and how they are joined.

    The values of the weights do not count, since they change no time.
    """
    return _hash([_described(call) for call in layer_calls(model)])


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _described(call: LayerCall) -> object:
    """Return what counts of one call of a layer, as JSON takes it."""
    constants = [*_constants(call.node.arguments.args), *_constants(call.node.arguments.kwargs)]
    types = [str(getattr(call.layer, "compute_dtype", "")), str(getattr(call.output, "dtype", ""))]
    return [type(call.layer).__name__, _settings(call.layer), constants, call.parents, list(call.output.shape), types]


def _constants(arguments: Any) -> Iterator[object]:
    """Yield what a call was given beside tensors and beside what Keras adds of its own accord."""
    import keras

    pairs = arguments.items() if isinstance(arguments, Mapping) else enumerate(arguments)
    for key, value in pairs:
        if key != "training" and value is not None:
            flat = keras.tree.flatten(value)
            if not any(isinstance(each, keras.KerasTensor) for each in flat):
                yield [str(key), _plain(value)]


def _settings(layer: Any, depth: int = 0) -> object:
    """Return the settings of a layer that are not their defaults."""
    inner = functional(layer)
    if inner is not None:
        return fingerprint(inner) if len(inner.inputs) == len(inner.outputs) == 1 else _several(inner)
    if type(layer).__name__ == "Lambda":  # its settings hold the code as one Python version and one folder have it
        return [_function(layer.function, depth), _plain(getattr(layer, "arguments", None), depth + 1)]
    try:
        config = layer.get_config()
    except NotImplementedError:  # an operation outside a layer may have none
        config = {key: value for key, value in vars(layer).items() if not key.startswith("_")}
    return _without_defaults(config, type(layer), depth)


def _several(inner: Any) -> object:
    """Return what counts of a model of several inputs or outputs that stays one layer."""
    return [[type(each).__name__, _settings(each, 1)] for each in inner.operations]


def _without_defaults(config: Mapping[str, Any], kind: type | None, depth: int) -> dict[str, object]:
    defaults = {} if kind is None else _defaults(kind)
    found = {}
    for key, value in config.items():
        if key in _SAY_NOTHING or str(key).endswith(_OF_TRAINING) or value is None:
            continue
        plain = _plain(value, depth + 1)
        if key not in defaults or plain != _plain(defaults[key], depth + 1):
            found[str(key)] = plain
    return found


def _defaults(kind: type) -> dict[str, Any]:
    """Return the defaults of all settings of a class, those of its bases too."""
    found: dict[str, Any] = {}
    for each in kind.__mro__:
        if "__init__" in each.__dict__:
            for name, parameter in inspect.signature(each.__init__).parameters.items():  # type: ignore[misc]
                if parameter.default is not inspect.Parameter.empty:
                    found.setdefault(name, parameter.default)
    return found


def _plain(value: Any, depth: int = 0) -> object:
    """Return a setting as JSON takes it, with nothing in it that another process would have otherwise."""
    if depth > _DEEPEST:
        return "..."
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, list | tuple | set | frozenset):
        found = [_plain(each, depth + 1) for each in value]
        return found if isinstance(value, list | tuple) else sorted(found, key=_hash)
    return _object(value, depth)


def _array(array: np.ndarray[Any, Any]) -> object:
    if array.ndim == 0 and array.dtype.kind in "biuf":
        return array.item()
    if array.dtype.kind == "O":
        return [_plain(each) for each in array.ravel().tolist()]
    return [str(array.dtype), list(array.shape), hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()]


def _mapping(value: Mapping[Any, Any], depth: int) -> object:
    """Return a mapping, or what Keras wrote of an object: its class and its settings."""
    config = value.get("config")
    if "class_name" in value and isinstance(config, Mapping):
        return [str(value["class_name"]), _without_defaults(config, _keras_class(value), depth)]
    if "class_name" in value:
        return [str(value["class_name"]), _plain(config, depth + 1)]
    return {str(key): _plain(each, depth + 1) for key, each in value.items() if each is not None}


def _keras_class(value: Mapping[str, Any]) -> type | None:
    """Return the class of Keras that wrote some settings, for its defaults."""
    import keras

    part = str(value.get("module") or "").split(".")
    home = getattr(keras, part[1], None) if part[0] == "keras" and len(part) == 2 else None
    found = getattr(home, str(value["class_name"]), None)
    return found if isinstance(found, type) else None


def _function(value: Callable[..., Any] | type, depth: int) -> object:
    """Return a function or class by its source, where that is to be had; by its code, or its name alone, otherwise."""
    name = getattr(value, "__qualname__", type(value).__name__)
    inside = [_plain(cell.cell_contents, depth + 1) for cell in getattr(value, "__closure__", None) or ()]
    try:
        source = textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError):
        code = getattr(value, "__code__", None)
        source = "" if code is None else f"{code.co_code.hex()}{code.co_names}{[*map(str, _literals(code))]}"
    return [name, hashlib.sha256(source.encode()).hexdigest(), inside, _plain(getattr(value, "__defaults__", None))]


def _literals(code: Any) -> Iterator[object]:
    for each in code.co_consts:
        if inspect.iscode(each):
            yield each.co_code.hex()
            yield from _literals(each)
        else:
            yield each


def _object(value: Any, depth: int) -> object:
    """Return an object by its class and its settings; its own text may hold its address in memory."""
    if isinstance(value, type) or inspect.isroutine(value):
        return _function(value, depth)
    if hasattr(value, "get_config"):
        try:
            return [type(value).__name__, _without_defaults(value.get_config(), type(value), depth)]
        except NotImplementedError:
            pass
    if isinstance(value, bytes) or hasattr(value, "__array__"):
        return _array(np.asarray(value))
    state = {key: each for key, each in getattr(value, "__dict__", {}).items() if not key.startswith("_")}
    return [type(value).__name__, _plain(state, depth + 1)]
