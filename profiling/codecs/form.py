"""The form of a tensor that is encoded: its sizes, its type of numbers, and where its channels stand."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

__all__ = ["Form", "Layout", "layout_of", "usual_layout"]

Layout = Literal["channels_first", "channels_last"]
"""Where the channels of an image stand: before height and width, or after them."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a tensor.

    Parameters
    ----------
    shape
        Sizes of its axes, the batch's first.
    dtype
        Its type of numbers.
    layout
        Where the channels of a tensor of four axes stand; of others nothing follows from it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    layout: Layout = "channels_last"

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of its numbers."""
        return self.count * self.dtype.itemsize

    @property
    def spatial(self) -> tuple[int, int] | None:
        """The axes of height and width; None where the tensor is no stack of images."""
        if len(self.shape) != 4:
            return None
        return (2, 3) if self.layout == "channels_first" else (1, 2)

    @property
    def channels(self) -> int | None:
        """The axis of the channels: that of an image, else the last of three axes or more; None where there is none."""
        if len(self.shape) < 3:
            return None
        return 1 if len(self.shape) == 4 and self.layout == "channels_first" else len(self.shape) - 1

    def with_sizes(self, shape: tuple[int, ...]) -> Form:
        """Return the same form with other sizes."""
        return replace(self, shape=shape)

    def with_type(self, dtype: Any) -> Form:
        """Return the same form with other numbers."""
        return replace(self, dtype=np.dtype(dtype))

    def __str__(self) -> str:
        return f"{self.dtype.name} of {list(self.shape)}"


def layout_of(shape: tuple[int, ...], usual: Layout) -> Layout:
    """Return where the channels of a tensor stand: images are mostly square, else it is what is usual in its model.

    Parameters
    ----------
    shape
        Sizes of its axes, the batch's first.
    usual
        What the framework behind the model usually has. A file of ONNX that was made of a Keras model has both: its
        input as Keras has it, and what is inside the other way.
    """
    if len(shape) != 4:
        return usual
    _, first, second, last = shape
    if first == second != last:
        return "channels_last"
    if second == last != first:
        return "channels_first"
    return usual


def usual_layout(backend: str) -> Layout:
    """Return where channels usually stand for what runs a model, as `Framework.backend` names it."""
    if backend == "onnxruntime":
        return "channels_first"
    if backend not in ("tensorflow", "jax", "torch"):
        return "channels_last"
    import keras

    return "channels_first" if keras.config.image_data_format() == "channels_first" else "channels_last"
