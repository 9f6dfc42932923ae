"""A model repository for NVIDIA's Triton: each piece as a model, and the plan as one that calls them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from tiercut.offloader.bundles.manifest import Bundle, Piece, TensorSpec
from tiercut.offloader.deployment import triton_model
from tiercut.offloader.deployment.names import stage_name, title_name

__all__ = ["WHOLE", "write_triton"]

WHOLE = "plan"
"""The model that answers a frame."""

_TYPES = {
    "bool": "TYPE_BOOL",
    "uint8": "TYPE_UINT8",
    "uint16": "TYPE_UINT16",
    "uint32": "TYPE_UINT32",
    "uint64": "TYPE_UINT64",
    "int8": "TYPE_INT8",
    "int16": "TYPE_INT16",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "float16": "TYPE_FP16",
    "float32": "TYPE_FP32",
    "float64": "TYPE_FP64",
}


def write_triton(bundles: Sequence[Bundle], folders: Sequence[Path], repository: Path) -> None:
    """Write the repository.

    A plan that is left at its end alone is an ensemble, which Triton runs by itself; one with early exits is a model of
    the Python backend, which calls piece after piece until a frame leaves.

    Parameters
    ----------
    bundles, folders
        Of the partitions in order; all their pieces have ONNX files.
    repository
        The folder to write, which is not there yet.
    """
    named = [
        (f"{stage_name(bundle)}-piece{place}", piece, folder)
        for bundle, folder in zip(bundles, folders, strict=True)
        for place, piece in enumerate(bundle.pieces, 1)
    ]
    for name, piece, folder in named:
        version = repository / name / "1"
        version.mkdir(parents=True)
        shutil.copyfile(folder / piece.files["onnx"].path, version / "model.onnx")
        config = [f"name: {_text(name)}", 'platform: "onnxruntime_onnx"', "max_batch_size: 0"]
        config += [*_tensors("input", piece.inputs), *_tensors("output", piece.outputs)]
        (repository / name / "config.pbtxt").write_text("\n".join(config) + "\n", encoding="utf-8")
    whole = repository / WHOLE
    (whole / "1").mkdir(parents=True)
    pieces = [(name, piece) for name, piece, _ in named]
    early = any(piece.threshold is not None for _, piece in pieces)
    text = _calling(bundles, pieces) if early else _ensemble(bundles, pieces)
    (whole / "config.pbtxt").write_text(text, encoding="utf-8")
    if early:
        shutil.copyfile(triton_model.__file__, whole / "1" / "model.py")


def _ensemble(bundles: Sequence[Bundle], pieces: Sequence[tuple[str, Piece]]) -> str:
    """Return the plan as steps that follow each other."""
    used = {each.name for _, piece in pieces for each in piece.inputs} | {each.name for each in bundles[-1].outputs}
    lines = [f"name: {_text(WHOLE)}", 'platform: "ensemble"', "max_batch_size: 0"]
    lines += [*_tensors("input", bundles[0].inputs), *_tensors("output", bundles[-1].outputs)]
    lines.append("ensemble_scheduling {")
    for name, piece in pieces:
        lines += ["  step {", f"    model_name: {_text(name)}", "    model_version: -1"]
        for part, tensors in (("input_map", piece.inputs), ("output_map", piece.outputs)):
            lines += [
                f"    {part} {{ key: {_text(each.name)} value: {_text(each.name)} }}"
                for each in tensors
                if each.name in used
            ]
        lines.append("  }")
    return "\n".join([*lines, "}"]) + "\n"


def _calling(bundles: Sequence[Bundle], pieces: Sequence[tuple[str, Piece]]) -> str:
    """Return the plan as a model of the Python backend, with what `triton_model` reads of it."""
    scores = next(
        each for each in pieces[-1][1].outputs if each.name == pieces[-1][1].scores
    )  # fmt: skip
    steps = [
        {
            "model": name,
            "inputs": [each.name for each in piece.inputs],
            "outputs": [each.name for each in piece.outputs],
            "exit": piece.exit,
            "threshold": piece.threshold,
            "scores": piece.scores,
        }
        for name, piece in pieces
    ]
    outputs = [
        TensorSpec(name="scores", dtype=scores.dtype, shape=scores.shape),
        TensorSpec(name="exit", dtype="int64", shape=[1]),
        TensorSpec(name="entropy", dtype="float32", shape=[1]),
    ]
    lines = [f"name: {_text(WHOLE)}", 'backend: "python"', "max_batch_size: 0"]
    lines += [*_tensors("input", bundles[0].inputs), *_tensors("output", outputs)]
    said = json.dumps({"network": title_name(bundles[0]), "steps": steps}, ensure_ascii=True)
    lines.append(f"parameters {{ key: {_text('plan')} value {{ string_value: {_text(said)} }} }}")
    lines.append("instance_group { kind: KIND_CPU }")
    return "\n".join(lines) + "\n"


def _tensors(part: str, tensors: Sequence[TensorSpec]) -> list[str]:
    return [
        f"{part} {{ name: {_text(each.name)} data_type: {_TYPES[each.dtype]} "
        + (f"dims: [{', '.join(map(str, each.shape))}]" if each.shape else "dims: [1] reshape { shape: [] }")
        + " }"
        for each in tensors
    ]


def _text(value: str) -> str:
    """Return a text as protobuf's text format takes it."""
    plain = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}
    return '"' + "".join(plain.get(each) or (each if each.isprintable() else _octal(each)) for each in value) + '"'


def _octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode())
