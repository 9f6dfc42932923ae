"""The classifier at the end of a backbone, and the classifiers that are copied from it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tiercut.errors import QuestionError
from tiercut.profiling.models.graph import check_ends
from tiercut.profiling.models.keras_calls import LayerCall, layer_calls

__all__ = ["Head", "attach_head", "find_head", "is_of_branch", "scoring_layer", "with_probabilities"]

_POOLING = ("GlobalAveragePooling", "GlobalMaxPooling")
_WITHOUT_EFFECT = ("Dropout", "Flatten", "Reshape")
_POOLING_OF_RANK = {3: "GlobalAveragePooling1D", 4: "GlobalAveragePooling2D", 5: "GlobalAveragePooling3D"}


@dataclass(frozen=True, slots=True)
class Head:
    """The last layers of a classifier.

    Parameters
    ----------
    after
        Name of the layer whose output it reads.
    layers
        The Keras layers, in order.
    rank
        Number of axes of the tensor that it reads, the batch's included.
    classes
        Number of classes.
    """

    after: str
    layers: tuple[Any, ...] = field(repr=False)
    rank: int
    classes: int

    @property
    def pools(self) -> bool:
        """Whether it reads maps of any height and width, because a global pooling is part of it."""
        return any(_pools(layer) for layer in self.layers)


def with_probabilities(model: Any) -> Any:
    """Return a classifier whose output is the probabilities of its classes.

    That is the model itself, or, where its last layer gives scores without an activation (logits), the model with
    a softmax after it.

    Raises
    ------
    QuestionError
        If it is no classifier of two or more classes, or its output is neither probabilities nor logits.
    """
    import keras

    _check_classes(model)
    last = layer_calls(model)[-1].layer
    activation = getattr(last, "activation", None)
    if _is_softmax(last) or _sums_to_1(model):
        return model
    if activation is keras.activations.linear:
        scores = keras.layers.Softmax(name="probabilities")(model.outputs[0])
        return keras.Model(model.inputs[0], scores, name=model.name)
    ending = getattr(activation, "__name__", None) or type(last).__name__
    raise QuestionError(
        f"the output of model '{model.name}' is no probability: it ends in '{ending}' (layer '{last.name}'); let its "
        "last layer have the activation softmax, or none"
    )


def _check_classes(model: Any) -> None:
    names = ([str(each._keras_history.operation.name) for each in ends] for ends in (model.inputs, model.outputs))
    check_ends(model.name, *names)
    shape = tuple(model.outputs[0].shape)
    if len(shape) != 2 or shape[1] is None or shape[1] < 2:
        raise QuestionError(
            f"model '{model.name}' is no classifier: its output has the shape {shape}, where (batch, classes) with two "
            "classes or more is needed; in place of a single sigmoid give it two classes and a softmax"
        )


def _sums_to_1(model: Any) -> bool:
    """Tell probabilities by what comes out for random inputs."""
    import keras

    entry = model.inputs[0]
    noise = np.random.default_rng(0).random((3, *entry.shape[1:])).astype(keras.backend.standardize_dtype(entry.dtype))
    out = keras.ops.convert_to_numpy(model(noise, training=False)).astype(np.float64)
    return bool(np.all(out >= 0) and np.allclose(out.sum(axis=-1), 1, rtol=0, atol=5e-3))


def find_head(model: Any) -> Head:
    """Return the classifier at the end of a backbone.

    That is its last layer with weights and what follows it, from the global pooling before on, where there is one.

    Raises
    ------
    QuestionError
        If the model is no classifier, or several layers make its output together.
    """
    _check_classes(model)
    steps = layer_calls(model)
    chain = _chain(steps)
    if not chain:
        raise QuestionError(
            f"model '{model.name}' ends in layer '{steps[-1].name}', which joins several others, so there is no "
            "classifier to copy for its branches; add a dense layer with a softmax"
        )
    weighted = [place for place, step in enumerate(chain) if getattr(step.layer, "weights", ())]
    pooling = [place for place, step in enumerate(chain) if _pools(step.layer)]
    start = min([*weighted[-1:], *pooling[-1:]], default=len(chain) - 1)
    before = steps[chain[start].parents[0]]
    layers = tuple(step.layer for step in chain[start:])
    return Head(before.name, layers, len(before.output.shape), int(model.outputs[0].shape[1]))


def _chain(steps: tuple[LayerCall, ...]) -> list[LayerCall]:
    """Return the steps at the end of a model of which each reads nothing but the one before."""
    found, step = [], steps[-1]
    while len(step.parents) == 1:
        found.append(step)
        step = steps[step.parents[0]]
    return found[::-1]


def _pools(layer: Any) -> bool:
    return type(layer).__name__.startswith(_POOLING)


def is_of_branch(name: str) -> bool:
    """Return whether a layer is one of those that `attach_head` adds for a branch, ``exit1``, ``exit2``, ..."""
    return re.match(r"exit\d+_", name) is not None


def attach_head(head: Head, tensor: Any, prefix: str) -> Any:
    """Attach a classifier to a tensor and return the probabilities that it gives.

    A copy of the head, with weights of its own, where the head pools and the tensor has as many axes as what it
    reads; or where neither has maps to pool. Otherwise global average pooling and one dense layer: a head that
    flattens has weights for one size of map only, and more of them the earlier it is attached.

    Parameters
    ----------
    head
        The classifier of the backbone.
    tensor
        A symbolic tensor, [batch, ..., channels].
    prefix
        What the names of the new layers begin with.

    Raises
    ------
    QuestionError
        If the tensor has no channels, or more than three axes beside them.
    """
    rank = len(tensor.shape)
    if rank == head.rank and (head.pools or rank == 2):
        for layer in head.layers:
            config = {**layer.get_config(), "name": f"{prefix}_{layer.name}"}
            tensor = type(layer).from_config(config)(tensor)
        return tensor
    return _pooled(tensor, head.classes, prefix)


def _pooled(tensor: Any, classes: int, prefix: str) -> Any:
    from keras import layers

    rank = len(tensor.shape)
    if rank != 2:
        if rank not in _POOLING_OF_RANK:
            raise QuestionError(
                f"no branch can read '{tensor.name}' of shape {tuple(tensor.shape)}: it has no channels"
            )
        tensor = getattr(layers, _POOLING_OF_RANK[rank])(name=f"{prefix}_pool")(tensor)
    # NOTE probabilities in half precision would make all entropies near 0 alike
    return layers.Dense(classes, activation="softmax", dtype="float32", name=f"{prefix}_classifier")(tensor)


def scoring_layer(start: Any, end: Any) -> Any:
    """Return the layer whose weights give the scores of a classifier, before its softmax.

    Parameters
    ----------
    start, end
        The symbolic tensors at the ends of the classifier.

    Raises
    ------
    QuestionError
        If something other than a softmax follows that layer.
    """
    import keras

    chain = _chain(layer_calls(keras.Model(start, end)))
    after: list[Any] = []
    for step in reversed(chain):
        if getattr(step.layer, "weights", ()):
            break
        after.append(step.layer)
    else:
        raise QuestionError(f"the branch that ends in '{end.name}' has no layer with weights to scale")
    plain = all(_is_softmax(layer) or _pools(layer) or type(layer).__name__ in _WITHOUT_EFFECT for layer in after)
    activation = getattr(step.layer, "activation", None)
    if not plain or activation not in ({keras.activations.linear} if after else {keras.activations.softmax}):
        raise QuestionError(f"the scores of the branch that ends in '{end.name}' cannot be scaled by its last weights")
    return step.layer


def _is_softmax(layer: Any) -> bool:
    import keras

    return type(layer).__name__ == "Softmax" or getattr(layer, "activation", None) is keras.activations.softmax
