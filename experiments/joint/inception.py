"""Train InceptionV3 with its exits on ``clutter``: ``python experiments/joint/inception.py FOLDER``.

It goes on after the last epoch where it was interrupted. The network is Keras', for images that are enlarged to the 75
pixels that it needs, with half of the filters in every convolution: a quarter of the operations and weights, so that an
epoch takes minutes on one core. ``tiercut profile FOLDER/inceptionv3half-clutter.keras`` makes its profile.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import tiercut
from tiercut.profiling.models.backbones import BACKBONES, Backbone

NAME = "inceptionv3half"

TRAINING = tiercut.Training(tiercut.Schedule(epochs=3, batch=32, learning_rate=1e-3, shift=0))
"""As many epochs and as large batches as the ResNet-20 of ``trainings.SETTINGS["clutter"]`` has."""


def main() -> None:
    """Train it, or what is left of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    BACKBONES[NAME] = half
    trained = tiercut.train_network(
        NAME,
        "clutter",
        TRAINING,
        output=given.folder,
        threads=given.threads,
        report=lambda _, epoch: print(epoch, flush=True),
    )
    print(trained.path, " ".join(f"{share:.4f}" for share in trained.accuracy if share is not None))


def half(*, classes: int = 10, input_shape: tuple[int, int, int] = (32, 32, 3)) -> Backbone:
    """Return the ready-made InceptionV3 with half of the filters in every convolution, cut at the same places."""
    import keras

    whole = tiercut.backbone("inceptionv3", classes=classes, input_shape=input_shape)

    def narrowed(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, keras.layers.Conv2D):
            config["filters"] //= 2
        return type(layer).from_config(config)

    return Backbone("InceptionV3-half", keras.models.clone_model(whole.model, clone_function=narrowed), whole.cuts)


if __name__ == "__main__":
    main()
