"""Pieces of a model give, one after the other, what the whole gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.keras_models import answer, blocks_of

from tiercut.errors import QuestionError
from tiercut.profiling.models.blocks import compile_span
from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.models.graph_keras import KerasModel
from tiercut.profiling.models.keras_calls import build_piece


def _whole(model: Any, data: Any) -> np.ndarray:
    return np.asarray(model(data, training=False))


def test_two_pieces_of_resnet20_give_the_answer_of_the_whole_for_every_cut(resnet20: Any, images: np.ndarray) -> None:
    whole = _whole(resnet20.backbone, images)
    last = len(resnet20.blocks) - 1
    for cut in range(last):
        between = answer(resnet20.runtime, resnet20.blocks, 0, cut, images)
        end = resnet20.branches[last].end
        second = answer(resnet20.runtime, resnet20.blocks, cut + 1, last, between, end=end)
        np.testing.assert_allclose(second, whole, rtol=0, atol=1e-6)


def test_a_span_with_its_branch_gives_that_branch_of_the_whole(resnet20: Any, images: np.ndarray) -> None:
    outputs = [np.asarray(each) for each in resnet20.model(images, training=False)]
    for last, branch in enumerate(resnet20.branches):
        alone = answer(resnet20.runtime, resnet20.blocks, 0, last, images, end=branch.end)
        np.testing.assert_allclose(alone, outputs[last], rtol=0, atol=1e-6)


def test_a_piece_shares_its_weights_with_the_whole(diamond: Any) -> None:
    piece = build_piece(diamond.get_layer("fan").output, diamond.output)
    of_whole = {id(weight) for weight in diamond.weights}
    assert len(piece.weights) == 6
    assert all(id(weight) in of_whole for weight in piece.weights)


def test_making_pieces_leaves_the_model_as_it_was(diamond: Any) -> None:
    before, graph = blocks_of(diamond), KerasModel(diamond).graph
    compile_span(KerasModel(diamond), before, 0, 1)
    compile_span(KerasModel(diamond), before, 1, 2)
    assert (blocks_of(diamond), KerasModel(diamond).graph) == (before, graph)


def test_a_layer_that_is_called_twice_can_be_cut_between_its_calls(keras: Any) -> None:
    entry, dense = keras.Input((4,)), keras.layers.Dense(4, name="twice")
    model = keras.Model(entry, dense(dense(entry)))
    data = np.random.default_rng(3).random((2, 4), dtype=np.float32)
    blocks, runtime = blocks_of(model), KerasModel(model)
    assert len(blocks) == 2
    between = answer(runtime, blocks, 0, 0, data)
    np.testing.assert_allclose(answer(runtime, blocks, 1, 1, between), _whole(model, data), atol=1e-6)


def test_a_piece_that_needs_something_from_before_it_is_refused(diamond: Any) -> None:
    with pytest.raises(QuestionError, match="which is not in the piece"):
        build_piece(diamond.get_layer("left").output, diamond.output)


def test_a_piece_between_places_that_several_tensors_cross_takes_and_makes_them_all(diamond: Any) -> None:
    model = KerasModel(diamond)
    place = {step.name: number for number, step in enumerate(model.graph.steps)}
    data = np.random.default_rng(3).random((2, 4), dtype=np.float32)
    first = model.compile_piece(model.graph.last_input, place["left"], batch=2)
    both = first(model.to_tensor(data))
    assert isinstance(both, tuple)
    answer = model.compile_piece(place["left"], place["end"], batch=2)(both)
    np.testing.assert_allclose(model.to_numbers(answer), model.to_numbers(model.run(data)), rtol=1e-5)


def test_blocks_that_are_not_there_are_refused(resnet20: Any) -> None:
    for first, last in ((3, 2), (-1, 2), (0, 10)):
        with pytest.raises(QuestionError, match="there are no blocks"):
            compile_span(resnet20.runtime, resnet20.blocks, first, last)


def _check_every_cut(keras: Any, name: str, size: int) -> None:
    keras.utils.clear_session()
    keras.utils.set_random_seed(4)
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
    data = np.random.default_rng(5).random((1, size, size, 3), dtype=np.float32)
    blocks, runtime = blocks_of(model), KerasModel(model)
    outputs = build_piece(model.input, [runtime.tensor(block.end) for block in blocks])(data, training=False)
    whole = _whole(model, data)
    for cut in range(len(blocks) - 1):
        second = answer(runtime, blocks, cut + 1, len(blocks) - 1, outputs[cut])
        np.testing.assert_allclose(second, whole, rtol=0, atol=1e-6)


OTHERS = [
    ("NASNetMobile", 32),
    ("MobileNet", 32),
    ("MobileNetV2", 32),
    ("MobileNetV3Small", 32),
    ("ResNet50", 32),
    ("ResNet50V2", 32),
    ("DenseNet121", 32),
    ("EfficientNetB0", 32),
    ("Xception", 71),
    ("InceptionV3", 75),
    ("InceptionResNetV2", 75),
]


def test_two_pieces_of_an_application_give_the_answer_of_the_whole_for_every_cut(keras: Any) -> None:
    _check_every_cut(keras, "VGG16", 32)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), OTHERS)
def test_two_pieces_of_eleven_more_architectures_do_so_too(keras: Any, name: str, size: int) -> None:
    _check_every_cut(keras, name, size)


@pytest.mark.parametrize("how", ["layer", "default", "call"])
def test_pieces_answer_as_predict_does_whatever_a_call_says_of_training(keras: Any, how: str) -> None:
    class Doubled(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, tensor: Any, training: bool = True) -> Any:
            return tensor * 2.0 if training else tensor

    entry = keras.Input((4, 4, 2))
    tensor = keras.layers.Conv2D(3, 2)(entry)
    tensor = {
        "layer": lambda: keras.layers.BatchNormalization()(tensor, training=True),
        "default": lambda: Doubled()(tensor),
        "call": lambda: Doubled()(tensor, training=True),
    }[how]()
    model = keras.Model(entry, keras.layers.GlobalAveragePooling2D()(tensor))
    values = data = np.random.default_rng(3).random((2, 4, 4, 2), dtype=np.float32)
    cut = CutNetwork("small", "all", KerasModel(model), blocks_of(model))
    for place in range(len(cut.blocks)):
        values = cut.compile(place, place, batch=2)(values)
    np.testing.assert_allclose(np.asarray(values), model.predict(data, verbose=0), rtol=0, atol=1e-6)
