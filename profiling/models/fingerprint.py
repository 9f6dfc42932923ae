"""The architecture of a Keras model as a hash, which tells networks apart but not their weights."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tiercut.profiling.models.keras_calls import layer_calls

__all__ = ["fingerprint"]


def fingerprint(model: Any) -> str:
    """Return the SHA-256 of a model's architecture: its layers, their settings, and how they are joined.

    The values of the weights do not count, since they change no time.
    """
    steps = [
        [call.name, type(call.layer).__name__, _settings(call.layer), call.parents, list(call.output.shape)]
        for call in layer_calls(model)
    ]
    return hashlib.sha256(json.dumps(steps, sort_keys=True, default=str).encode()).hexdigest()


def _settings(layer: Any) -> Any:
    try:
        return layer.get_config()
    except NotImplementedError:  # an operation outside a layer has none
        return None
