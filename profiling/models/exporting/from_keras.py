"""Keras models as ONNX files: written by Keras through tf2onnx, with named outputs, and checked before they stay."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tiercut import documents
from tiercut.errors import QuestionError
from tiercut.profiling.models.keras_calls import compute
from tiercut.profiling.models.onnx.sessions import open_session, start_onnx

__all__ = ["export_keras"]

_ROUNDING = 1e-4


def export_keras(model: Any, path: str | os.PathLike[str], *, outputs: Sequence[str] = ()) -> None:
    """Write a Keras model as an ONNX file, whole or not at all.

    Layers of the kind Normalization are written as the arithmetic that they are: their mean and variance are no weights
    to tf2onnx, which makes inputs of them. What is written is run beside the model before it is kept.

    Parameters
    ----------
    model
        A functional model, without models inside that stay layers.
    path
        The file to write.
    outputs
        What its outputs are called, in order; by default as the layers that make them.

    Raises
    ------
    QuestionError
        If tf2onnx is not installed, Keras runs on another backend than TensorFlow, the model cannot be exported, or
        what was written answers something else.
    InputError
        If the file cannot be written.
    """
    start_onnx()
    if find_spec("tf2onnx") is None:
        raise QuestionError(
            "Keras models become ONNX files by tf2onnx; install with: pip install 'tiercut[keras-onnx]'"
        )
    import keras

    if keras.backend.backend() != "tensorflow":
        raise QuestionError(f"Keras exports to ONNX on TensorFlow, not on {keras.backend.backend()}")
    plain = _arithmetic(model)
    names = list(outputs) or [str(each._keras_history.operation.name) for each in model.outputs]
    examples = [_example(each) for each in plain.inputs]
    plain(examples if len(examples) > 1 else examples[0], training=False)  # what was never called cannot be exported
    with tempfile.TemporaryDirectory(prefix="tiercut-") as folder:
        raw = Path(folder) / "raw.onnx"
        _write(plain, raw)
        made = _named(raw, names)
        _check(model, made, examples)
        documents.write_whole(path, lambda stream: stream.write(made.SerializeToString()))


def _arithmetic(model: Any) -> Any:
    """Return a model in which layers of the kind Normalization are the arithmetic that they do."""
    import keras

    if not any(type(each).__name__ == "Normalization" for each in model.operations):
        return model

    def call(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if type(layer).__name__ != "Normalization":
            return layer(*args, **kwargs)
        mean, spread = (
            keras.ops.convert_to_numpy(each).astype(np.float32) for each in (layer.mean, keras.ops.sqrt(layer.variance))
        )
        spread = np.maximum(spread, keras.backend.epsilon())
        return args[0] * spread + mean if layer.invert else (args[0] - mean) / spread

    entries = [
        keras.Input(batch_shape=each.shape, dtype=each.dtype, name=each._keras_history.operation.name)
        for each in model.inputs
    ]
    ends = compute(model.inputs, entries, model.outputs, call=call)
    return keras.Model(entries if len(entries) > 1 else entries[0], ends if len(ends) > 1 else ends[0], name=model.name)


def _example(tensor: Any) -> np.ndarray[Any, Any]:
    import keras

    dtype = np.dtype(keras.backend.standardize_dtype(tensor.dtype))
    shape = (tensor.shape[0] or 2, *(size or 8 for size in tensor.shape[1:]))
    if dtype.kind in "iub":
        return np.ones(shape, dtype=dtype)
    return np.random.default_rng(0).random(shape, dtype=np.float32).astype(dtype)


def _write(model: Any, path: Path) -> None:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # tf2onnx tells of every step
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            model.export(path, format="onnx", verbose=False)
    except Exception as error:  # what Keras and tf2onnx raise for what they cannot write is of every kind
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise QuestionError(f"model '{model.name}' cannot be exported to ONNX: {first.strip()[:300]}") from error
    finally:
        logging.disable(before)


def _named(path: Path, names: Sequence[str]) -> Any:
    """Return a model with its outputs called by other names."""
    import onnx

    model = onnx.load(str(path))
    graph = model.graph
    taken = {each.name for each in graph.input} | {each for node in graph.node for each in node.output}
    for output, name in zip(graph.output, names, strict=True):
        if output.name == name:
            continue
        if name in taken:  # a tensor inside has the name
            for node in graph.node:
                for each in (node.input, node.output):
                    for place, old in enumerate(each):
                        each[place] = f"{old}/inside" if old == name else old
        graph.node.append(onnx.helper.make_node("Identity", [output.name], [name]))
        output.name = name
    return model


def _check(model: Any, made: Any, examples: Sequence[np.ndarray[Any, Any]]) -> None:
    import keras

    try:
        session = open_session(made)
    except Exception as error:  # what compiled code raises is of every kind
        what = f"model '{model.name}' cannot be exported to ONNX: ONNX Runtime does not take what tf2onnx wrote"
        why = " ".join(str(error).split())
        raise QuestionError(f"{what} ({why}); use other layers or activations in their place") from None
    wanted = [each.name for each in made.graph.input]
    if len(session.get_inputs()) != len(model.inputs):
        extra = [name for name in wanted if name not in {each._keras_history.operation.name for each in model.inputs}]
        raise QuestionError(
            f"model '{model.name}' cannot be exported to ONNX: {', '.join(extra)} would be inputs beside its own; some "
            "layer holds numbers that are no weights"
        )
    feed = {each.name: numbers for each, numbers in zip(session.get_inputs(), examples, strict=True)}
    own = session.run([each.name for each in made.graph.output], feed)
    whole = keras.tree.flatten(model(list(examples) if len(examples) > 1 else examples[0], training=False))
    for left, right in zip(own, map(keras.ops.convert_to_numpy, whole), strict=True):
        largest = float(np.abs(right).max(initial=0.0)) or 1.0
        if left.shape != right.shape or not float(np.abs(left - right).max(initial=0.0)) <= _ROUNDING * largest:
            raise QuestionError(f"model '{model.name}' answers something else as an ONNX file; it is not written")
