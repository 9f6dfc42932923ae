"""The transfer layer as a part of a Keras model: put in, left out again, and the model split between its halves.

ScissionLite (section 3.4) calls these the Inserter and the Splitter; the Trainer is
`tiercut.profiling.codecs.retraining`. A model with a transfer layer is a model like any other: it can be profiled, cut
after its layer ``transfer_down``, and run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tiercut.errors import QuestionError
from tiercut.profiling.codecs.form import layout_of, usual_layout
from tiercut.profiling.exits.exits import ExitModel, recognise_exits
from tiercut.profiling.models.blocks import find_blocks
from tiercut.profiling.models.graph_keras import KerasModel
from tiercut.profiling.models.keras_calls import compute
from tiercut.profiling.models.piece_files import WrittenPiece, open_piece, write_piece
from tiercut.profiling.models.runtime import framework

__all__ = [
    "DOWN",
    "insert_among_exits",
    "insert_transfer_layer",
    "split_transfer_model",
    "without_transfer_layer",
]

DOWN, _UP, _CROP = "transfer_down", "transfer_up", "transfer_crop"

_ROUNDING = 1e-4


def insert_transfer_layer(model: Any, layer: str) -> Any:
    """Return a model with a transfer layer behind one of its layers; weights are shared.

    Parameters
    ----------
    model
        A functional Keras model, as `tiercut.profiling.models.loader.load_keras` returns it.
    layer
        The name of the layer, after which the model can be cut.

    Raises
    ------
    QuestionError
        If there is no such layer, the model cannot be cut there, its output is no image of a known size, or there is a
        transfer layer already.
    """
    _refuse_second(model)
    there = KerasModel(model)
    block, *_ = find_blocks(there.graph, "explicit", cuts=(layer,))
    tensor = there.tensor(block.end)
    entries = _entries(model)
    (before,) = compute(model.inputs, entries, [tensor])
    _, after = _transferred(before, layer)
    return _model(entries, compute([tensor], [after], model.outputs), model.name)


def insert_among_exits(exits: ExitModel, layer: str) -> ExitModel:
    """Return a network with exits and a transfer layer behind one of its blocks; weights are shared.

    The block then ends with the half that sends, where plans can cut it, and its branch, if it has one, reads what is
    sent: so the exit is there on either side of the cut. Branches before it stay as they are.

    Parameters
    ----------
    exits
        The network.
    layer
        The name of the layer that ends the block, any but the last.

    Raises
    ------
    QuestionError
        If no block but the last ends there, its output is no image of a known size, its branch cannot read a smaller
        one, or there is a transfer layer already.
    """
    _refuse_second(exits.model)
    names = [block.name for block in exits.blocks]
    if layer not in names[:-1]:
        raise QuestionError(
            f"in a network with exits a transfer layer stands where a block ends, and none ends with '{layer}'; they "
            f"end with {', '.join(names[:-1]) or 'nothing before the last'}"
        )
    place = names.index(layer)
    tensor = exits.runtime.tensor(exits.blocks[place].end)  # type: ignore[attr-defined]
    ends = {number: branch.output for number, branch in enumerate(exits.branches) if branch is not None}
    entries = _entries(exits.model)
    early = [ends[number] for number in ends if number < place]
    before, *made = compute(exits.backbone.inputs, entries, [tensor, *early])
    sent, after = _transferred(before, layer)
    if place in ends:
        try:
            made += compute([tensor], [sent], [ends[place]])
        except ValueError as error:
            raise QuestionError(f"the branch of block '{layer}' cannot read images of half the size: {error}") from None
    made += compute([tensor], [after], [ends[number] for number in ends if number > place])
    model = _model(entries, made, exits.model.name)
    return recognise_exits(model, [*names[:place], DOWN, *names[place + 1 :]], [number + 1 for number in ends])


def _refuse_second(model: Any) -> None:
    if any(each.name == DOWN for each in model.layers):
        raise QuestionError(f"model '{model.name}' has a transfer layer already")


def _transferred(tensor: Any, layer: str) -> tuple[Any, Any]:
    """Call a transfer layer on a symbolic tensor, and return what is sent and what the receiver makes of it."""
    import keras

    shape = tuple(tensor.shape)
    if len(shape) != 4 or None in shape[1:]:
        raise QuestionError(f"layer '{layer}' makes {shape[1:]}, and a transfer layer is for images of a known size")
    layout = layout_of((1, *shape[1:]), usual_layout(framework().backend))
    height, width = shape[2:] if layout == "channels_first" else shape[1:3]
    if height == width == 1:
        raise QuestionError(f"layer '{layer}' makes images of one pixel, of which there is nothing to leave out")
    down = keras.layers.MaxPooling2D(2, strides=2, padding="same", data_format=layout, name=DOWN)(tensor)
    up = keras.layers.UpSampling2D(2, interpolation="nearest", data_format=layout, name=_UP)(down)
    if height % 2 or width % 2:
        up = keras.layers.Cropping2D(((0, height % 2), (0, width % 2)), data_format=layout, name=_CROP)(up)
    return down, up


def without_transfer_layer(model: Any) -> Any:
    """Return a model as it was before `insert_transfer_layer`, with the weights that it has now.

    Raises
    ------
    QuestionError
        If there is none in it.
    """
    _step_down(KerasModel(model))

    def call(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return args[0] if layer.name in (DOWN, _UP, _CROP) else layer(*args, **kwargs)

    entries = _entries(model)
    return _model(entries, compute(model.inputs, entries, model.outputs, call=call), model.name)


def _entries(model: Any) -> list[Any]:
    import keras

    return [
        keras.Input(batch_shape=each.shape, dtype=each.dtype, name=each._keras_history.operation.name)
        for each in model.inputs
    ]


def _model(entries: list[Any], ends: list[Any], name: str) -> Any:
    import keras

    first, last = (each if len(each) > 1 else each[0] for each in (entries, ends))
    return keras.Model(first, last, name=name)


def _step_down(model: KerasModel) -> int:
    """Return the step that ends the sender's half."""
    places = [place for place, step in enumerate(model.graph.steps) if step.name == DOWN]
    if not places:
        raise QuestionError(
            f"model '{model.graph.name}' has no transfer layer; put one in with: tiercut codec insert MODEL LAYER FILE"
        )
    return places[0]


