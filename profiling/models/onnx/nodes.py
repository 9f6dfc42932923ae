"""What the nodes of an ONNX graph read and make, and of what kinds they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["captured", "is_light", "is_random", "known_domain", "label", "reads"]

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

_OF_ONNX = ("", "ai.onnx", "ai.onnx.ml")


def reads(node: Any) -> Iterator[str]:
    """Yield the names of the tensors that a node reads, and those that bodies inside it read of the graph around."""
    yield from (name for name in node.input if name)
    yield from captured(node)


def captured(node: Any) -> tuple[str, ...]:
    """Return the names that the bodies of a node (If, Loop, Scan) take from outside, each once."""
    found: dict[str, None] = {}
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            if body.node or body.output:
                found |= dict.fromkeys(_free_names(body))
    return tuple(found)


def _free_names(body: Any) -> Iterator[str]:
    known = {each.name for each in body.input} | {each.name for each in body.initializer}
    known |= {each.values.name for each in body.sparse_initializer}
    for node in body.node:
        yield from (name for name in reads(node) if name not in known)
        known |= set(node.output)
    yield from (each.name for each in body.output if each.name not in known)


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
