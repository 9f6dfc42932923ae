"""Models inside models, masks that travel on tensors, and answers that are not the first tensor: nothing is lost."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support.keras_models import blocks_of, furthest

from tiercut.errors import QuestionError, TiercutWarning
from tiercut.profiling.models.graph_keras import KerasModel
from tiercut.profiling.models.nested import flatten

WORDS = np.array([[7, 3, 9, 1, 4, 0, 0, 0], [2, 2, 5, 0, 0, 0, 0, 0]], dtype=np.int32)
Build = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def quiet(keras: Any) -> Iterator[None]:
    """Keras warns of masks that it destroys, and TensorFlow of many models."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(5)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not support masking", category=UserWarning)
        yield


def _sequences() -> np.ndarray:
    data = np.random.default_rng(6).random((2, 8, 4), dtype=np.float32)
    data[0, 5:] = data[1, 3:] = 0
    return data


def _embedded(keras: Any, name: str = "vectors") -> Any:
    inner = keras.Input((8,), dtype="int32")
    return keras.Model(inner, keras.layers.Embedding(20, 4, mask_zero=True, name="words")(inner), name=name)


def _embedding_inside(keras: Any) -> Any:
    words = keras.Input((8,), dtype="int32")
    return keras.Model(words, keras.layers.Dense(3)(keras.layers.LSTM(5, name="reads")(_embedded(keras)(words))))


def _reader_inside(keras: Any) -> Any:
    inner = keras.Input((8, 4))
    reader = keras.Model(inner, keras.layers.GRU(5, name="reads")(keras.layers.Dropout(0.5)(inner)), name="reader")
    words = keras.Input((8,), dtype="int32")
    return keras.Model(words, keras.layers.Dense(3)(reader(keras.layers.Embedding(20, 4, mask_zero=True)(words))))


def _both_inside(keras: Any) -> Any:
    inner = keras.Input((8, 4))
    both = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True), name="reads")(inner)
    reader = keras.Model(inner, keras.layers.GlobalAveragePooling1D()(both), name="reader")
    words = keras.Input((8,), dtype="int32")
    return keras.Model(words, keras.layers.Dense(3)(reader(keras.Sequential([_embedded(keras)])(words))))


def _attention(keras: Any) -> Any:
    words = keras.Input((8,), dtype="int32")
    vectors = _embedded(keras)(words)
    attended = keras.layers.MultiHeadAttention(2, 4, name="attends")(vectors, vectors)
    return keras.Model(words, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D()(attended)))


def _named_beside(keras: Any) -> Any:
    """A flat model, whose mask Keras does not record because another argument is named."""
    words = keras.Input((8,), dtype="int32")
    vectors = keras.layers.Embedding(20, 4, mask_zero=True)(words)
    return keras.Model(words, keras.layers.Dense(3)(keras.layers.LSTM(5, name="reads")(vectors, training=False)))


@pytest.mark.parametrize("build", [_embedding_inside, _reader_inside, _both_inside, _attention, _named_beside])
def test_no_cut_is_offered_where_a_mask_crosses(keras: Any, build: Build) -> None:
    model = build(keras)
    steps = [step.name for step in KerasModel(flatten(model)).graph.steps]
    reads = next(place for place, name in enumerate(steps) if name in ("reads", "attends"))
    assert not {block.name for block in blocks_of(flatten(model))} & set(steps[:reads])
    assert furthest(model, WORDS) <= 1e-6


def test_a_mask_from_a_model_that_stays_one_layer_is_no_place_for_a_cut(keras: Any) -> None:
    words = keras.Input((8,), dtype="int32")
    tensor = keras.layers.Dropout(0.1, name="drop")(_embedded(keras, "first")(words))
    other = keras.Sequential([keras.Input((8, 4)), keras.layers.Dense(4, name="words")], name="second")
    tensor = keras.layers.LSTM(4, name="reads")(tensor)
    tensor = other(keras.layers.RepeatVector(8)(tensor))
    model = keras.Model(words, keras.layers.Dense(3, name="end")(tensor))
    with pytest.warns(TiercutWarning, match="called 'words'"):
        blocks = blocks_of(flatten(model))
    assert [block.name for block in blocks] == ["reads", "repeat_vector", "second", "end"]


def test_a_model_that_is_called_with_a_mask_of_its_own_stays_one_layer(keras: Any) -> None:
    body = keras.Sequential([keras.Input((8, 4)), keras.layers.LSTM(5)], name="body")
    entry = keras.Input((8, 4))
    filled = keras.ops.any(keras.ops.not_equal(entry, 0), axis=-1)
    model = keras.Model(entry, keras.layers.Dense(3)(body(entry, mask=filled)), name="outer")
    with pytest.warns(TiercutWarning, match="model 'outer': the model 'body' inside it stays one layer.*mask of its"):
        assert furthest(model, _sequences()) <= 1e-6


