"""Floating-point operations of the nodes of an ONNX graph, by the same rule as of Keras layers.

A multiplication and an addition count as two. Products of kernels and of matrices are counted, in their quantised kinds
too: every number of a kernel is used once at each position of the output (of a transposed convolution: of the input),
and at each step of a recurrent layer. All other operators count 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tiercut.profiling.models.onnx.nodes import known_domain

__all__ = ["is_uncounted", "node_operations"]

Sizes = Mapping[str, Sequence[int]]

_PRODUCTS = ("Einsum", "Attention", "LinearAttention", "DeformConv", "DFT", "STFT", "Det", "If", "Loop", "Scan",
             "LinearClassifier", "LinearRegressor", "SVMClassifier", "SVMRegressor")  # fmt: skip
"""Operators of ONNX that multiply much, or hold others that may, and are not counted."""

_LIGHT_OF_VENDORS = (
    "Gelu", "FastGelu", "BiasGelu", "QuickGelu", "QuantizeLinear", "DequantizeLinear", "QLinearAdd", "QLinearMul",
    "QLinearSigmoid", "QLinearLeakyRelu", "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearConcat",
    "QLinearSoftmax", "NhwcMaxPool", "LayerNormalization", "SkipLayerNormalization", "SimplifiedLayerNormalization",
)  # fmt: skip


def node_operations(node: Any, sizes: Sizes) -> int:
    """Return the floating-point operations of one call of a node.

    Parameters
    ----------
    node
        The node.
    sizes
        The sizes of tensors and weights by name; where one that counts is missing, nothing is counted.
    """
    count = _COUNTS.get(node.op_type)
    try:
        return 0 if count is None else 2 * count(node, sizes)
    except (KeyError, IndexError):
        return 0


def is_uncounted(node: Any) -> bool:
    """Return whether a node may do operations that are not counted."""
    if node.op_type in _COUNTS:
        return False
    if not known_domain(node):
        return node.op_type not in _LIGHT_OF_VENDORS
    return node.op_type in _PRODUCTS


def _conv(data: int, kernel: int) -> Callable[[Any, Sizes], int]:
    def count(node: Any, sizes: Sizes) -> int:
        _, _, *positions = sizes[node.output[0]]
        batch = sizes[node.input[data]][0]
        return batch * math.prod(sizes[node.input[kernel]]) * math.prod(positions)

    return count


def _conv_transpose(node: Any, sizes: Sizes) -> int:
    batch, _, *positions = sizes[node.input[0]]
    return batch * math.prod(sizes[node.input[1]]) * math.prod(positions)


def _gemm(node: Any, sizes: Sizes) -> int:
    left = sizes[node.input[0]]
    transposed = any(each.name == "transA" and each.i for each in node.attribute)
    return math.prod(sizes[node.output[0]]) * left[0 if transposed else 1]


def _matmul(left: int) -> Callable[[Any, Sizes], int]:
    return lambda node, sizes: math.prod(sizes[node.output[0]]) * sizes[node.input[left]][-1]


def _matmul_of_bits(node: Any, sizes: Sizes) -> int:
    inner = next(each.i for each in node.attribute if each.name == "K")
    return math.prod(sizes[node.output[0]]) * int(inner)


def _recurrent(node: Any, sizes: Sizes) -> int:
    batch_first = any(each.name == "layout" and each.i for each in node.attribute)
    first, second, _ = sizes[node.input[0]]
    steps, batch = (second, first) if batch_first else (first, second)
    kernels = math.prod(sizes[node.input[1]]) + math.prod(sizes[node.input[2]])
    return steps * batch * kernels


_COUNTS: Mapping[str, Callable[[Any, Sizes], int]] = {
    "Conv": _conv(0, 1),
    "FusedConv": _conv(0, 1),
    "ConvInteger": _conv(0, 1),
    "QLinearConv": _conv(0, 3),
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "FusedGemm": _gemm,
    "MatMul": _matmul(0),
    "FusedMatMul": _matmul(0),
    "MatMulInteger": _matmul(0),
    "MatMulIntegerToFloat": _matmul(0),
    "DynamicQuantizeMatMul": _matmul(0),
    "MatMulNBits": _matmul_of_bits,
    "QLinearMatMul": _matmul(0),
    "QGemm": _gemm,
    **dict.fromkeys(("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"), _recurrent),
}
