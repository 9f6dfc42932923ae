"""Windows, frames and patches that are folded into the batch axis: bytes, operations and pieces of whole samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.keras_models import blocks_of, furthest

from tiercut.errors import QuestionError
from tiercut.profiling.exits.exits import attach_exits
from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.models.graph_keras import KerasModel
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.record.record import record
from tiercut.profiling.record.settings import EFFORT, Settings
from tiercut.profiling.record.subject import Subject


def windows(keras: Any) -> Any:
    """A 4x4 map of 3 channels, of which four 2x2 windows are handled side by side."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    entry = keras.Input((4, 4, 3), name="entry")
    tensor = keras.layers.Conv2D(3, 3, padding="same", name="map")(entry)
    tensor = keras.ops.transpose(keras.ops.reshape(tensor, (-1, 2, 2, 2, 2, 3)), (0, 1, 3, 2, 4, 5))
    tensor = keras.layers.Dense(5, activation="relu", name="window")(keras.ops.reshape(tensor, (-1, 4, 3)))
    tensor = keras.layers.GlobalAveragePooling2D(name="pool")(keras.ops.reshape(tensor, (-1, 4, 4, 5)))
    return keras.Model(entry, keras.layers.Dense(2, activation="softmax", name="end")(tensor), name="windows")


def frames(keras: Any) -> Any:
    """Three frames through one layer, folded by a layer of one's own."""

    class Fold(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, tensor: Any) -> Any:
            return keras.ops.reshape(tensor, (-1, 6))

        def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
            return (None if shape[0] is None else 3 * shape[0], 6)

    entry = keras.Input((3, 6), name="entry")
    tensor = keras.layers.Dense(4, name="frame")(Fold(name="fold")(entry))
    return keras.Model(entry, keras.layers.Dense(2, name="end")(keras.ops.reshape(tensor, (-1, 12))))


def test_bytes_and_operations_are_those_of_all_windows_of_a_sample(keras: Any) -> None:
    blocks = {block.name: block for block in blocks_of(windows(keras))}
    assert (blocks["map"].output_bytes, blocks["window"].output_bytes) == (4 * 48, 4 * 4 * 4 * 5)
    assert blocks["window"].flops == 4 * 4 * 2 * 3 * 5
    assert blocks["window"].activation_bytes == 4 * 80


def test_frames_that_a_layer_of_ones_own_folds_count_all(keras: Any) -> None:
    blocks = {block.name: block for block in blocks_of(frames(keras))}
    assert (blocks["fold"].output_bytes, blocks["frame"].output_bytes) == (4 * 18, 4 * 12)
    assert blocks["frame"].flops == 3 * 2 * 6 * 4


@pytest.mark.parametrize("build", [windows, frames])
def test_pieces_take_what_the_piece_before_makes(keras: Any, build: Any) -> None:
    model = build(keras)
    data = np.random.default_rng(4).random((2, *model.input_shape[1:]), dtype=np.float32)
    assert furthest(model, data) <= 1e-6


def test_a_tensor_whose_first_axis_is_another_is_no_place_for_a_cut(keras: Any) -> None:
    entry = keras.Input((3, 4), name="entry")
    turned = keras.ops.transpose(keras.layers.Dense(4, name="before")(entry), (1, 0, 2))
    model = keras.Model(entry, keras.layers.Flatten(name="flat")(keras.ops.transpose(turned, (1, 0, 2))))
    graph = KerasModel(model).graph
    assert [len(block.layers) for block in blocks_of(model)] == [2, 2, 1]  # before; both transpositions; flat
    assert [step.output.nbytes for step in graph.steps] == [48] * 5


@pytest.mark.parametrize("batch", [1, 2])
def test_windows_are_recorded_as_whole_samples(keras: Any, tmp_path: Path, batch: int) -> None:
    model = KerasModel(windows(keras))
    cut = CutNetwork("windows", "all", model, blocks_of(windows(keras)))
    settings = Settings(device="here", effort=replace(EFFORT, runs=2, least=2), batch=batch)
    profile = load_profile(record(Subject(cut, ""), tmp_path / "windows.json", settings, threads=1).path)
    sizes = {block.name: block.output_bytes for block in profile.blocks}
    assert sizes["window"] == batch * 320


def test_no_branch_stands_where_a_sample_has_several_rows(keras: Any) -> None:
    exits = attach_exits(frames(keras))
    assert [block.name for block in exits.blocks][:2] == ["fold", "frame"]
    assert exits.present == (2,)
    with pytest.raises(QuestionError, match="parts of a sample are folded into its batch axis"):
        attach_exits(frames(keras), branches=[2])
