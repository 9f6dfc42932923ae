"""Pieces of Keras models, as Keras runs them and as ONNX Runtime does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.offloader.bundles.split import split_plan
from tiercut.offloader.bundles.stage import StageRunner
from tiercut.offloader.bundles.uncut import Uncut
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork, attach_exits, open_cut, start_framework

pytest.importorskip("tensorflow", reason="needs the extra 'profiling'")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras itself


@pytest.fixture(scope="module")
def network() -> Any:
    """Return a classifier with a skip connection."""
    start_framework(1)
    import keras

    keras.utils.set_random_seed(0)
    entry = keras.Input((8, 8, 3), name="picture")
    first = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(entry)
    second = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="second")(first)
    joined = keras.layers.Add(name="joined")([first, second])
    third = keras.layers.Conv2D(6, 3, strides=2, activation="relu", name="third")(joined)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(third)
    return keras.Model(entry, keras.layers.Dense(5, activation="softmax", name="classes")(pooled), name="small")


@pytest.fixture(scope="module")
def cut(network: Any) -> CutNetwork:
    exits = attach_exits(network)
    ends = tuple(None if branch is None else branch.end for branch in exits.branches)
    return CutNetwork("small", "explicit", exits.runtime, exits.blocks, ends)


def a_plan(partition: tuple[int, ...], exits: tuple[int, ...], threshold: float | None) -> Plan:
    """Return a plan that nobody has priced."""
    names = ("camera", "gateway", "cloud")[: len(partition)]
    none = (None,) * (len(partition) - 1)
    return Plan(0.0, None, threshold, None, partition, names, exits, none, 0.0, 0.0, ())


def test_a_keras_network_with_exits_is_split_into_files_of_keras(cut: CutNetwork, tmp_path: Path) -> None:
    count = len(cut.blocks)
    exits = cut.present[0] + 1, cut.present[1] + 1, count
    made = split_plan(a_plan((exits[0], exits[1], count), exits, 0.5), cut, tmp_path)
    assert made.furthest <= 1e-4
    frame = {made.bundles[0].inputs[0].name: np.random.default_rng(1).random((1, 8, 8, 3), np.float32)}
    wanted = Uncut(cut, exits).scores(frame)
    held = dict(frame)
    for folder, bundle, scores in zip(made.folders, made.bundles, wanted, strict=True):
        assert {"keras"} <= set(bundle.pieces[0].files)
        runner = StageRunner(folder, bundle, runtime="keras", threads=1)
        for piece, numbers in runner.every_piece(held):
            held |= numbers
            assert piece.scores is not None
            np.testing.assert_allclose(held[piece.scores], scores, rtol=0, atol=1e-5)


def test_where_it_can_be_exported_onnx_runtime_runs_the_same_pieces(cut: CutNetwork, tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx", reason="needs the extra 'keras-onnx'")
    pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")
    count = len(cut.blocks)
    first = cut.present[0] + 1
    made = split_plan(a_plan((first, count), (first, count), 0.5), cut, tmp_path)
    frame = {made.bundles[0].inputs[0].name: np.random.default_rng(2).random((1, 8, 8, 3), np.float32)}
    both = []
    for runtime in ("onnx", "keras"):
        held = dict(frame)
        for folder, bundle in zip(made.folders, made.bundles, strict=True):
            for _, numbers in StageRunner(folder, bundle, runtime=runtime, threads=1).every_piece(held):  # type: ignore[arg-type]
                held |= numbers
        both.append(held)
    assert set(both[0]) == set(both[1])
    for name, numbers in both[0].items():
        np.testing.assert_allclose(numbers, both[1][name], rtol=0, atol=1e-4)


def test_a_network_without_exits_answers_with_its_output(network: Any, tmp_path: Path) -> None:
    path = tmp_path / "small.keras"
    network.save(path)
    cut = open_cut(str(path))
    count = len(cut.blocks)
    made = split_plan(a_plan((1, count), (count,), None), cut, tmp_path / "out")
    assert made.furthest <= 1e-4
    assert [piece.exit for bundle in made.bundles for piece in bundle.pieces] == [None, count]
