"""Blocks of a model: where it may be cut, and what each block holds."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from support.keras_models import blocks_of

from tiercut.errors import QuestionError
from tiercut.profiling.models import blocks as rules
from tiercut.profiling.models.graph_keras import KerasModel

# Partition points by Scission's counter and by dominators; with Keras 3 the first count is that of Scission's table I,
# but for the MobileNets, whose layers have changed since. The second has been published for ResNet50, DenseNet121,
# Xception and MobileNetV2 alone; the others are those of a search for tensors without which nothing arrives.
COUNTS = {
    "Xception": (13, 25),
    "VGG16": (21, 21),
    "VGG19": (24, 24),
    "ResNet50": (23, 39),
    "ResNet101": (40, 73),
    "ResNet152": (57, 107),
    "ResNet50V2": (15, 31),
    "ResNet101V2": (15, 48),
    "ResNet152V2": (15, 65),
    "InceptionV3": (18, 29),
    "InceptionResNetV2": (60, 103),
    "MobileNet": (89, 89),
    "MobileNetV2": (64, 74),
    "DenseNet121": (21, 79),
    "DenseNet169": (21, 103),
    "DenseNet201": (21, 119),
    "NASNetMobile": (4, 5),
    "NASNetLarge": (4, 5),
}
QUICK = ("VGG16", "ResNet50", "MobileNet", "MobileNetV2")


def partition_points(model: Any, *args: Any) -> tuple[str, ...]:
    return rules.partition_points(KerasModel(model).graph, *args)


def _application(keras: Any, name: str, size: int = 96) -> Any:
    return getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)


def _indispensable(model: Any) -> int:
    """Count the layers but the first and the last without which no path leads from input to output: try each."""
    steps = KerasModel(model).graph.steps
    children: dict[int, list[int]] = {place: [] for place in range(len(steps))}
    for place, step in enumerate(steps):
        for parent in step.parents:
            children[parent].append(place)

    def arrives(without: int) -> bool:
        seen, waiting = {without}, [0]
        while waiting:
            place = waiting.pop()
            if place not in seen:
                seen.add(place)
                waiting += children[place]
        return len(steps) - 1 in seen

    return sum(not arrives(place) for place in range(1, len(steps) - 1))


def _check_counts(model: Any, scission: int, everywhere: int) -> None:
    points = partition_points(model)
    counted = partition_points(model, "scission")
    assert len(counted) == scission
    assert len(points) == everywhere == _indispensable(model)
    assert set(counted) <= set(points)
    assert len(blocks_of(model)) == len(points) + 1
    assert len(blocks_of(model, "scission")) == len(counted) + 1


@pytest.mark.parametrize("name", QUICK)
def test_keras_applications_have_as_many_partition_points_as_published(keras: Any, name: str) -> None:
    _check_counts(_application(keras, name), *COUNTS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in COUNTS if name not in QUICK])
def test_all_other_applications_of_the_table_have_as_many_too(keras: Any, name: str) -> None:
    keras.utils.clear_session()
    _check_counts(_application(keras, name), *COUNTS[name])


def test_a_tensor_that_fans_out_is_a_point_for_dominators_but_not_for_the_counter(diamond: Any) -> None:
    assert partition_points(diamond) == ("fan", "join")
    assert partition_points(diamond, "scission") == ("join",)


def test_the_input_layer_belongs_to_block_1_and_the_output_to_the_last(diamond: Any) -> None:
    blocks = blocks_of(diamond)
    assert [block.layers for block in blocks] == [("entry", "fan"), ("left", "right", "join"), ("end",)]
    assert [(block.first_layer, block.last_layer) for block in blocks] == [(0, 1), (2, 4), (5, 5)]
    assert [block.output_bytes for block in blocks] == [12, 12, 8]
    assert [block.activation_bytes for block in blocks] == [16, 12, 8]


def test_floating_point_operations_of_dense_layers_are_two_for_each_weight(diamond: Any) -> None:
    assert [block.flops for block in blocks_of(diamond)] == [2 * 4 * 3, 2 * 2 * 3 * 3, 2 * 3 * 2]


@pytest.mark.parametrize("rule", ["all", "scission"])
def test_blocks_divide_layers_and_weights_without_rest(keras: Any, rule: Any) -> None:
    model = _application(keras, "MobileNetV2")
    blocks = blocks_of(model, rule)
    names = [name for block in blocks for name in block.layers]
    assert names == [layer.name for layer in model.layers]
    assert all(after.first_layer == before.last_layer + 1 for before, after in pairwise(blocks))
    assert all(after.start == before.end for before, after in pairwise(blocks))
    assert sum(block.parameter_bytes for block in blocks) == 4 * model.count_params()


def test_explicit_cuts_end_blocks_where_they_are_named_in_any_order(diamond: Any) -> None:
    assert [block.name for block in blocks_of(diamond, "explicit", cuts=["join", "fan"])] == ["fan", "join", "end"]


def test_blocks_may_end_where_the_classifier_begins(diamond: Any) -> None:
    assert [block.name for block in blocks_of(diamond, end="join")] == ["fan", "join"]


def test_a_cut_that_a_path_runs_past_is_refused_by_name(diamond: Any) -> None:
    with pytest.raises(QuestionError, match="cannot be cut after layer 'left'"):
        blocks_of(diamond, "explicit", cuts=["left"])


def test_an_unknown_layer_or_rule_is_refused_with_the_nearest_name(diamond: Any) -> None:
    with pytest.raises(QuestionError, match="did you mean 'join'"):
        blocks_of(diamond, "explicit", cuts=["joint"])
    with pytest.raises(QuestionError, match="did you mean 'scission'"):
        blocks_of(diamond, "scision")


def test_named_cuts_need_the_explicit_rule(diamond: Any) -> None:
    with pytest.raises(QuestionError, match="'explicit' only"):
        blocks_of(diamond, "all", cuts=["join"])


def test_a_layer_with_several_outputs_is_no_partition_point(keras: Any) -> None:
    entry = keras.Input((4,), name="entry")
    first, second = keras.ops.split(keras.layers.ReLU(name="before")(entry), 2, axis=-1)
    model = keras.Model(entry, keras.layers.Softmax(name="end")(keras.layers.Add(name="join")([first, second])))
    assert partition_points(model) == ("before", "join")
    assert "split" not in partition_points(model, "scission")
    assert len(blocks_of(model)) == 3


def test_the_weights_of_a_shared_layer_count_once(keras: Any) -> None:
    entry, dense = keras.Input((4,)), keras.layers.Dense(4, name="twice")
    model = keras.Model(entry, dense(keras.layers.ReLU(name="between")(dense(entry))))
    blocks = blocks_of(model)
    assert [block.parameter_bytes for block in blocks] == [80, 0, 0]
    assert [block.flops for block in blocks] == [32, 0, 32]


def test_a_model_of_several_inputs_and_outputs_is_cut_where_one_tensor_crosses_or_as_many_as_are_named(
    keras: Any,
) -> None:
    first, second = keras.Input((2,), name="first"), keras.Input((3,), name="second")
    a = keras.layers.Dense(4, name="a")(first)
    b = keras.layers.Dense(5, name="b")(second)
    joined = keras.layers.Dense(6, name="neck")(keras.layers.Concatenate(name="joined")([a, b]))
    early, late = keras.layers.Dense(1, name="early")(joined), keras.layers.Dense(2, name="late")(joined)
    model = KerasModel(keras.Model([first, second], [early, late]))
    assert rules.partition_points(model.graph) == ("joined", "neck")
    assert rules.partition_points(model.graph, tensors=2) == ("a", "b", "joined", "neck", "early")
    blocks = rules.find_blocks(model.graph, tensors=2)
    assert [len(block.outputs) for block in blocks] == [2, 2, 1, 1, 2, 2]
    assert [block.output_bytes for block in blocks] == [28, 36, 36, 24, 28, 12]
    data = (np.ones((2, 2), np.float32), np.full((2, 3), 0.5, np.float32))
    whole = model.run(data)
    for cut in range(len(blocks) - 1):
        between = rules.compile_span(model, blocks, 0, cut, batch=2)(data)
        answers = rules.compile_span(model, blocks, cut + 1, len(blocks) - 1, batch=2)(between)
        for own, other in zip(answers, whole, strict=True):
            np.testing.assert_allclose(model.to_numbers(own), model.to_numbers(other), rtol=1e-5, atol=1e-6)


def test_two_outputs_of_one_layer_are_refused(keras: Any) -> None:
    entry = keras.Input((4,), name="entry")
    model = keras.Model(entry, keras.ops.split(keras.layers.ReLU()(entry), 2, axis=-1))
    with pytest.raises(QuestionError, match="two outputs of model"):
        blocks_of(model)


def test_what_is_no_functional_model_is_refused(keras: Any) -> None:
    class Own(keras.Model):
        pass

    for wrong in (Own(), keras.layers.Dense(1), "ResNet50"):
        with pytest.raises(QuestionError, match="expected a functional Keras model"):
            blocks_of(wrong)


def test_a_tensor_without_a_fixed_size_is_refused(keras: Any) -> None:
    entry = keras.Input((None, None, 3))
    model = keras.Model(entry, keras.layers.Conv2D(2, 3)(entry))
    with pytest.raises(QuestionError, match="no fixed size"):
        blocks_of(model)


def test_half_precision_and_integers_have_their_own_sizes(keras: Any) -> None:
    for dtype, size in (("float16", 2), ("bfloat16", 2), ("uint8", 1), ("bool", 1), ("int64", 8)):
        entry = keras.Input((6,), dtype=dtype)
        block = blocks_of(keras.Model(entry, keras.layers.Flatten(dtype=dtype)(entry)))[0]
        assert block.activation_bytes == 6 * size, dtype


def test_resnet20_is_cut_after_the_stem_and_nine_residual_blocks(resnet20: Any) -> None:
    blocks = resnet20.blocks
    assert len(blocks) == 10
    assert [block.output_bytes for block in blocks] == [65536] * 4 + [32768] * 3 + [16384] * 3
    assert blocks[0].layers == ("input", "stem_conv", "stem_norm", "stem")
    assert blocks[0].flops == 2 * 3 * 3 * 3 * 16 * 32 * 32


def test_resnet20_needs_the_published_forty_one_million_multiplications(resnet20: Any) -> None:
    assert np.isclose(sum(block.flops for block in resnet20.blocks) / 2, 41e6, rtol=0.01)
