"""``bundle.json`` (``tiercut.bundle/1``): what a partition is made of, takes and makes."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tiercut import documents
from tiercut.documents import Document, Key
from tiercut.errors import InputError, QuestionError
from tiercut.profiling import read_codec

__all__ = [
    "FORMAT",
    "NAME",
    "Bundle",
    "Piece",
    "PieceFile",
    "TensorSpec",
    "check_file",
    "load_bundle",
    "path_faults",
    "sha256_of",
]

FORMAT: Literal["tiercut.bundle/1"] = "tiercut.bundle/1"
NAME = "bundle.json"

_LARGEST = 8 << 20
_MOST_AXES = 16
_TYPES = ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32",
          "float64")  # fmt: skip

Size = Annotated[int, Field(ge=0)]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class TensorSpec(Document):
    """A tensor of one frame."""

    name: str = Field(min_length=1)
    dtype: str = Field(description="as numpy spells it, such as float32")
    shape: list[Size] = Field(max_length=_MOST_AXES, description="sizes of all axes, the batch's of 1 included")

    @property
    def nbytes(self) -> int:
        """Bytes of its numbers."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class PieceFile(Document):
    """A file of a piece, beside ``bundle.json``."""

    path: str
    sha256: Hash
    bytes: Size


class Piece(Document):
    """Blocks that run together: up to an exit, or to the end of the partition."""

    blocks: list[Annotated[int, Field(ge=1)]] = Field(min_length=2, max_length=2, description="first and last, 1-based")
    exit: int | None = Field(default=None, description="the block whose branch is evaluated at its end; null: none")
    threshold: float | None = Field(
        default=None,
        description="normalised entropy below which a frame leaves; null at the last exit, which takes all",
    )
    scores: str | None = Field(
        default=None, description="the output that holds the scores of the classes; null: no exit"
    )
    inputs: list[TensorSpec] = Field(min_length=1, description="what its file is given, in order")
    outputs: list[TensorSpec] = Field(min_length=1, description="what it makes, in order")
    files: dict[Literal["onnx", "keras"], PieceFile] = Field(min_length=1, description="by what runs it")


