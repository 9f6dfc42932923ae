"""Branches attached after the blocks of a classifier."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.errors import QuestionError
from tiercut.profiling.exits.exits import attach_exits, configuration, read_branches, spread_branches
from tiercut.profiling.models.residual import resnet


def test_resnet20_gets_a_branch_after_each_of_its_ten_blocks(resnet20: Any) -> None:
    assert resnet20.present == tuple(range(10))
    assert [tuple(output.shape) for output in resnet20.model.outputs] == [(None, 10)] * 10


def test_the_last_branch_is_the_backbones_own_classifier(resnet20: Any, images: np.ndarray) -> None:
    assert resnet20.branches[-1].output is resnet20.backbone.outputs[0]
    outputs = resnet20.model(images, training=False)
    np.testing.assert_allclose(outputs[-1], resnet20.backbone(images, training=False), rtol=0, atol=1e-6)


def test_every_other_branch_is_a_copy_of_it_with_weights_of_its_own(resnet20: Any) -> None:
    own = resnet20.model.get_layer("classifier")
    for number in range(1, 10):
        assert resnet20.model.get_layer(f"exit{number}_pool")
        copy = resnet20.model.get_layer(f"exit{number}_classifier")
        assert copy.activation is own.activation
        assert copy.kernel is not own.kernel
        assert copy.kernel.shape[1] == 10


def test_a_block_may_go_without_a_branch_but_not_the_last(keras: Any) -> None:
    network = resnet(8)
    exits = attach_exits(network.model, cuts=network.cuts, branches=[2])
    assert [branch.name if branch else None for branch in exits.branches] == [None, "exit2", None, "exit4"]
    assert exits.present == (1, 3)
    assert len(exits.model.outputs) == 2


def test_a_branch_after_a_block_that_is_not_there_is_refused(keras: Any) -> None:
    network = resnet(8)
    with pytest.raises(QuestionError, match="no block 7"):
        attach_exits(network.model, cuts=network.cuts, branches=[1, 7])


def test_without_named_cuts_a_branch_stands_at_every_partition_point(keras: Any) -> None:
    exits = attach_exits(resnet(8).model)
    assert len(exits.blocks) > 4
    assert exits.blocks[-1].name == "stage3_unit1"


def test_auto_spreads_branches_evenly_over_the_work(resnet20: Any) -> None:
    chosen = spread_branches(resnet20.blocks)
    assert chosen == {2, 3, 5, 6, 8, 9, 10}  # the stem has a hundredth of the work, most units a ninth
    assert spread_branches(resnet20.blocks, most=2) == {8, 10}
    auto = attach_exits(resnet20.backbone, cuts=[block.name for block in resnet20.blocks], branches="auto")
    assert {index + 1 for index in auto.present} == chosen


def test_auto_sets_a_branch_after_the_least_output_of_a_step(resnet20: Any) -> None:
    stages = [(1.0, 40), (0.0, 40), (1.0, 40), (0.0, 10)] * 2 + [(1.0, 30), (0.0, 30)]
    blocks = [replace(resnet20.blocks[0], flops=flops, output_bytes=size) for flops, size in stages]
    assert spread_branches(blocks, most=5) == {1, 4, 5, 8, 9, 10}
    assert spread_branches(blocks, most=2) == {8, 10}
    assert spread_branches([replace(each, flops=0) for each in blocks]) == {10}


def test_branches_are_read_as_they_are_written() -> None:
    assert [read_branches(text) for text in ("all", "auto", "3", "1,3,5")] == ["all", "auto", (3,), (1, 3, 5)]
    for wrong in ("", "some", "1;2", "1,,2"):
        with pytest.raises(QuestionError, match="such as 1,3,5"):
            read_branches(wrong)


def test_a_configuration_is_trimmed_to_its_last_exit_and_says_what_the_whole_network_says(
    resnet20: Any, images: np.ndarray
) -> None:
    part = configuration(resnet20, [3, 6])
    assert part.present == (2, 5)
    assert [block.name for block in part.blocks] == [block.name for block in resnet20.blocks[:6]]
    whole = resnet20.model(images, training=False)
    for ours, theirs in zip(part.model(images, training=False), (whole[2], whole[5]), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    names = {layer.name for layer in part.model.layers}
    assert "exit6_classifier" in names
    assert not names & {"classifier", "exit1_classifier", "stage2_unit3"}


def test_a_configuration_has_layers_of_its_own_and_fresh_weights_on_request(keras: Any, resnet20: Any) -> None:
    part, fresh = configuration(resnet20, [2]), configuration(resnet20, [2], fresh=True)
    own = resnet20.model.get_layer("stem_conv")
    assert part.model.get_layer("stem_conv") is not own
    np.testing.assert_array_equal(part.model.get_layer("stem_conv").kernel, own.kernel)
    assert not np.array_equal(fresh.model.get_layer("stem_conv").kernel, own.kernel)


@pytest.mark.parametrize(
    ("branches", "what"), [([], "rising"), ([3, 2], "rising"), ([2, 2], "rising"), ([2, 11], "after block 11")]
)
def test_a_configuration_that_cannot_be_is_refused(resnet20: Any, branches: list[int], what: str) -> None:
    with pytest.raises(QuestionError, match=what):
        configuration(resnet20, branches)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, when it saves
def test_the_model_with_its_branches_is_saved_and_loaded_as_one_file(
    keras: Any, resnet20: Any, images: np.ndarray, tmp_path: Path
) -> None:
    resnet20.model.save(tmp_path / "exits.keras")
    loaded = keras.saving.load_model(tmp_path / "exits.keras", compile=False, safe_mode=True)
    for ours, theirs in zip(resnet20.model(images), loaded(images), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
