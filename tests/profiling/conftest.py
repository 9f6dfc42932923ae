"""What the tests of profiling share: Keras, loaded quietly, and small models built once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(scope="session")
def keras() -> Any:
    """Keras on TensorFlow; what it warns of while loading is not ours."""
    pytest.importorskip("tensorflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
        import tensorflow as tf  # noqa: F401
    return keras


@pytest.fixture(scope="session")
def resnet20(keras: Any) -> Any:
    """An untrained ResNet-20 with a branch after every block, whose normalisations do something."""
    from tiercut.profiling.exits.exits import attach_exits
    from tiercut.profiling.models.backbones import backbone

    keras.utils.set_random_seed(1)
    network = backbone("ResNet-20")
    exits = attach_exits(network.model, cuts=network.cuts)
    exits.model.set_weights([_stirred(weights) for weights in exits.model.get_weights()])
    return exits


@pytest.fixture(scope="session")
def diamond(keras: Any) -> Any:
    """A model that branches once: input, fan, (left, right), join, end."""
    entry = keras.Input((4,), name="entry")
    fan = keras.layers.Dense(3, name="fan")(entry)
    left = keras.layers.Dense(3, name="left")(fan)
    right = keras.layers.Dense(3, name="right")(fan)
    joined = keras.layers.Add(name="join")([left, right])
    return keras.Model(entry, keras.layers.Dense(2, name="end")(joined), name="diamond")


@pytest.fixture(scope="session")
def tiny(keras: Any) -> Callable[..., Any]:
    """A function that makes a backbone of three blocks for two classes, which takes no time to compile."""
    from tiercut.profiling.models.backbones import Backbone

    def make(*, classes: int = 2, input_shape: tuple[int, int, int] = (8, 8, 3)) -> Backbone:
        entry = keras.Input(input_shape, name="input")
        tensor = entry
        for name in ("first", "second", "third"):
            tensor = keras.layers.Conv2D(4, 3, activation="relu", name=name)(tensor)
        tensor = keras.layers.GlobalAveragePooling2D(name="pool")(tensor)
        scores = keras.layers.Dense(classes, activation="softmax", name="classifier")(tensor)
        return Backbone("Tiny", keras.Model(entry, scores, name="tiny"), ("first", "second", "third"))

    return make


@pytest.fixture
def eager(keras: Any) -> Iterator[None]:
    """Run what Keras trains step by step: a training of few steps takes less time than its compilation."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).random((3, 32, 32, 3), dtype=np.float32)


def _stirred(weights: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(2).uniform(0.8, 1.2, weights.shape)
    return (weights * noise).astype(weights.dtype)
