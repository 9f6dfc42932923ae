"""What the nodes of an ONNX graph read and make, and of what kinds they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["bodies", "captured", "held_bytes", "is_light", "is_random", "known_domain", "label", "reads",
           "tensor_bytes", "tensors_in"]  # fmt: skip

_FORM = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Cast", "CastLike", "Dropout",
         "DepthToSpace", "SpaceToDepth")  # fmt: skip
_ACTIVATIONS = ("Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "Sigmoid", "HardSigmoid",
                "HardSwish", "Swish", "Mish", "Gelu", "Tanh", "Softplus", "Softsign", "Clip", "QuickGelu", "FastGelu",
                "BiasGelu", "Softmax", "LogSoftmax", "Hardmax", "Erf", "Exp", "Log", "Sqrt", "Reciprocal", "Neg", "Abs",
                "Sign", "Floor", "Ceil", "Round", "Shrink", "Not")  # fmt: skip
_ELEMENTWISE = ("Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Mod", "Where", "Less", "Greater", "Equal",
                "LessOrEqual", "GreaterOrEqual", "And", "Or", "BatchNormalization")  # fmt: skip
_QUANTISING = ("QuantizeLinear", "DequantizeLinear", "QLinearSigmoid", "QLinearLeakyRelu")
_LIGHT = frozenset((*_FORM, *_ACTIVATIONS, *_ELEMENTWISE, *_QUANTISING))
"""Kinds that make other numbers, or another form, of one tensor; where they read two of data, they join them."""

_RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")

_OF_TABLES = "ai.onnx.ml"
"""The domain whose operators hold what was learnt (trees, vectors, coefficients) as attributes."""

_OF_ONNX = ("", "ai.onnx", _OF_TABLES)

_PACKED = {"int4": 2, "uint4": 2, "float4_e2m1fn": 2, "int2": 4, "uint2": 4}
"""How many numbers of a type are in one byte, where that is more than one."""


def reads(node: Any) -> Iterator[str]:
    """Yield the names of the tensors that a node reads, and those that bodies inside it read of the graph around."""
    yield from (name for name in node.input if name)
    yield from captured(node)


def bodies(node: Any) -> Iterator[Any]:
    """Yield the graphs inside a node (If, Loop, Scan)."""
    for attribute in node.attribute:
        yield from (body for body in (attribute.g, *attribute.graphs) if body.node or body.output)


def captured(node: Any) -> tuple[str, ...]:
    """Return the names that the bodies of a node (If, Loop, Scan) take from outside, each once."""
    return tuple(dict.fromkeys(name for body in bodies(node) for name in _free_names(body)))


def tensors_in(nodes: Iterable[Any]) -> Iterator[Any]:
    """Yield the constants that nodes hold themselves, as attributes or in their bodies."""
    for node in nodes:
        for attribute in node.attribute:
            yield from ((attribute.t,) if attribute.HasField("t") else attribute.tensors)
            if attribute.HasField("sparse_tensor"):
                yield attribute.sparse_tensor.values
        for body in bodies(node):
            yield from body.initializer
            yield from (each.values for each in body.sparse_initializer)
            yield from tensors_in(body.node)


def _free_names(body: Any) -> Iterator[str]:
    known = {each.name for each in body.input} | {each.name for each in body.initializer}
    known |= {each.values.name for each in body.sparse_initializer}
    for node in body.node:
        yield from (name for name in reads(node) if name not in known)
        known |= set(node.output)
    yield from (each.name for each in body.output if each.name not in known)


def tensor_bytes(tensor: Any) -> int:
    """Return the bytes of a constant; numbers of less than a byte lie packed, as in files and in memory."""
    import onnx

    kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    count: int = math.prod(tensor.dims) * kind.itemsize
    return -(-count // _PACKED.get(str(kind), 1))


def held_bytes(node: Any) -> int:
    """Return the bytes of what a node holds itself, in bodies or as attributes, and not as weights of the graph."""
    return sum(map(tensor_bytes, tensors_in([node]))) + _table_bytes(node)


def _table_bytes(node: Any) -> int:
    own = node.attribute if node.domain == _OF_TABLES else ()
    found = sum(4 * len(each.floats) + 8 * len(each.ints) + sum(map(len, each.strings)) for each in own)
    return found + sum(_table_bytes(each) for body in bodies(node) for each in body.node)


def is_light(node: Any) -> bool:
    """Return whether a node gives numbers other values or a tensor another form, and no more."""
    return node.op_type in _LIGHT


def is_random(node: Any) -> bool:
    """Return whether a node draws numbers, so that doing it twice gives two answers."""
    return node.op_type in _RANDOM


def known_domain(node: Any) -> bool:
    """Return whether a node is an operator of ONNX itself."""
    return node.domain in _OF_ONNX


def label(node: Any) -> str:
    """Return what messages call the kind of a node, with the domain of one that is not ONNX' own."""
    return node.op_type if known_domain(node) else f"{node.domain}:{node.op_type}"
