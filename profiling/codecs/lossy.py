"""Steps of a codec that lose something: pooling, half precision, whole numbers of eight bits.

Each turns numbers into fewer or smaller ones, with a head of a few bytes that it needs to turn them back. How long that
head is follows from the form of the tensor, so that a receiver knows every size before it makes anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.profiling.codecs.form import Form

__all__ = ["LARGEST_HALF", "LOSSY", "Affine", "Half", "LossyStep", "Pooling"]

Numbers = NDArray[Any]

LARGEST_HALF = 65504.0
"""The largest number of half precision."""

_FLOATS = ("float16", "float32", "float64")
_STEPS = 255
_SAFE = 1e-30, 1e30


class LossyStep(Protocol):
    """A step that loses something."""

    def takes(self, form: Form, /) -> bool:
        """Return whether it makes less of a tensor."""
        ...

    def made(self, form: Form, /) -> Form:
        """Return the form of what it makes."""
        ...

    def head_bytes(self, form: Form, /) -> int:
        """Return how many bytes it needs beside that."""
        ...

    def encode(self, numbers: Numbers, form: Form, /) -> tuple[bytes, Numbers]:
        """Return the head, and what it makes."""
        ...

    def decode(self, head: bytes, numbers: Numbers, form: Form, /) -> Numbers:
        """Return numbers of the form from those that `encode` made."""
        ...


class Pooling:
    """The transfer layer: 2x2 max pooling with stride 2, and back by nearest neighbours (ScissionLite, section 3.2).

    A last row or column without a partner is pooled by itself, as Keras does it with ``padding="same"``.
    """

    def takes(self, form: Form, /) -> bool:
        """Return whether there are images of more than one pixel."""
        if form.spatial is None or form.dtype.kind not in "fiu" or not form.count:
            return False
        return any(form.shape[axis] > 1 for axis in form.spatial)

    def made(self, form: Form, /) -> Form:
        """Return the form with half the height and width, rounded up."""
        halved = form.spatial or ()
        return form.with_sizes(
            tuple((size + 1) // 2 if axis in halved else size for axis, size in enumerate(form.shape))
        )

    def head_bytes(self, _: Form, /) -> int:
        """Return 0."""
        return 0

    def encode(self, numbers: Numbers, form: Form, /) -> tuple[bytes, Numbers]:
        """Return the greatest of each 2x2 numbers."""
        assert form.spatial is not None
        rows, columns = form.spatial
        return b"", _pooled(_pooled(numbers, rows), columns)

    def decode(self, _: bytes, numbers: Numbers, form: Form, /) -> Numbers:
        """Return each number four times, less what a last row or column has too many."""
        assert form.spatial is not None
        found = np.empty(form.shape, form.dtype)
        rows, columns = form.spatial
        for row in range(2):
            for column in range(2):
                place = [slice(None)] * 4
                place[rows], place[columns] = slice(row, None, 2), slice(column, None, 2)
                target = found[tuple(place)]
                target[...] = numbers[tuple(slice(size) for size in target.shape)]
        return found


def _pooled(numbers: Numbers, axis: int) -> Numbers:
    """Return the greater of each two numbers that follow each other along an axis."""
    first = [slice(None)] * numbers.ndim
    second, both = list(first), list(first)
    first[axis], second[axis] = slice(0, None, 2), slice(1, None, 2)
    found: Numbers = numbers[tuple(first)].copy()
    other = numbers[tuple(second)]
    both[axis] = slice(other.shape[axis])
    np.maximum(found[tuple(both)], other, out=found[tuple(both)])
    return found


class Half:
    """Half precision; what is too large for it becomes its largest number."""

    def takes(self, form: Form, /) -> bool:
        """Return whether there are numbers of more than half precision."""
        return form.dtype.name in ("float32", "float64") and form.count > 0

    def made(self, form: Form, /) -> Form:
        """Return the form in half precision."""
        return form.with_type(np.float16)

    def head_bytes(self, _: Form, /) -> int:
        """Return 0."""
        return 0

    def encode(self, numbers: Numbers, _: Form, /) -> tuple[bytes, Numbers]:
        """Return the nearest numbers of half precision."""
        with np.errstate(over="ignore"):
            found = numbers.astype(np.float16)
        if overflows(found):
            kept = np.where(np.isfinite(numbers), np.clip(numbers, -LARGEST_HALF, LARGEST_HALF), numbers)
            found = kept.astype(np.float16)
        return b"", found

    def decode(self, _: bytes, numbers: Numbers, form: Form, /) -> Numbers:
        """Return the same numbers in the precision of the tensor."""
        return numbers.astype(form.dtype)


def overflows(numbers: NDArray[np.float16]) -> bool:
    """Return whether numbers of half precision hold an infinite one."""
    return bool(np.any((numbers.view(np.uint16) & 0x7FFF) == 0x7C00))


class Affine:
    """Whole numbers of eight bits on even steps from the least number to the greatest, of a tensor or of each channel.

    Parameters
    ----------
    by_channel
        Whether each channel has steps of its own.
    """

    def __init__(self, *, by_channel: bool) -> None:
        self._by_channel = by_channel

    def takes(self, form: Form, /) -> bool:
        """Return whether there are numbers with a point, and enough of them to pay for what is sent beside them."""
        return form.dtype.name in _FLOATS and form.count > 2 * self._scales(form)

    def made(self, form: Form, /) -> Form:
        """Return the form in bytes."""
        return form.with_type(np.uint8)

    def head_bytes(self, form: Form, /) -> int:
        """Return the bytes of the least number and of the step, of each channel where each has its own."""
        return 2 * self._scales(form) * _precision(form).itemsize

    def encode(self, numbers: Numbers, form: Form, /) -> tuple[bytes, Numbers]:
        """Return the scales, and the nearest steps.

        Raises
        ------
        QuestionError
            If a number is none (NaN or infinite).
        """
        others = self._others(form)
        low = numbers.min(axis=others, keepdims=True).astype(np.float64)
        high = numbers.max(axis=others, keepdims=True).astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            span = high - low
        if not np.isfinite(span).all():
            raise QuestionError("int8: what crosses the cut holds what is no number, or numbers too far apart")
        precision = _precision(form)
        low, step = low.astype(precision), (span / _STEPS).astype(precision)
        exact = _wide(span, form)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            steps = np.rint((numbers.astype(exact) - low.astype(exact)) / step.astype(exact))
        steps[~np.isfinite(steps)] = 0  # where all numbers are one, and the step is 0
        codes = np.clip(steps, 0, _STEPS).astype(np.uint8)
        return np.concatenate([low.ravel(), step.ravel()]).astype(precision.newbyteorder("<")).tobytes(), codes

    def decode(self, head: bytes, numbers: Numbers, form: Form, /) -> Numbers:
        """Return the numbers at the steps.

        Raises
        ------
        QuestionError
            If the scales are no numbers.
        """
        precision = _precision(form)
        scales = np.frombuffer(head, dtype=precision.newbyteorder("<")).astype(precision)
        if not np.isfinite(scales).all():
            raise QuestionError("int8: what came has scales that are no numbers")
        low, step = scales.reshape(2, *self._scale_shape(form))
        with np.errstate(over="ignore"):
            found = numbers * step + low
            return np.asarray(found.astype(form.dtype))

    def _others(self, form: Form, /) -> tuple[int, ...]:
        """Return the axes that share a scale."""
        kept = form.channels if self._by_channel else None
        return tuple(axis for axis in range(len(form.shape)) if axis != kept)

    def _scale_shape(self, form: Form, /) -> tuple[int, ...]:
        others = self._others(form)
        return tuple(1 if axis in others else size for axis, size in enumerate(form.shape))

    def _scales(self, form: Form, /) -> int:
        """Return how many scales there are; more than can pay where there are no channels."""
        if self._by_channel and form.channels is None:
            return form.count
        return math.prod(self._scale_shape(form))


def _precision(form: Form) -> np.dtype[Any]:
    """Return the type of numbers of a scale."""
    return np.dtype(np.float64 if form.dtype.name == "float64" else np.float32)


def _wide(span: NDArray[np.float64], form: Form) -> np.dtype[Any]:
    """Return the precision to compute in: double where differences are too small or large for single."""
    least, most = _SAFE
    fits = bool(np.all((span == 0) | ((span > least) & (span < most))))
    return np.dtype(np.float32 if fits and form.dtype.name != "float64" else np.float64)


LOSSY: Mapping[str, LossyStep] = MappingProxyType(
    {
        "transfer-layer": Pooling(),
        "float16": Half(),
        "int8": Affine(by_channel=False),
        "int8-channel": Affine(by_channel=True),
    }
)
"""The steps by name."""
