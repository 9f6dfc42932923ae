"""Pieces of a model give, one after the other, what the whole gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tiercut.errors import QuestionError
from tiercut.profiling.models.blocks import find_blocks
from tiercut.profiling.models.pieces import build_piece, span


def _answer(model: Any, data: Any) -> np.ndarray:
    return np.asarray(model(data, training=False))


def test_two_pieces_of_resnet20_give_the_answer_of_the_whole_for_every_cut(resnet20: Any, images: np.ndarray) -> None:
    whole = _answer(resnet20.backbone, images)
    last = len(resnet20.blocks) - 1
    for cut in range(last):
        between = _answer(span(resnet20.blocks, 0, cut), images)
        second = span(resnet20.blocks, cut + 1, last, branch=resnet20.branches[last].output)
        np.testing.assert_allclose(_answer(second, between), whole, rtol=0, atol=1e-6)


def test_a_span_with_its_branch_gives_that_branch_of_the_whole(resnet20: Any, images: np.ndarray) -> None:
    outputs = [np.asarray(each) for each in resnet20.model(images, training=False)]
    for last, branch in enumerate(resnet20.branches):
        alone = span(resnet20.blocks, 0, last, branch=branch.output)
        np.testing.assert_allclose(_answer(alone, images), outputs[last], rtol=0, atol=1e-6)


def test_a_piece_shares_its_weights_with_the_whole(resnet20: Any) -> None:
    piece = span(resnet20.blocks, 2, 4)
    of_whole = {id(weight) for weight in resnet20.backbone.weights}
    assert piece.weights
    assert all(id(weight) in of_whole for weight in piece.weights)


def test_making_pieces_leaves_the_model_as_it_was(diamond: Any) -> None:
    before = find_blocks(diamond)
    span(before, 0, 1)
    span(before, 1, 2)
    assert find_blocks(diamond) == before
    assert all(old.output is new.output for old, new in zip(before, find_blocks(diamond), strict=True))


def test_a_layer_that_is_called_twice_can_be_cut_between_its_calls(keras: Any) -> None:
    entry, dense = keras.Input((4,)), keras.layers.Dense(4, name="twice")
    model = keras.Model(entry, dense(dense(entry)))
    data = np.random.default_rng(3).random((2, 4), dtype=np.float32)
    blocks = find_blocks(model)
    assert len(blocks) == 2
    between = _answer(span(blocks, 0, 0), data)
    np.testing.assert_allclose(_answer(span(blocks, 1, 1), between), _answer(model, data), atol=1e-6)


def test_a_piece_that_needs_something_from_before_it_is_refused(diamond: Any) -> None:
    left = diamond.get_layer("left").output
    with pytest.raises(QuestionError, match="which is not in the piece"):
        build_piece(left, diamond.output)


def test_blocks_that_are_not_there_are_refused(resnet20: Any) -> None:
    for first, last in ((3, 2), (-1, 2), (0, 10)):
        with pytest.raises(QuestionError, match="there are no blocks"):
            span(resnet20.blocks, first, last)


def _check_every_cut(keras: Any, name: str, size: int) -> None:
    keras.utils.clear_session()
    keras.utils.set_random_seed(4)
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
    data = np.random.default_rng(5).random((1, size, size, 3), dtype=np.float32)
    blocks = find_blocks(model)
    outputs = build_piece(model.input, [block.output for block in blocks])(data, training=False)
    whole = _answer(model, data)
    for cut in range(len(blocks) - 1):
        second = span(blocks, cut + 1, len(blocks) - 1)
        np.testing.assert_allclose(_answer(second, outputs[cut]), whole, rtol=0, atol=1e-6)


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
