"""Inputs of every type, of a fixed batch, and with channels before height and width."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.keras_models import blocks_of

from tiercut.errors import QuestionError
from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.models.graph_keras import KerasModel
from tiercut.profiling.models.loader import load_model
from tiercut.profiling.models.nested import flatten
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.record.record import record
from tiercut.profiling.record.settings import EFFORT, Settings
from tiercut.profiling.record.subject import Subject

SETTINGS = Settings(device="here", effort=replace(EFFORT, runs=2, least=2))


def network(model: Any) -> CutNetwork:
    return CutNetwork("small", "all", KerasModel(model), blocks_of(model))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, of bfloat16
@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int64", "uint8"])
def test_every_type_of_numbers_can_be_fed(keras: Any, dtype: str) -> None:
    entry = keras.Input((4,), dtype=dtype)
    floats = "float" in dtype
    layer = keras.layers.Dense(3, dtype=dtype) if floats else keras.layers.Embedding(5, 3)
    cut = network(keras.Model(entry, layer(entry)))
    assert cut.model.to_numbers(cut.compile(0, 0, batch=2)(cut.example(2))).shape[0] == 2


def test_text_is_refused_before_anything_is_timed(keras: Any, tmp_path: Path) -> None:
    entry = keras.Input((1,), dtype="string", name="words")
    vectors = keras.layers.TextVectorization(output_sequence_length=3, vocabulary=["a", "b"])(entry)
    cut = network(keras.Model(entry, keras.layers.Embedding(4, 2)(vectors)))
    with pytest.raises(QuestionError, match="input 'words' is text, whose bytes and times depend on the text"):
        record(Subject(cut, ""), tmp_path / "small.json", SETTINGS, threads=1)


def test_a_network_for_a_fixed_batch_is_recorded_with_it_and_refuses_another(keras: Any, tmp_path: Path) -> None:
    entry = keras.Input(batch_shape=(4, 6, 3))
    states = keras.layers.LSTM(5, stateful=True, return_sequences=True)(entry)
    cut = network(keras.Model(entry, keras.layers.Dense(2)(keras.ops.reshape(states, (4, 30)))))
    profile = load_profile(record(Subject(cut, ""), tmp_path / "small.json", SETTINGS, threads=1).path)
    assert (profile.batch, profile.input_bytes) == (4, 4 * 6 * 3 * 4)
    with pytest.raises(QuestionError, match="small takes batches of 4 samples; say --batch 4"):
        record(Subject(cut, ""), tmp_path / "other.json", replace(SETTINGS, batch=2), threads=1)


def test_a_size_is_given_to_height_and_width_where_channels_come_first(keras: Any) -> None:
    entry = keras.Input((3, 32, 32))
    model = keras.Model(entry, keras.layers.ZeroPadding2D(1, data_format="channels_first")(entry))
    assert KerasModel(flatten(model, size=(8, 6))).graph.entries[0].shape == (None, 3, 8, 6)


@pytest.mark.parametrize(
    ("shape", "size", "wanted"),
    [
        ((None, 4), (12,), (None, 12, 4)),
        ((8, 8, 3), (6,), (None, 6, 6, 3)),
        ((8, 8, 3), (6, 7), (None, 6, 7, 3)),
        ((5, 8, 8, 3), (2, 6, 7), (None, 2, 6, 7, 3)),
    ],
)
def test_an_input_takes_a_size_for_each_axis_but_batch_and_channels(
    keras: Any, shape: tuple[int, ...], size: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    entry = keras.Input(shape)
    model = keras.Model(entry, keras.layers.ReLU()(entry))
    assert KerasModel(flatten(model, size=size)).graph.entries[0].shape == wanted


@pytest.mark.parametrize(
    ("shape", "size", "words"),
    [
        ((12, 4), (6, 7), "takes 1 size, such as 32, not 6x7"),
        ((8, 8, 3), (6, 7, 8), "takes 2 sizes, such as 32x32, not 6x7x8"),
        ((5, 8, 8, 3), (6,), "takes 3 sizes, such as 32x32x32, not 6"),
    ],
)
def test_sizes_of_other_axes_than_there_are_are_refused(
    keras: Any, shape: tuple[int, ...], size: tuple[int, ...], words: str
) -> None:
    entry = keras.Input(shape)
    with pytest.raises(QuestionError, match=words):
        flatten(keras.Model(entry, keras.layers.ReLU()(entry)), size=size)


def test_a_model_by_name_is_an_image_network_of_one_size_or_two() -> None:
    assert load_model("resnet20", size=(16,)).model.graph.entries[0].shape == (None, 16, 16, 3)
    with pytest.raises(QuestionError, match="takes 2 sizes, such as 32x32, not 2x16x16"):
        load_model("resnet20", size=(2, 16, 16))
