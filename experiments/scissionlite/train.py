"""Train a small classifier of clutter, put a transfer layer inside one of its stages, and retrain it (section 4.3).

``python experiments/scissionlite/train.py FOLDER`` writes the models, and ``retrained.json`` with what each was right
about, into a folder; it goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

DATASET = "clutter"
CUTS = ("stage2_conv1_relu",)
"""Not the ends of stages, which are pooled anyway: there the layer changes nothing."""
EPOCHS, BASE_EPOCHS = 15, 8


def network() -> Any:
    """Return an untrained network of three stages, each of two convolutions."""
    import keras

    keras.utils.set_random_seed(0)
    tensor = entry = keras.Input((32, 32, 3), name="image")
    for stage, filters in enumerate((16, 32, 64), 1):
        for number in (1, 2):
            name = f"stage{stage}_conv{number}"
            tensor = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=name)(tensor)
            tensor = keras.layers.BatchNormalization(name=f"{name}_norm")(tensor)
            tensor = keras.layers.ReLU(name=f"stage{stage}" if number == 2 else f"{name}_relu")(tensor)
        tensor = keras.layers.MaxPooling2D(2, name=f"pool{stage}")(tensor)
    tensor = keras.layers.GlobalAveragePooling2D(name="mean")(tensor)
    return keras.Model(entry, keras.layers.Dense(10, activation="softmax", name="classes")(tensor), name="small")


def trained(path: Path) -> None:
    """Train the network, without any transfer layer, and write it."""
    import keras
    import numpy as np

    import tiercut

    data = tiercut.load_dataset(DATASET)
    model = network()
    steps = BASE_EPOCHS * -(-len(data.train.labels) // 64)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(data.train.images, data.train.labels, batch_size=64, epochs=BASE_EPOCHS, verbose=2)
    right = np.mean(model.predict(data.profile.images, verbose=0).argmax(axis=1) == data.profile.labels)
    print(f"{right:.2%} of the profile split")
    model.save(path)


def tiercut_codec(*words: object) -> str:
    """Run a command of tiercut codec and return what it prints."""
    call = [sys.executable, "-m", "tiercut", "codec", *map(str, words)]
    return subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Train what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where models and results go")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    base, kept = folder / "small.keras", folder / "retrained.json"
    if not base.exists():
        trained(base)
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for cut in (each for each in CUTS if each not in found):
        layered = folder / f"{cut}.keras"
        tiercut_codec("insert", base, cut, layered)
        options = ["--dataset", DATASET, "--epochs", EPOCHS, "--momentum", 0.9, "--json"]
        output = folder / f"{cut}-retrained.keras"
        found[cut] = json.loads(tiercut_codec("train", layered, *options, "--output", output))
        kept.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
