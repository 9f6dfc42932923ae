"""Residual networks for small images: He et al., "Deep Residual Learning for Image Recognition", section 4.2."""

from __future__ import annotations

from typing import Any

from tiercut.errors import QuestionError
from tiercut.profiling.models.networks import Backbone

__all__ = ["resnet"]


def resnet(depth: int, *, classes: int = 10, input_shape: tuple[int, int, int] = (32, 32, 3)) -> Backbone:
    """Return a residual network for small images, cut after the stem and after every residual block.

    A stem convolution of 16 channels, then three stages of (depth - 2) / 6 residual blocks with 16, 32 and 64
    channels, global average pooling and one dense layer. Where the shape changes, the shortcut is a 1x1
    convolution. BatchNormalization has momentum 0.9, since short trainings do not settle 0.99.

    Parameters
    ----------
    depth
        Number of weighted layers: 20, 32, 44, 56, 110, ...
    classes
        Number of classes.
    input_shape
        Height, width and channels of the input.

    Raises
    ------
    QuestionError
        If `depth` is not 6n + 2.
    """
    import keras

    units, rest = divmod(depth - 2, 6)
    if units < 1 or rest:
        raise QuestionError(f"a residual network of this form has 6n + 2 layers (20, 32, 44, 56, 110), not {depth}")
    entry = keras.Input(input_shape, name="input")
    tensor = _convolve(entry, 16, "stem")
    cuts = ["stem"]
    for stage, channels in enumerate((16, 32, 64), start=1):
        for unit in range(1, units + 1):
            name = f"stage{stage}_unit{unit}"
            tensor = _residual(tensor, channels, stride=2 if stage > 1 and unit == 1 else 1, name=name)
            cuts.append(name)
    tensor = keras.layers.GlobalAveragePooling2D(name="pool")(tensor)
    scores = keras.layers.Dense(classes, activation="softmax", dtype="float32", name="classifier")(tensor)
    return Backbone(f"ResNet{depth}", keras.Model(entry, scores, name=f"resnet{depth}"), tuple(cuts))


def _convolve(
    tensor: Any, channels: int, name: str, *, size: int = 3, stride: int = 1, activation: str | None = "relu"
) -> Any:
    """Add convolution, normalisation and, unless it is None, an activation; the last layer carries `name`."""
    from keras import layers, regularizers

    tensor = layers.Conv2D(
        channels,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=regularizers.L2(1e-4),
        name=f"{name}_conv",
    )(tensor)
    tensor = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(tensor)
    return tensor if activation is None else layers.Activation(activation, name=name)(tensor)


def _residual(tensor: Any, channels: int, *, stride: int, name: str) -> Any:
    from keras import layers

    inner = _convolve(tensor, channels, f"{name}_first", stride=stride)
    inner = _convolve(inner, channels, f"{name}_second", activation=None)
    if tensor.shape[-1] != channels:
        tensor = _convolve(tensor, channels, f"{name}_shortcut", size=1, stride=stride, activation=None)
    return layers.Activation("relu", name=name)(layers.Add(name=f"{name}_add")([inner, tensor]))
