"""Runs pieces of a small network on another framework than that of the tests, and prints what came of it as JSON.

``python on_backend.py torch`` (or ``jax``), with ``--jit-compile`` or without, in the folder that it may write to: a
process has one framework for good, so this is one of its own.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tiercut.profiling.models.blocks import compile_span, find_blocks
from tiercut.profiling.models.graph_keras import KerasModel
from tiercut.profiling.models.keras_calls import build_piece
from tiercut.profiling.models.loader import load_keras
from tiercut.profiling.models.runtime import start_framework
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.record.record import record_model
from tiercut.profiling.record.settings import EFFORT, Settings

CHAIN = """
import keras
def chain():
    tensor = entry = keras.Input((8, 8, 3), name="entry")
    for number in range(3):
        tensor = keras.layers.Conv2D(4, 3, padding="same", name=f"conv{number}")(tensor)
        tensor = keras.layers.BatchNormalization(name=f"norm{number}")(tensor)
    fan = keras.layers.Add(name="join")([tensor, keras.layers.ReLU(name="side")(tensor)])
    tensor = keras.layers.Dropout(0.5, name="drop")(keras.layers.Flatten(name="flat")(fan))
    return keras.Model(entry, keras.layers.Dense(2, name="end")(tensor), name="chain")
"""


def numbers(tensor: Any) -> np.ndarray:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(tensor))


def calls(backend: str, jit: bool) -> dict[str, Any]:
    """Return how the pieces of the chain answer."""
    import keras

    _, model = load_keras("chain_for_tests:chain")
    runtime = KerasModel(model)
    blocks = find_blocks(runtime.graph)
    data = keras.ops.convert_to_tensor(np.random.default_rng(2).random((2, 8, 8, 3), dtype=np.float32))
    model.set_weights([weights + 0.1 for weights in model.get_weights()])
    pieces = [
        (
            compile_span(runtime, blocks, 0, cut, batch=2, jit=jit),
            compile_span(runtime, blocks, cut + 1, len(blocks) - 1, batch=2, jit=jit),
        )
        for cut in range(len(blocks) - 1)
    ]

    def furthest() -> float:
        """Return how far two pieces are off, for the worst of all cuts, as a share of the largest answer."""
        whole = numbers(model(data, training=False))
        off = max(np.abs(numbers(second(first(data))) - whole).max() for first, second in pieces)
        return float(off / np.abs(whole).max())

    first, second = pieces[-1]
    before = numbers(second(first(data)))
    told: dict[str, Any] = {
        "blocks": len(blocks),
        "furthest": furthest(),
        "alike": bool((numbers(second(first(data))) == before).all()),
        "gradients": bool(getattr(first(data), "requires_grad", False)),
    }
    of_whole = {id(weight) for weight in model.weights}
    part = build_piece(runtime.tensor(blocks[2].start), runtime.tensor(blocks[6].end))
    told["shared"] = all(id(weight) in of_whole for weight in part.weights)
    if backend == "torch":  # JAX is given the values of the weights when a piece is made
        model.set_weights([weights * 1.5 for weights in model.get_weights()])
        told["moved"] = float(np.abs(numbers(second(first(data))) - before).max())
        told["furthest_then"] = furthest()
    return told


def main(backend: str, jit: bool) -> None:
    """Print what the tests ask for."""
    Path("chain_for_tests.py").write_text(CHAIN)
    told: dict[str, Any] = {"threads": start_framework(1, backend=backend)}
    import keras

    keras.utils.set_random_seed(1)
    told |= calls(backend, jit)
    effort = replace(EFFORT, runs=3, least=3)
    wanted = Settings(device="here", batch=2, threads=1, check=3, backend=backend, jit=jit, effort=effort)
    made = record_model("chain_for_tests:chain", "chain.json", wanted)
    print(json.dumps(told | {"device": load_profile(made.path).devices["here"].model_dump()}))


if __name__ == "__main__":
    main(sys.argv[1], "--jit-compile" in sys.argv[2:])
