"""The convolutional network of 14 layers that the study slices (table 1 of the paper), with random weights."""

from __future__ import annotations

from typing import Any

__all__ = ["cnn"]


def cnn() -> Any:
    """Return the network: 28 x 28 images, ten classes.

    Table 1 prints 128 channels behind its layer 4, where 64 come in and 256 parameters (four a channel) say 64.
    """
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = tensor = keras.Input((28, 28, 1))
    for layer in (
        layers.Conv2D(32, 3, activation="relu", name="conv1"),
        layers.Conv2D(64, 3, activation="relu", name="conv2"),
        layers.MaxPooling2D(name="pool1"),
        layers.BatchNormalization(name="norm1"),
        layers.Conv2D(128, 3, activation="relu", name="conv3"),
        layers.Conv2D(128, 3, activation="relu", name="conv4"),
        layers.MaxPooling2D(name="pool2"),
        layers.BatchNormalization(name="norm2"),
        layers.Conv2D(256, 3, activation="relu", name="conv5"),
        layers.MaxPooling2D(name="pool3"),
        layers.Flatten(name="flatten"),
        layers.BatchNormalization(name="norm3"),
        layers.Dense(512, activation="relu", name="dense1"),
        layers.Dense(10, activation="softmax", name="dense2"),
    ):
        tensor = layer(tensor)
    return keras.Model(inputs, tensor, name="slicing-cnn")
