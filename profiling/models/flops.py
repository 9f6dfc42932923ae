"""Floating-point operations of a Keras layer, counted from the shapes of its kernels.

A multiplication and an addition count as two. Convolutions, dense layers and layers made of them are counted:
every number of a kernel is used once at each position of the output. Everything else (normalisation, activations,
pooling, additions) counts 0; in the networks of Keras Applications it is a few per cent of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

__all__ = ["layer_flops"]

_NO_PRODUCT = ("Embedding", "BatchNormalization", "LayerNormalization", "GroupNormalization", "Normalization")


def layer_flops(layer: Any, inputs: Sequence[Any], output: Any) -> int:
    """Return the floating-point operations of one call of a layer on one sample.

    Parameters
    ----------
    layer
        The Keras layer.
    inputs
        The symbolic tensors that the call reads.
    output
        The one that it makes.
    """
    name = type(layer).__name__
    kernels = [weight for weight in getattr(layer, "weights", ()) if len(weight.shape) >= 2]
    if name in _NO_PRODUCT or not kernels:
        return 0
    # NOTE a transposed convolution uses its kernel once at each position of its input instead
    tensor = inputs[0] if name.endswith("Transpose") else output
    products = [math.prod(kernel.shape) for kernel in kernels]
    return 2 * _positions(layer, tensor) * int(sum(products))


def _positions(layer: Any, tensor: Any) -> int:
    """Return at how many places of `tensor` the layer's kernel is applied: all axes but batch and channels."""
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    axes = tensor.shape[2:] if first else tensor.shape[1:-1]
    return math.prod(1 if axis is None else axis for axis in axes)