def split_transfer_model(model: Any, folder: Path) -> tuple[WrittenPiece, WrittenPiece]:
    """Write what runs before a transfer layer with its first half, and what runs after it with its second.

    They are ``device.keras`` and ``edge.keras``, and ``.onnx`` files beside them where tf2onnx is installed; what they
    answer together is held against the model.

    Parameters
    ----------
    model
        A Keras model, or an `ExitModel`, of which each half makes what its branches answer, before what it sends.
    folder
        Where to write.

    Raises
    ------
    QuestionError
        If there is no transfer layer, or a number differs by more than 1e-4 of the largest.
    """
    there, early, late = _halves(model)
    down = _step_down(there)
    graph = there.graph
    folder.mkdir(parents=True, exist_ok=True)
    device = write_piece(there, graph.last_input, [*early, down], folder, "device")
    edge = write_piece(there, down, late, folder, "edge")
    rng = np.random.default_rng(0)
    frame = [rng.random(each.shape, np.float32).astype(each.dtype) for each in device.inputs]
    uncut = model.model if isinstance(model, ExitModel) else model
    wanted = [np.asarray(each) for each in _listed(uncut([*frame] if len(frame) > 1 else frame[0], training=False))]
    for kind in device.files:
        *left, crossing = open_piece(device.files[kind])(frame)
        for found, whole in zip([*left, *open_piece(edge.files[kind])([crossing])], wanted, strict=True):
            if not np.abs(found - whole).max() <= _ROUNDING * (np.abs(whole).max() or 1.0):
                raise QuestionError(f"the .{kind} halves of '{graph.name}' do not answer as the model does")
    return device, edge


def _halves(model: Any) -> tuple[KerasModel, list[int], list[int]]:
    """Return a model as a graph, and the steps of it that answer before and after its transfer layer."""
    if not isinstance(model, ExitModel):
        there = KerasModel(model)
        return there, [], list(there.graph.outputs)
    names = [block.name for block in model.blocks]
    place = names.index(DOWN) if DOWN in names else -1
    ends = [(number, branch.end) for number, branch in enumerate(model.branches) if branch is not None]
    runtime: Any = model.runtime
    return runtime, [end for number, end in ends if number <= place], [end for number, end in ends if number > place]


def _listed(made: Any) -> list[Any]:
    return list(made) if isinstance(made, list | tuple) else [made]
