"""The classifier at the end of a backbone, and branches copied from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tiercut.errors import QuestionError
from tiercut.profiling.exits.exits import attach_exits
from tiercut.profiling.exits.heads import find_head, with_probabilities


def _classifier(keras: Any, *ending: Any, activation: str = "relu") -> Any:
    """Return a model of two convolutions on 6x6 pixels and the layers that follow."""
    entry = keras.Input((6, 6, 2), name="input")
    tensor = keras.layers.Conv2D(3, 3, activation=activation, name="one")(entry)
    tensor = keras.layers.Conv2D(4, 3, activation=activation, name="two")(tensor)
    for layer in ending:
        tensor = layer(tensor)
    return keras.Model(entry, tensor, name="small")


def _layers_of(model: Any, prefix: str) -> list[str]:
    return [type(layer).__name__ for layer in model.layers if layer.name.startswith(prefix)]


def test_a_head_that_pools_is_copied_with_all_its_layers(keras: Any) -> None:
    k = keras.layers
    ending = (k.GlobalMaxPooling2D(), k.Dense(5, activation="tanh"), k.Dropout(0.5), k.Dense(3, activation="softmax"))
    exits = attach_exits(_classifier(keras, *ending))
    assert find_head(exits.backbone).after == "two"
    assert _layers_of(exits.model, "exit1_") == ["GlobalMaxPooling2D", "Dense", "Dropout", "Dense"]


def test_a_classifier_of_convolution_and_pooling_is_copied_too(keras: Any) -> None:
    k = keras.layers
    exits = attach_exits(_classifier(keras, k.Conv2D(3, 1, name="maps"), k.GlobalAveragePooling2D(), k.Softmax()))
    assert find_head(exits.backbone).after == "two"
    assert _layers_of(exits.model, "exit1_") == ["Conv2D", "GlobalAveragePooling2D", "Softmax"]


def test_after_a_flattening_backbone_early_branches_pool_and_late_ones_read_the_vector(keras: Any) -> None:
    k = keras.layers
    ending = (
        k.Flatten(name="flat"),
        k.Dense(5, activation="relu", name="dense"),
        k.Dense(3, activation="softmax", name="last"),
    )
    exits = attach_exits(_classifier(keras, *ending))
    assert [block.name for block in exits.blocks] == ["one", "two", "flat", "dense"]
    assert [_layers_of(exits.model, f"exit{number}_") for number in (1, 2, 3)] == [
        ["GlobalAveragePooling2D", "Dense"],
        ["GlobalAveragePooling2D", "Dense"],
        ["Dense"],
    ]
    for output in exits.model(np.ones((2, 6, 6, 2), dtype=np.float32)):
        np.testing.assert_allclose(np.sum(output, axis=1), 1, atol=1e-6)


def test_logits_get_a_softmax(keras: Any) -> None:
    k = keras.layers
    model = _classifier(keras, k.GlobalAveragePooling2D(), k.Dense(3))
    exits = attach_exits(model)
    image = np.random.default_rng(0).random((2, 6, 6, 2), dtype=np.float32)
    wanted = keras.ops.softmax(model(image))
    np.testing.assert_allclose(exits.model(image)[-1], wanted, atol=1e-6)
    for output in exits.model(image):
        np.testing.assert_allclose(np.sum(output, axis=1), 1, atol=1e-6)


def test_a_softmax_in_any_form_is_left_as_it_is(keras: Any) -> None:
    k = keras.layers
    for last in (
        [k.Dense(3, activation="softmax")],
        [k.Dense(3), k.Softmax()],
        [k.Dense(3), k.Activation("softmax")],
        [k.Dense(3, activation="softmax"), k.Reshape((3,))],
    ):
        model = _classifier(keras, k.GlobalAveragePooling2D(), *last)
        assert with_probabilities(model) is model


def test_an_output_that_is_no_probability_is_refused_with_advice(keras: Any) -> None:
    k = keras.layers
    with pytest.raises(QuestionError, match=r"ends in 'tanh' \(layer 'last'\); let its last layer .* softmax, or none"):
        attach_exits(_classifier(keras, k.GlobalAveragePooling2D(), k.Dense(3, activation="tanh", name="last")))
    with pytest.raises(QuestionError, match="in place of a single sigmoid give it two classes"):
        attach_exits(_classifier(keras, k.GlobalAveragePooling2D(), k.Dense(1, activation="sigmoid")))
    with pytest.raises(QuestionError, match=r"shape \(None, 2, 2, 4\)"):
        attach_exits(_classifier(keras))


def test_an_output_that_several_layers_make_together_is_refused(keras: Any) -> None:
    entry = keras.Input((4,))
    both = [keras.layers.Dense(2, activation="softmax")(entry) for _ in range(2)]
    with pytest.raises(QuestionError, match="joins several others, so there is no classifier to copy"):
        attach_exits(keras.Model(entry, keras.layers.Average(name="mean")(both)))


def test_sequences_are_pooled_along_their_steps(keras: Any) -> None:
    k = keras.layers
    entry = keras.Input((5, 3))
    tensor = k.Flatten()(k.Conv1D(4, 2, activation="relu")(entry))
    exits = attach_exits(keras.Model(entry, k.Dense(2, activation="softmax")(tensor)))
    assert _layers_of(exits.model, "exit1_") == ["GlobalAveragePooling1D", "Dense"]
