"""Floating-point operations of a Keras layer, counted from the shapes of its kernels.

A multiplication and an addition count as two. Convolutions, dense layers and layers composed of them are counted:
every number of a kernel is used once at each position of the output, and at each time step of a layer that has
steps. Everything else (normalisation, activations, pooling, additions) counts 0; in the networks of Keras
Applications it is a few per cent of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tiercut.profiling.models.keras_calls import functional, graph_calls

__all__ = ["layer_flops"]

_NO_PRODUCT = ("Embedding", "BatchNormalization", "LayerNormalization", "GroupNormalization", "Normalization")

Shape = Sequence[int | None]


def layer_flops(layer: Any, inputs: Sequence[Shape], output: Shape) -> int:
    """Return the floating-point operations of one call of a layer on one sample.

    Parameters
    ----------
    layer
        The Keras layer.
    inputs
        The shapes of the tensors that the call reads, the batch first.
    output
        The shape of the one that it makes.
    """
    inner, name = functional(layer), type(layer).__name__
    if inner is not None:
        return sum(
            layer_flops(node.operation, [each.shape for each in node.input_tensors], node.outputs[0].shape)
            for node in graph_calls(inner)
        )
    if name == "TimeDistributed":
        return _steps(inputs[0]) * layer_flops(layer.layer, [_one_step(inputs[0])], _one_step(output))
    if name == "Bidirectional":
        return sum(layer_flops(each, inputs, output) for each in (layer.forward_layer, layer.backward_layer))
    kernels = _kernels(layer)
    if name in _NO_PRODUCT or not kernels:
        return 0
    if hasattr(layer, "cell"):
        return 2 * sum(kernels) * _steps(inputs[0]) * _positions_of_state(layer, inputs[0], output)
    # NOTE a transposed convolution uses its kernel once at each position of its input instead
    return 2 * sum(kernels) * _positions(layer, inputs[0] if name.endswith("Transpose") else output)


def _steps(shape: Shape) -> int:
    """Return the time steps of an input, whose second axis they are; 1 where they are not known."""
    return shape[1] or 1


def _one_step(shape: Shape) -> Shape:
    return (shape[0], *shape[2:])


def _positions_of_state(layer: Any, entry: Shape, output: Shape) -> int:
    """Return at how many places of its state a recurrent layer applies its kernels: more than 1 in convolutions."""
    kept = output[2:] if getattr(layer, "return_sequences", False) else output[1:]
    places = kept[1:] if getattr(layer, "data_format", None) == "channels_first" else kept[:-1]
    return math.prod(1 if axis is None else axis for axis in places) if len(entry) > 3 else 1


def _positions(layer: Any, shape: Shape) -> int:
    """Return at how many places of a tensor the layer's kernel is applied: all axes but batch and channels."""
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    axes = shape[2:] if first else shape[1:-1]
    return math.prod(1 if axis is None else axis for axis in axes)


def _kernels(layer: Any) -> list[int]:
    """Return the numbers of weights of each kernel; a bias with several axes is none."""
    weights = [weight for weight in getattr(layer, "weights", ()) if len(weight.shape) >= 2]
    return [math.prod(weight.shape) for weight in weights if "bias" not in weight.name]
