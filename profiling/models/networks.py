"""Networks by other authors, each with the places where it is meant to be cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Backbone", "alexnet", "half_inception_v3", "inception_v3", "lenet", "mobilenet_v2", "simulator"]

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Backbone:
    """A classifier and where it is meant to be cut.

    Parameters
    ----------
    title
        The name that a profile carries.
    model
        The functional Keras model.
    cuts
        Names of the layers that end a block, in order; the last of them is followed by the classifier.
    """

    title: str
    model: Any
    cuts: tuple[str, ...]


def lenet(*, classes: int = 10, input_shape: Shape = (32, 32, 3)) -> Backbone:
    """Return LeNet-5 (LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998), cut everywhere.

    Two convolutions with tanh and average pooling, and dense layers of 120 and 84.
    """
    from keras import layers as k

    return _chain(
        "LeNet",
        input_shape,
        [
            k.Conv2D(6, 5, activation="tanh", name="conv1"),
            k.AveragePooling2D(2, name="pool1"),
            k.Conv2D(16, 5, activation="tanh", name="conv2"),
            k.AveragePooling2D(2, name="pool2"),
            k.Flatten(name="flatten"),
            k.Dense(120, activation="tanh", name="dense1"),
            k.Dense(84, activation="tanh", name="dense2"),
            _classifier(classes),
        ],
    )


def alexnet(*, classes: int = 10, input_shape: Shape = (32, 32, 3)) -> Backbone:
    """Return AlexNet (Krizhevsky et al., 2012) in one tower, cut after every layer but its normalisations.

    Batch normalisation stands for its response normalisation. Images of less than 96 pixels, which the strides of
    the original leave nothing of, get a first convolution of 5x5 without a stride, and dense layers of 1024 for 4096.
    """
    from keras import layers as k

    small = min(input_shape[:2]) < 96
    width = 1024 if small else 4096
    first: Any = {"kernel_size": 5, "padding": "same"} if small else {"kernel_size": 11, "strides": 4}
    return _chain(
        "AlexNet",
        input_shape,
        [
            k.Conv2D(96, activation="relu", name="conv1", **first),
            k.BatchNormalization(momentum=0.9, name="norm1"),
            k.MaxPooling2D(3, strides=2, name="pool1"),
            k.Conv2D(256, 5, padding="same", activation="relu", name="conv2"),
            k.BatchNormalization(momentum=0.9, name="norm2"),
            k.MaxPooling2D(3, strides=2, name="pool2"),
            k.Conv2D(384, 3, padding="same", activation="relu", name="conv3"),
            k.Conv2D(384, 3, padding="same", activation="relu", name="conv4"),
            k.Conv2D(256, 3, padding="same", activation="relu", name="conv5"),
            k.MaxPooling2D(3, strides=2, name="pool5"),
            k.Flatten(name="flatten"),
            k.Dense(width, activation="relu", name="dense6"),
            k.Dropout(0.5, name="drop6"),
            k.Dense(width, activation="relu", name="dense7"),
            k.Dropout(0.5, name="drop7"),
            _classifier(classes),
        ],
        uncut=("norm1", "norm2", "drop6"),
    )


def simulator(*, classes: int = 10, input_shape: Shape = (28, 28, 1)) -> Backbone:
    """Return the elementary CNN of the Slicing simulator (its Table 1), cut after each of its 14 layers but the last.

    Block i is layer i of the table, whose numbers of weights are met; the shape that it prints for layer 4 is not
    the one that follows from layer 3.
    """
    from keras import layers as k

    return _chain(
        "Simulator",
        input_shape,
        [
            k.Conv2D(32, 3, activation="relu", name="conv1"),
            k.Conv2D(64, 3, activation="relu", name="conv2"),
            k.MaxPooling2D(name="pool3"),
            k.BatchNormalization(momentum=0.9, name="norm4"),
            k.Conv2D(128, 3, activation="relu", name="conv5"),
            k.Conv2D(128, 3, activation="relu", name="conv6"),
            k.MaxPooling2D(name="pool7"),
            k.BatchNormalization(momentum=0.9, name="norm8"),
            k.Conv2D(256, 3, activation="relu", name="conv9"),
            k.MaxPooling2D(name="pool10"),
            k.Flatten(name="flatten11"),
            k.BatchNormalization(momentum=0.9, name="norm12"),
            k.Dense(512, activation="relu", name="dense13"),
            _classifier(classes),
        ],
    )


def _classifier(classes: int) -> Any:
    from keras import layers

    # NOTE probabilities in half precision would make all entropies near 0 alike
    return layers.Dense(classes, activation="softmax", dtype="float32", name="classifier")


def _chain(title: str, input_shape: Shape, layers: Sequence[Any], *, uncut: Sequence[str] = ()) -> Backbone:
    """Return layers one after another as a backbone that is cut after each but the last and the `uncut` ones."""
    import keras

    entry = tensor = keras.Input(input_shape, name="input")
    for layer in layers:
        tensor = layer(tensor)
    cuts = tuple(layer.name for layer in layers[:-1] if layer.name not in uncut)
    return Backbone(title, keras.Model(entry, tensor, name=title.casefold()), cuts)


def mobilenet_v2(*, classes: int = 10, input_shape: Shape = (32, 32, 3)) -> Backbone:
    """Return Keras' MobileNetV2, untrained, cut after its stem, every inverted residual block and its last convolution.

    Images of less than 96 pixels are enlarged to that inside of the first block: fewer would leave a map of one
    pixel to its last third. Normalisations get the momentum 0.9, since short trainings do not settle 0.999.
    """
    model = _applied("MobileNetV2", classes, input_shape, least=96)
    names = {layer.name for layer in model.layers}
    ends = [f"block_{i}_add" if f"block_{i}_add" in names else f"block_{i}_project_BN" for i in range(1, 17)]
    return Backbone("MobileNetV2", model, ("Conv1_relu", "expanded_conv_project_BN", *ends, "out_relu"))


def inception_v3(*, classes: int = 10, input_shape: Shape = (32, 32, 3)) -> Backbone:
    """Return Keras' InceptionV3, untrained, cut after both poolings of its stem and each of its eleven modules.

    Images of less than 75 pixels, the least that it takes, are enlarged to that inside of the first block.
    Normalisations get the momentum 0.9, since short trainings do not settle 0.99.
    """
    import keras

    model = _applied("InceptionV3", classes, input_shape, least=75)
    poolings = [layer.name for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    return Backbone("InceptionV3", model, (*poolings[:2], *(f"mixed{module}" for module in range(11))))


def half_inception_v3(*, classes: int = 10, input_shape: Shape = (32, 32, 3)) -> Backbone:
    """Return `inception_v3` with half of the filters in every convolution: a quarter of its operations and weights."""
    import keras

    whole = inception_v3(classes=classes, input_shape=input_shape)

    def narrowed(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, keras.layers.Conv2D):
            config["filters"] //= 2
        return type(layer).from_config(config)

    return Backbone("InceptionV3-half", keras.models.clone_model(whole.model, clone_function=narrowed), whole.cuts)


def _applied(name: str, classes: int, input_shape: Shape, *, least: int) -> Any:
    """Return one of Keras Applications, for images that are enlarged where they have less than `least` pixels."""
    import keras

    entry = tensor = keras.Input(input_shape, name="input")
    if min(input_shape[:2]) < least:
        height, width = (max(least, size) for size in input_shape[:2])
        tensor = keras.layers.Resizing(height, width, name="enlarge")(entry)
    model = getattr(keras.applications, name)(weights=None, classes=classes, input_tensor=tensor)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9
    return model
