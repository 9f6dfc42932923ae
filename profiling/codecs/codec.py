"""A codec: what is done to tensors before they cross a cut, one step after the other, and undone after it.

Its name is that of its steps with ``+`` between, such as ``int8+zstd``: the transfer layer first, then a cast, then
what loses nothing. What is written for a tensor is the heads of the steps, which have fixed sizes, and its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError, unknown_name
from tiercut.profiling.codecs.form import Form, Layout, layout_of
from tiercut.profiling.codecs.lossless import LOSSLESS, Lossless
from tiercut.profiling.codecs.lossy import LOSSY, LossyStep

__all__ = ["CODEC_STEPS", "TensorCodec", "TensorCoder", "read_codec", "read_codecs"]

Numbers = NDArray[Any]

CODEC_STEPS: tuple[str, ...] = (*LOSSY, *LOSSLESS)
"""The names of all steps."""

_RANK = {"transfer-layer": 0, "float16": 1, "int8": 1, "int8-channel": 1} | dict.fromkeys(LOSSLESS, 2)


@dataclass(frozen=True, slots=True)
class TensorCodec:
    """A codec.

    Parameters
    ----------
    name
        Its name.
    lossy
        The steps that lose something, by name, in order.
    lossless
        The step that loses nothing; None where there is none.
    """

    name: str
    lossy: tuple[str, ...]
    lossless: str | None

    @property
    def is_exact(self) -> bool:
        """Whether nothing is lost."""
        return not self.lossy

    def takes(self, forms: Sequence[Form]) -> bool:
        """Return whether every step makes less of one of the tensors that cross a cut."""
        return all(any(name in self._lossy_of(form) for form in forms) for name in self.lossy) and bool(forms)

    def coder(self, shape: Sequence[int], dtype: Any, layout: Layout) -> TensorCoder:
        """Return what encodes and decodes a tensor; steps that are not for such tensors are left out.

        Parameters
        ----------
        shape
            Sizes of its axes, the batch's first.
        dtype
            Its type of numbers.
        layout
            What is usual where it comes from, see `tiercut.profiling.codecs.form.layout_of`.

        Raises
        ------
        QuestionError
            If a package is missing.
        """
        lossless = None if self.lossless is None else LOSSLESS[self.lossless]
        if lossless is not None:
            lossless.check()
        form = form_of(shape, dtype, layout)
        return TensorCoder(self.name, form, tuple(LOSSY[name] for name in self._lossy_of(form)), lossless)

    def _lossy_of(self, form: Form) -> tuple[str, ...]:
        """Return the steps that are for a tensor."""
        found = []
        for name in self.lossy:
            if LOSSY[name].takes(form):
                found.append(name)
                form = LOSSY[name].made(form)
        return tuple(found)


def form_of(shape: Sequence[int], dtype: Any, layout: Layout) -> Form:
    """Return the form of a tensor; see `TensorCodec.coder`."""
    sizes = tuple(int(size) for size in shape)
    return Form(sizes, np.dtype(dtype), layout_of(sizes, layout))


@dataclass(frozen=True, slots=True)
class TensorCoder:
    """A codec for tensors of one form.

    Parameters
    ----------
    name
        The codec.
    form
        The form.
    lossy, lossless
        Its steps.
    """

    name: str
    form: Form
    lossy: tuple[LossyStep, ...]
    lossless: Lossless | None

    @property
    def _forms(self) -> tuple[Form, ...]:
        """The form before each step, and after all."""
        found = [self.form]
        for step in self.lossy:
            found.append(step.made(found[-1]))
        return tuple(found)

    @property
    def _head_bytes(self) -> int:
        return sum(step.head_bytes(form) for step, form in zip(self.lossy, self._forms, strict=False))

    @property
    def most_bytes(self) -> int:
        """Bytes of what is encoded at most; exactly so many where no step packs by what the numbers are."""
        return self._head_bytes + (self.lossless is not None) + self._forms[-1].nbytes

    def encode(self, numbers: Numbers) -> bytes:
        """Return a tensor encoded.

        Raises
        ------
        QuestionError
            If it has another form, or a step cannot encode its numbers.
        """
        if numbers.shape != self.form.shape or numbers.dtype != self.form.dtype:
            raise QuestionError(f"{self.name}: expected {self.form}, got {numbers.dtype.name} of {list(numbers.shape)}")
        heads = []
        for step, form in zip(self.lossy, self._forms, strict=False):
            head, numbers = step.encode(numbers, form)
            heads.append(head)
        raw = numbers.tobytes()
        if self.lossless is not None:
            raw = self.lossless.pack(raw, self._forms[-1].dtype.itemsize)
        return b"".join((*heads, raw))

    def decode(self, raw: bytes) -> Numbers:
        """Return the tensor; nothing is made before sizes are known to fit.

        Raises
        ------
        QuestionError
            If the bytes are not those of a tensor of this form.
        """
        least = self.most_bytes if self.lossless is None else self._head_bytes + 1
        if not least <= len(raw) <= self.most_bytes:
            wanted = f"{least}" if least == self.most_bytes else f"{least} to {self.most_bytes}"
            raise QuestionError(f"{self.name}: expected {wanted} bytes for {self.form}, got {len(raw)}")
        heads, begin = [], 0
        forms = self._forms
        for step, form in zip(self.lossy, forms, strict=False):
            size = step.head_bytes(form)
            heads.append(raw[begin : begin + size])
            begin += size
        last = forms[-1]
        body = raw[begin:] if begin else raw
        if self.lossless is not None:
            body = self.lossless.unpack(body, last.nbytes, last.dtype.itemsize)
        numbers: Numbers = np.frombuffer(body, dtype=last.dtype).reshape(last.shape)
        for place in range(len(self.lossy) - 1, -1, -1):
            numbers = self.lossy[place].decode(heads[place], numbers, forms[place])
        return numbers


def read_codec(name: str) -> TensorCodec:
    """Return a codec by its name.

    Raises
    ------
    QuestionError
        If there is no such step, or steps cannot follow each other like that.
    """
    steps = [each.strip() for each in name.split("+")]
    for step in steps:
        if step not in _RANK:
            raise QuestionError(unknown_name("codec", step, CODEC_STEPS) + "; join steps with +, such as int8+zstd")
    ranks = [_RANK[step] for step in steps]
    if ranks != sorted(set(ranks)):
        raise QuestionError(
            f"codec '{name}': the transfer layer comes first, then one of float16, int8 and int8-channel, then one "
            f"that loses nothing ({', '.join(LOSSLESS)})"
        )
    lossless = steps[-1] if steps[-1] in LOSSLESS else None
    lossy = tuple(steps if lossless is None else steps[:-1])
    return TensorCodec("+".join(steps), lossy, lossless)


def read_codecs(text: str) -> tuple[TensorCodec, ...]:
    """Return codecs by their names with commas between, each once.

    Raises
    ------
    QuestionError
        If a name is unknown, or there twice.
    """
    found = tuple(read_codec(each) for each in text.split(","))
    names = [each.name for each in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise QuestionError(f"codec '{twice}' is named twice")
    return found
