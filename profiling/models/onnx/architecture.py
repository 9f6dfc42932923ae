"""The architecture of an ONNX model as a hash, which tells networks apart but not their weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from tiercut.profiling.models.onnx.nodes import reads
from tiercut.profiling.models.onnx.reading import Source

__all__ = ["architecture"]

_FEW = 64
"""So many whole numbers of a constant are read as shapes, axes or steps, which count; larger ones are weights."""


def architecture(source: Source) -> str:
    """Return the SHA-256 of operators, attributes, sizes and connections of a model as it was published.

    Neither names nor the numbers of weights count, nor what one version of ONNX Runtime folds: it is the same wherever
    the same file is read with the same sizes, constants and state.
    """
    digest = hashlib.sha256()
    for part in (*_inputs(source), *_functions(source.published), *_graph(source.published.graph)):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def _inputs(source: Source) -> Iterator[str]:
    for kind, entries in (("input", source.inputs), ("state", source.state)):
        for each in entries:
            yield f"{kind} {each.dtype} {list(each.sizes)}"
    yield from (f"opset {each.domain} {each.version}" for each in source.published.opset_import)


def _functions(model: Any) -> Iterator[str]:
    """Yield what counts of operators that a file defines itself."""
    for each in sorted(model.functions, key=lambda each: (each.domain, each.name, each.overload)):
        yield f"function {each.domain}:{each.name}:{each.overload} {[*each.attribute]}"
        for attribute in each.attribute_proto:
            yield from _attribute(attribute, {})
        number = {name: place for place, name in enumerate(each.input)}
        yield from _nodes(each.node, number)
        yield f"outputs {[number.get(name, -1) for name in each.output]}"


def _graph(graph: Any, around: dict[str, int] | None = None) -> Iterator[str]:
    """Yield what counts of a graph; tensors are numbered in the order in which they are made."""
    number = dict(around or {})
    for each in graph.input:
        number.setdefault(each.name, len(number))
    for each in graph.initializer:
        number.setdefault(each.name, len(number))
        yield _weight(each)
    yield from _nodes(graph.node, number)
    yield f"outputs {[number.get(each.name, -1) for each in graph.output]}"


def _nodes(nodes: Iterable[Any], number: dict[str, int]) -> Iterator[str]:
    """Yield what counts of nodes; what they make is numbered too."""
    for node in nodes:
        kind = f"{node.domain}:{node.op_type}" + (f":{node.overload}" if node.overload else "")
        yield f"{kind} {[number.get(name, -1) for name in reads(node)]}"
        for attribute in sorted(node.attribute, key=lambda each: each.name):
            yield from _attribute(attribute, number)
        for name in node.output:
            number.setdefault(name, len(number))


def _attribute(attribute: Any, number: dict[str, int]) -> Iterator[str]:
    bodies = [each for each in (attribute.g, *attribute.graphs) if each.node or each.output]
    if bodies:
        for body in bodies:
            yield from _graph(body, number)
    elif attribute.HasField("t"):
        yield f"{attribute.name} {_weight(attribute.t)}"
    elif attribute.ref_attr_name:
        yield f"{attribute.name} is {attribute.ref_attr_name}"
    else:
        values = (attribute.i, attribute.f, attribute.s, [*attribute.ints], [*attribute.floats], [*attribute.strings])
        yield f"{attribute.name} {values}"


def _weight(tensor: Any) -> str:
    """Return type and sizes of a constant, and its numbers where they are few and whole."""
    import onnx

    count = 1
    for size in tensor.dims:
        count *= size
    numbers = ""
    if count <= _FEW and tensor.data_type in (onnx.TensorProto.INT64, onnx.TensorProto.INT32, onnx.TensorProto.BOOL):
        numbers = str(onnx.numpy_helper.to_array(tensor).tolist())
    return f"constant {tensor.data_type} {[*tensor.dims]} {numbers}"