class Bundle(Document):
    """A partition of a plan."""

    format: Literal["tiercut.bundle/1"] = FORMAT
    model: str = Field(min_length=1, description="what the profile calls the network")
    stage: int = Field(ge=1, description="which partition of the plan, from 1")
    stages: int = Field(ge=1, description="how many there are")
    node: str
    next: str | None = Field(default=None, description="the node of the next partition; null for the last")
    blocks: list[Annotated[int, Field(ge=1)]] = Field(min_length=2, max_length=2, description="first and last, 1-based")
    inputs: list[TensorSpec] = Field(min_length=1, description="what comes in")
    outputs: list[TensorSpec] = Field(description="what goes on to the next partition; of the last, the results")
    codec: str | None = Field(default=None, description="what encodes what goes on; null: it is sent as it is")
    input_codec: str | None = Field(default=None, description="what encodes what comes in; null: it comes as it is")
    layout: Literal["channels_first", "channels_last"] = Field(
        default="channels_last", description="where channels usually stand in the network, for codecs of images"
    )
    pieces: list[Piece] = Field(min_length=1)

    @property
    def is_last(self) -> bool:
        """Whether every frame ends here."""
        return self.stage == self.stages

    @property
    def most_bytes(self) -> int:
        """Bytes of the tensors of a message that comes in or goes out, at most."""
        ends = [self.inputs, self.outputs, *(piece.outputs for piece in self.pieces)]
        return max(sum(each.nbytes for each in tensors) for tensors in ends)

    @property
    def input_bytes(self) -> int:
        """Bytes of the tensors of a message that comes in."""
        return sum(each.nbytes for each in self.inputs)

    @property
    def onward_bytes(self) -> int:
        """Bytes of the tensors of a message to the next partition."""
        return sum(each.nbytes for each in self.outputs)

    @property
    def result_bytes(self) -> int:
        """Bytes of the tensors of a result, at most: the scores of an exit, or what the last partition makes."""
        made = (each for piece in self.pieces for each in piece.outputs if each.name == piece.scores)
        return max([each.nbytes for each in made] + ([self.onward_bytes] if self.is_last else []), default=0)

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield what is wrong between keys."""
        if self.stage > self.stages:
            yield ("stage",), f"there are {self.stages} partitions, so this cannot be number {self.stage}"
        if self.is_last != (self.next is None):
            yield ("next",), "null exactly for the last partition"
        yield from self._codec_faults()
        for name, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
            yield from _tensor_faults((name,), tensors)
        known = {each.name: each for each in self.inputs}
        for place, piece in enumerate(self.pieces):
            yield from self._piece_faults(("pieces", place), piece, known)
            known |= {each.name: each for each in piece.outputs}
        for place, each in enumerate(self.outputs):
            if known.get(each.name) != each:
                yield ("outputs", place), f"no piece makes '{each.name}' like this"

    def _codec_faults(self) -> Iterable[tuple[Key, str]]:
        for key, codec in (("codec", self.codec), ("input_codec", self.input_codec)):
            try:
                _ = codec is None or read_codec(codec)
            except QuestionError as error:
                yield (key,), str(error)
        if self.is_last and self.codec is not None:
            yield ("codec",), "null for the last partition, which hands nothing on"

    def _piece_faults(self, key: Key, piece: Piece, known: dict[str, TensorSpec]) -> Iterable[tuple[Key, str]]:
        yield from _tensor_faults((*key, "outputs"), piece.outputs)
        for place, each in enumerate(piece.inputs):
            if known.get(each.name) != each:
                yield (*key, "inputs", place), f"nothing before makes '{each.name}' like this"
        if (piece.exit is None) != (piece.scores is None) and not self.is_last:
            yield (*key, "scores"), "named exactly where the piece ends in an exit"
        if piece.scores is not None and piece.scores not in {each.name for each in piece.outputs}:
            yield (*key, "scores"), f"the piece does not make '{piece.scores}'"
        for name, file in piece.files.items():
            for fault in path_faults(file):
                yield (*key, "files", name, "path"), fault


def path_faults(file: PieceFile) -> Iterable[str]:
    """Yield what is wrong with where a file lies, which is beside what names it."""
    if Path(file.path).name != file.path or file.path in ("", ".", "..") or "\\" in file.path:
        yield f"expected a name in the bundle's own folder, got '{file.path}'"


def _tensor_faults(key: Key, tensors: list[TensorSpec]) -> Iterable[tuple[Key, str]]:
    for place, each in enumerate(tensors):
        if each.dtype not in _TYPES:
            yield (*key, place, "dtype"), f"expected one of {', '.join(_TYPES)}, got '{each.dtype}'"
    if len({each.name for each in tensors}) < len(tensors):
        yield key, "two tensors have one name"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_bundle(folder: str | os.PathLike[str]) -> Bundle:
    """Read a bundle and make sure that its files are those that it names.

    Raises
    ------
    InputError
        If it is none, a file is missing, or one is not what was written.
    """
    path = Path(folder)
    bundle = documents.load(path / NAME, Bundle, format_=FORMAT, limit=_LARGEST)
    for piece in bundle.pieces:
        for file in piece.files.values():
            check_file(path / file.path, file)
    return bundle


def check_file(path: Path, file: PieceFile) -> None:
    """Make sure that a file is the one that was written.

    Raises
    ------
    InputError
        If it cannot be read, or is another.
    """
    try:
        size = path.stat().st_size
        same = size == file.bytes and sha256_of(path) == file.sha256
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror}; split the plan again") from None
    if not same:
        raise InputError(str(path), "is not the file that its bundle names (its SHA-256 differs); split the plan again")
