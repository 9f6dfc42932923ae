"""Backbones that come ready to be cut and to be given exits, by name."""

from __future__ import annotations

from collections.abc import Callable

from tiercut.errors import QuestionError, unknown_name
from tiercut.profiling.models.networks import (
    Backbone,
    alexnet,
    half_inception_v3,
    inception_v3,
    lenet,
    mobilenet_v2,
    simulator,
)
from tiercut.profiling.models.residual import resnet

__all__ = ["BACKBONES", "Backbone", "backbone"]


BACKBONES: dict[str, Callable[..., Backbone]] = {
    **{
        f"resnet{depth}": lambda *, classes=10, input_shape=(32, 32, 3), depth=depth: resnet(
            depth, classes=classes, input_shape=input_shape
        )
        for depth in (20, 32, 44, 56, 110)
    },
    "mobilenetv2": mobilenet_v2,
    "inceptionv3": inception_v3,
    "inceptionv3half": half_inception_v3,
    "lenet": lenet,
    "alexnet": alexnet,
    "simulator": simulator,
}
"""The backbones by the name that commands take."""


def backbone(name: str, *, classes: int = 10, input_shape: tuple[int, int, int] | None = None) -> Backbone:
    """Return a fresh, untrained backbone by its name, which ignores case, ``_`` and ``-``.

    Raises
    ------
    QuestionError
        If there is no such backbone, or the input is too small for it.
    """
    key = name.casefold().replace("_", "").replace("-", "")
    if key not in BACKBONES:
        raise QuestionError(unknown_name("backbone", name, BACKBONES))
    shape = {} if input_shape is None else {"input_shape": input_shape}
    try:
        return BACKBONES[key](classes=classes, **shape)
    except ValueError as error:  # Keras', where a map would have no pixels left
        size = "x".join(map(str, input_shape or ()))
        raise QuestionError(f"{key} cannot be built for images of {size}: {error}".splitlines()[0]) from None
