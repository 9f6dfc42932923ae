"""Tensors in messages through a codec: what crosses between two partitions in another form.

An encoded tensor is one of bytes, under the name of the tensor that it stands for, and the message says by the
parameter ``codec`` what encoded it. A message without that parameter holds the tensors as they are, which every
partition takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.offloader.bundles.manifest import Bundle, TensorSpec
from tiercut.offloader.protocol.tensors import describe, fill, put_parameters, take
from tiercut.profiling import Layout, TensorCoder, read_codec

__all__ = ["Coding", "coming", "going"]

Numbers = NDArray[Any]

_CODEC = "codec"


class Coding:
    """What is done to the tensors between two partitions.

    Parameters
    ----------
    codec
        The name of the codec; None: they are sent as they are.
    tensors
        The tensors.
    layout
        Where the channels of images usually stand in the network.

    Raises
    ------
    QuestionError
        If a package is missing.
    """

    def __init__(self, codec: str | None, tensors: Sequence[TensorSpec], layout: Layout) -> None:
        self.codec, self._tensors = codec, tuple(tensors)
        self._coders: dict[str, TensorCoder] = {}
        if codec is not None:
            chosen = read_codec(codec)
            self._coders = {each.name: chosen.coder(each.shape, each.dtype, layout) for each in tensors}

    def describe(self, request: Any, tensors: Mapping[str, Numbers]) -> list[NDArray[np.uint8]]:
        """Describe tensors in a request, encoded, and return the bytes that belong to them.

        Raises
        ------
        QuestionError
            If the codec cannot encode their numbers.
        """
        if self.codec is not None:
            tensors = {name: np.frombuffer(raw, np.uint8) for name, raw in self.encode(tensors).items()}
            put_parameters(request, {_CODEC: self.codec})
        return describe(request, tensors)

    def put(self, request: Any, tensors: Mapping[str, Numbers]) -> None:
        """Put tensors into a request, encoded; see `describe`."""
        fill(request, self.describe(request, tensors))

    def take(
        self, request: Any, parameters: Mapping[str, str | int | bool], contents: Sequence[Any] | None = None
    ) -> dict[str, Numbers]:
        """Return the tensors of a request as they came; `decoded` makes of them what they were.

        Their bytes are the `contents` where they came beside it.

        Raises
        ------
        QuestionError
            If they are not those that are expected, by name, type and size, or came by another codec.
        """
        said = parameters.get(_CODEC)
        if said is None:
            return take(request, self._tensors, contents)
        if said != self.codec:
            raise QuestionError(f"expected tensors {self._expected()}, got them by '{str(said)[:50]}'")
        raw_contents = request.raw_input_contents if contents is None else contents
        sizes = {each.name: len(raw) for each, raw in zip(request.inputs, raw_contents, strict=False)}
        for name, coder in self._coders.items():
            if not sizes.get(name, 0) <= coder.most_bytes:
                raise QuestionError(f"tensor '{name}': expected {coder.most_bytes} bytes at most, got {sizes[name]}")
        return take(request, [_as_bytes(each, sizes.get(each.name, 0)) for each in self._tensors], contents)

    def decoded(self, tensors: dict[str, Numbers], parameters: Mapping[str, str | int | bool]) -> dict[str, Numbers]:
        """Return what `take` took, decoded where it came encoded.

        Raises
        ------
        QuestionError
            If the bytes are not those of such a tensor.
        """
        if not self.is_encoded(parameters):
            return tensors
        return {name: self._coders[name].decode(each.tobytes()) for name, each in tensors.items()}

    def is_encoded(self, parameters: Mapping[str, str | int | bool]) -> bool:
        """Return whether a message with such parameters, that was taken, holds encoded tensors."""
        return self.codec is not None and parameters.get(_CODEC) == self.codec

    def encode(self, tensors: Mapping[str, Numbers]) -> dict[str, bytes]:
        """Return tensors encoded; there must be a codec."""
        return {name: coder.encode(tensors[name]) for name, coder in self._coders.items()}

    def there_and_back(self, tensors: Mapping[str, Numbers]) -> dict[str, Numbers]:
        """Return what arrives of tensors."""
        if self.codec is None:
            return dict(tensors)
        return {name: self._coders[name].decode(raw) for name, raw in self.encode(tensors).items()}

    def _expected(self) -> str:
        return "as they are" if self.codec is None else f"as they are or by '{self.codec}'"


def _as_bytes(tensor: TensorSpec, size: int) -> TensorSpec:
    return TensorSpec(name=tensor.name, dtype="uint8", shape=[size])


def coming(bundle: Bundle) -> Coding:
    """Return what is done to the tensors that come to a partition."""
    return Coding(bundle.input_codec, bundle.inputs, bundle.layout)


def going(bundle: Bundle) -> Coding:
    """Return what is done to the tensors that go on from a partition."""
    return Coding(bundle.codec, bundle.outputs, bundle.layout)
