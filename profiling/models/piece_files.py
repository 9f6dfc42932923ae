"""Pieces of a network as files of their own, and such files as functions: what a plan at work is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import InputError, QuestionError
from tiercut.profiling.models.exporting.from_keras import export_keras
from tiercut.profiling.models.graph import Model
from tiercut.profiling.models.graph_keras import KerasModel
from tiercut.profiling.models.keras_calls import build_piece
from tiercut.profiling.models.loader import read_model
from tiercut.profiling.models.onnx.graph_onnx import OnnxModel
from tiercut.profiling.models.onnx.sessions import model_bytes, open_session, refused, save_model, start_onnx
from tiercut.profiling.models.runtime import compile_piece, start_framework

__all__ = ["PieceCall", "PieceTensor", "WrittenPiece", "open_piece", "piece_tensor", "write_piece"]

Numbers = NDArray[Any]


class PieceCall(Protocol):
    """What a piece computes."""

    def __call__(self, values: Sequence[Numbers], places: Sequence[Numbers | None] | None = None, /) -> list[Numbers]:
        """Return the outputs for inputs, both in the order of the file.

        An output for which there is a place may be written there, if what runs it can, and is then that very array.
        """
        ...


_ONE_FILE = 2_000_000_000


@dataclass(frozen=True, slots=True)
class PieceTensor:
    """A tensor that a piece takes or makes, for one sample: name, type as numpy spells it, sizes of all axes."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WrittenPiece:
    """A piece as files.

    Parameters
    ----------
    inputs, outputs
        What the files take and make, in their order. What a piece only hands on is in neither.
    files
        The file for each runtime, ``onnx`` or ``keras``.
    """

    inputs: tuple[PieceTensor, ...]
    outputs: tuple[PieceTensor, ...]
    files: dict[str, Path]


def piece_tensor(model: Model, step: int) -> PieceTensor:
    """Return what a step makes, by a name that no other step's output has."""
    output = model.graph.steps[step].output
    if isinstance(model, OnnxModel):
        seen = model.seen[output.name]
        return PieceTensor(output.name, seen.dtype, tuple(seen.sizes))
    return PieceTensor(f"{model.graph.steps[step].name}:{step}", output.dtype, output.sizes())


def write_piece(model: Model, start: int, ends: Sequence[int], folder: Path, stem: str) -> WrittenPiece:
    """Write the steps between some: of an ONNX model as ``.onnx``, else as ``.keras`` and, if it can be, ``.onnx``.

    Parameters
    ----------
    model
        The network, for one sample in a call.
    start
        The step after which the piece begins; it takes what crosses there.
    ends
        The steps whose outputs it makes; what crosses at `start` already is left out.
    folder, stem
        Where to write, and what the files are called without their ending.

    Raises
    ------
    QuestionError
        If an end depends on what does not come through `start`, or a piece is too large for a file.
    """
    taken = model.graph.crossing(start)
    made = [each for each in dict.fromkeys(ends) if each not in set(taken)]
    if isinstance(model, OnnxModel):
        return _write_onnx(model, start, made, folder / f"{stem}.onnx")
    if isinstance(model, KerasModel):
        return _write_keras(model, taken, made, folder, stem)
    raise QuestionError(f"pieces of a {type(model).__name__} have no file")


def _write_onnx(model: OnnxModel, start: int, made: Sequence[int], path: Path) -> WrittenPiece:
    names = [model.graph.steps[each].name for each in made]
    piece = model.extracted(start, names)
    if piece.state:
        raise QuestionError(f"'{piece.state[0]}' is state, which an agent does not keep from one frame to the next")
    if model_bytes(piece.model) >= _ONE_FILE:
        raise QuestionError(f"piece '{path.stem}' has more than 2 GB of weights, which one file does not hold")
    save_model(piece.model, path)
    by_name = {step.output.name: place for place, step in enumerate(model.graph.steps)}
    return WrittenPiece(
        tuple(piece_tensor(model, by_name[each.name]) for each in piece.model.graph.input),
        tuple(piece_tensor(model, each) for each in made),
        {"onnx": path},
    )


def _write_keras(model: KerasModel, taken: Sequence[int], made: Sequence[int], folder: Path, stem: str) -> WrittenPiece:
    import keras

    starts, ends = ([model.tensor(each) for each in places] for places in (taken, made))
    piece = build_piece(*(each if len(each) > 1 else each[0] for each in (starts, ends)), name=stem)
    files = {"keras": folder / f"{stem}.keras"}
    piece.save(files["keras"])
    if find_spec("tf2onnx") is not None and keras.backend.backend() == "tensorflow":
        files["onnx"] = folder / f"{stem}.onnx"
        export_keras(piece, files["onnx"], outputs=[f"made{place}" for place in range(len(made))])
    return WrittenPiece(
        tuple(piece_tensor(model, each) for each in taken), tuple(piece_tensor(model, each) for each in made), files
    )


def open_piece(path: Path, *, threads: int | None = None) -> PieceCall:
    """Return what a file of `write_piece` computes: from its inputs, in order, to its outputs.

    Parameters
    ----------
    path
        The file; its ending says what runs it.
    threads
        To compute with, where nothing was settled yet.

    Raises
    ------
    InputError
        If it cannot be loaded.
    QuestionError
        If what runs it is not installed.
    """
    return _open_onnx(path, threads) if path.suffix == ".onnx" else _open_keras(path, threads)


def _open_onnx(path: Path, threads: int | None) -> PieceCall:
    start_onnx(threads)
    try:
        session = open_session(path)
    except Exception as error:  # what compiled code raises is of every kind
        raise refused(str(path), error) from None
    names = [each.name for each in session.get_inputs()]

    ends = [each.name for each in session.get_outputs()]

    def call(values: Sequence[Numbers], places: Sequence[Numbers | None] | None = None, /) -> list[Numbers]:
        if places is None:
            found: list[Numbers] = session.run(None, dict(zip(names, values, strict=True)))
            return found
        binding = session.io_binding()
        for name, value in zip(names, values, strict=True):
            binding.bind_cpu_input(name, value)
        for name, place in zip(ends, places, strict=True):
            if place is None:
                binding.bind_output(name, "cpu")
            else:
                binding.bind_output(name, "cpu", 0, place.dtype, place.shape, place.ctypes.data)
        session.run_with_iobinding(binding)
        made = binding.get_outputs()
        return [each.numpy() if place is None else place for each, place in zip(made, places, strict=True)]

    return call


def _open_keras(path: Path, threads: int | None) -> PieceCall:
    start_framework(threads)
    import keras

    model = read_model(path)
    if not isinstance(model.inputs, list):
        raise InputError(str(path), "is no piece of a network")
    piece = compile_piece(tuple(model.inputs), list(model.outputs))

    def call(values: Sequence[Numbers], _: Sequence[Numbers | None] | None = None, /) -> list[Numbers]:
        made = piece(tuple(keras.ops.convert_to_tensor(each) for each in values))
        return [np.asarray(keras.ops.convert_to_numpy(each)) for each in made]

    return call
