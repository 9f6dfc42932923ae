"""Backbones with the places where they are cut, and the exits that they get there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tiercut.errors import QuestionError
from tiercut.profiling.exits.exits import ExitModel, attach_exits
from tiercut.profiling.models.backbones import BACKBONES, backbone
from tiercut.profiling.models.residual import resnet


def _exits(name: str, *, branches: Any = "all", **options: Any) -> ExitModel:
    network = backbone(name, **options)
    exits = attach_exits(network.model, cuts=network.cuts, branches=branches)
    assert tuple(block.name for block in exits.blocks) == network.cuts
    return exits


def _assert_answers(exits: ExitModel, classes: int) -> None:
    """Every branch gives probabilities of the classes, also for images that it was not trained on."""
    shape = exits.model.inputs[0].shape[1:]
    scores = exits.model(np.random.default_rng(0).random((2, *shape), dtype=np.float32), training=False)
    for each in scores:
        assert each.shape == (2, classes)
        np.testing.assert_allclose(np.sum(each, axis=1), 1, atol=1e-5)


def test_backbones_come_in_every_depth_of_their_family(keras: Any) -> None:
    assert len(resnet(32).cuts) == 16
    assert backbone("RESNET_32").title == "ResNet32"
    with pytest.raises(QuestionError, match="not 21"):
        resnet(21)
    with pytest.raises(QuestionError, match="did you mean 'resnet110'"):
        backbone("resnet111")


def test_resnet20_has_the_published_number_of_weights(resnet20: Any) -> None:
    assert 0.27e6 < resnet20.backbone.count_params() < 0.28e6


@pytest.mark.parametrize(("depth", "blocks"), [(20, 10), (32, 16), (56, 28), (110, 55)])
def test_residual_networks_are_cut_after_the_stem_and_every_unit(keras: Any, depth: int, blocks: int) -> None:
    assert len(backbone(f"resnet{depth}").cuts) == blocks


def test_the_simulators_network_has_the_weights_of_its_table(keras: Any) -> None:
    exits = _exits("simulator")
    counts = [layer.count_params() for layer in exits.backbone.layers[1:]]
    by_table = [320, 18496, 0, 256, 73856, 147584, 0, 512, 295168, 0, 0, 1024, 131584, 5130]
    assert counts == by_table
    sizes = [block.output_bytes // 4 for block in exits.blocks]
    assert sizes[:3] == [26 * 26 * 32, 24 * 24 * 64, 12 * 12 * 64]
    assert len(exits.present) == 13
    _assert_answers(exits, 10)


def test_lenet_and_alexnet_get_exits_at_small_input(keras: Any) -> None:
    lenet = _exits("LeNet", classes=3, input_shape=(28, 28, 1))
    assert lenet.backbone.count_params() == 156 + 2416 + 30840 + 10164 + 255  # on 4x4 maps of 16
    _assert_answers(lenet, 3)
    alexnet = _exits("alexnet", branches=[2, 4, 8])
    assert [block.name for block in alexnet.blocks][:4] == ["conv1", "pool1", "conv2", "pool2"]
    _assert_answers(alexnet, 10)


def test_alexnet_has_the_published_number_of_weights_on_large_images(keras: Any) -> None:
    model = backbone("alexnet", classes=1000, input_shape=(227, 227, 3)).model
    normalisations = 4 * (96 + 256)
    assert model.count_params() == 62_378_344 + normalisations


def test_mobilenet_v2_gets_an_exit_after_every_inverted_residual_block(keras: Any) -> None:
    exits = _exits("MobileNet-V2", branches=[1, 9])
    assert len(exits.blocks) == 19
    assert (exits.blocks[0].output_bytes, exits.blocks[-1].output_bytes) == (48 * 48 * 32 * 4, 3 * 3 * 1280 * 4)
    assert exits.backbone.get_layer("bn_Conv1").momentum == 0.9
    _assert_answers(exits, 10)


def test_inception_v3_gets_an_exit_after_every_module(keras: Any) -> None:
    exits = _exits("inceptionv3", classes=4, branches=[2, 8])
    assert [block.name for block in exits.blocks][-3:] == ["mixed8", "mixed9", "mixed10"]
    assert len(exits.blocks) == 13
    assert exits.model.inputs[0].shape == (None, 32, 32, 3)
    _assert_answers(exits, 4)


def test_images_that_are_too_small_are_refused(keras: Any) -> None:
    with pytest.raises(QuestionError, match="simulator cannot be built for images of 8x8x3"):
        backbone("simulator", input_shape=(8, 8, 3))


def test_the_scores_of_a_backbone_are_in_single_precision_also_where_it_computes_in_half(keras: Any) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        exits = _exits("lenet", branches=[1])
    finally:
        keras.config.set_dtype_policy("float32")
    assert exits.runtime.graph.steps[exits.blocks[0].end].output.dtype == "float16"
    assert {output.dtype for output in exits.model.outputs} == {"float32"}


def test_every_backbone_is_named_as_commands_take_it() -> None:
    assert set(BACKBONES) >= {"resnet20", "resnet110", "mobilenetv2", "inceptionv3", "simulator", "lenet", "alexnet"}


@pytest.mark.slow
def test_inception_of_half_the_width_is_cut_as_the_whole_one_and_has_a_quarter_of_its_weights() -> None:
    import keras

    found = []
    for name in ("inceptionv3", "inceptionv3half"):
        keras.utils.clear_session()  # names that Keras makes up count from 1 again
        found.append(backbone(name))
    whole, half = found
    assert half.cuts == whole.cuts
    assert half.model.output_shape == whole.model.output_shape
    assert half.model.count_params() == pytest.approx(whole.model.count_params() / 4, rel=0.02)
    assert {layer.momentum for layer in half.model.layers if hasattr(layer, "momentum")} == {0.9}