def test_a_model_that_is_called_by_keyword_is_cut_like_any_other(keras: Any) -> None:
    body = keras.Sequential([keras.Input((8, 4)), keras.layers.LSTM(5, name="reads")], name="body")
    entry = keras.Input((8, 4))
    model = keras.Model(entry, keras.layers.Dense(3, name="end")(body(inputs=entry, training=True)))
    assert [block.name for block in blocks_of(flatten(model))] == ["reads", "end"]
    assert furthest(model, _sequences()) <= 1e-6


@pytest.mark.parametrize("as_dictionary", [True, False])
def test_inputs_by_name_go_where_they_belong_in_any_order(keras: Any, as_dictionary: bool) -> None:
    first, second = keras.Input((4,), name="first"), keras.Input((4,), name="second")
    entries = {"second": second, "first": first} if as_dictionary else [second, first]
    inner = keras.Model(entries, keras.layers.Subtract(name="take")([first, second]), name="inner")
    entry = keras.Input((4,), name="entry")
    left, right = keras.layers.Dense(4, name="left")(entry), keras.layers.Dense(4, name="right")(entry)
    model = keras.Model(entry, keras.layers.Dense(2)(inner({"first": left, "second": right})))
    assert "take" in [step.name for step in KerasModel(flatten(model)).graph.steps]
    assert furthest(model, np.random.default_rng(7).random((2, 4), dtype=np.float32)) <= 1e-6


def test_numbers_are_converted_where_a_model_inside_does_so(keras: Any) -> None:
    inner = keras.Sequential([keras.Input((8, 1)), keras.layers.Conv1D(4, 2, name="convolves")], name="inner")
    entry = keras.Input((8,), dtype="int32")
    model = keras.Model(entry, keras.layers.Flatten()(inner(keras.layers.Reshape((8, 1), dtype="int32")(entry))))
    assert [block.name for block in blocks_of(flatten(model))] == ["reshape", "cast", "convolves", "flatten"]
    assert furthest(model, WORDS) <= 1e-6


def test_an_error_while_a_model_is_written_out_is_not_one_about_its_size(
    keras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _embedding_inside(keras)

    def fail(*_: object, **__: object) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr(keras.layers.LSTM, "__call__", fail)
    with pytest.raises(QuestionError, match="cannot be written out as one graph: no such thing"):
        flatten(model)


def test_a_model_may_answer_with_another_tensor_than_the_first_of_its_last_layer(keras: Any) -> None:
    entry = keras.Input((8, 4))
    _, state, _ = keras.layers.LSTM(6, return_sequences=True, return_state=True, name="reads")(
        keras.layers.Dense(5, name="before")(entry)
    )
    model = keras.Model(entry, state)
    assert [(block.name, block.output_bytes) for block in blocks_of(model)] == [("before", 8 * 5 * 4), ("reads", 24)]
    assert KerasModel(model).graph.results[0].nbytes == 24
    assert furthest(model, _sequences()) <= 1e-6


def test_the_scores_of_attention_are_an_answer_like_any_other(keras: Any) -> None:
    entry = keras.Input((8, 4))
    tensor = keras.layers.Dense(4)(entry)
    _, scores = keras.layers.MultiHeadAttention(2, 4)(tensor, tensor, return_attention_scores=True)
    model = keras.Model(entry, scores)
    assert blocks_of(model)[-1].output_bytes == 2 * 8 * 8 * 4
    assert furthest(model, _sequences()) <= 1e-6


def test_a_model_inside_may_answer_with_its_second_output(keras: Any) -> None:
    inner_entry = keras.Input((4,))
    ends = [keras.layers.Dense(3, name="one")(inner_entry), keras.layers.Dense(7, name="two")(inner_entry)]
    inner = keras.Model(inner_entry, ends, name="inner")
    entry = keras.Input((4,))
    model = keras.Model(entry, inner(keras.layers.ReLU()(entry))[1])
    assert blocks_of(flatten(model))[-1].output_bytes == 28
    assert furthest(model, np.random.default_rng(8).random((2, 4), dtype=np.float32)) <= 1e-6


def test_a_layer_that_is_always_to_train_is_cut_as_it_predicts(keras: Any) -> None:
    entry = keras.Input((4,))
    tensor = keras.layers.Dropout(0.5)(keras.layers.Dense(4)(entry), training=True)
    model = keras.Model(entry, keras.layers.Dense(2)(tensor))
    assert furthest(model, np.random.default_rng(9).random((2, 4), dtype=np.float32)) <= 1e-6
