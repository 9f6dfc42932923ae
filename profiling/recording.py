"""What branches do with samples: entropies, hits, exit rates; and the profile that is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.profiling.data import Split, check_labels
from tiercut.profiling.exits import ExitModel
from tiercut.profiling.graph import tensor_bytes
from tiercut.profiling.samples import Samples

__all__ = [
    "default_thresholds",
    "exits_record",
    "model_record",
    "normalised_entropy",
    "record_samples",
]


def normalised_entropy(probabilities: NDArray[Any]) -> NDArray[np.float32]:
    """Return the entropy of the class probabilities, divided by ln(classes) and so in 0..1.

    Parameters
    ----------
    probabilities
        float[..., classes], each summing to 1.
    """
    exact = np.asarray(probabilities, dtype=np.float64)
    terms = np.where(exact > 0, exact * np.log(np.where(exact > 0, exact, 1.0)), 0.0)
    shares: NDArray[np.float64] = -terms.sum(axis=-1) / np.log(exact.shape[-1])
    return np.clip(shares, 0.0, 1.0).astype(np.float32)


def record_samples(exits: ExitModel, split: Split, *, batch: int = 64) -> Samples:
    """Run a split through the model and return what its branches say of every sample.

    Where a block has no branch, nobody leaves: the entropy is 1 and nothing is correct.

    Raises
    ------
    QuestionError
        If the split is empty or of one class, or has labels that the model does not know.
    """
    check_labels(split.labels, int(exits.model.outputs[0].shape[-1]), "the split to record")
    outputs = exits.model.predict(split.images, batch_size=batch, verbose=0)
    entropy = np.ones((len(split), len(exits.blocks)), dtype=np.float32)
    correct = np.zeros(entropy.shape, dtype=np.bool_)
    for block, scores in zip(exits.present, outputs if isinstance(outputs, list) else [outputs], strict=True):
        entropy[:, block] = normalised_entropy(scores)
        correct[:, block] = scores.argmax(axis=-1) == split.labels
    return Samples(entropy, correct)


def default_thresholds(count: int = 20) -> list[float]:
    """Return `count` thresholds at even distances, the last one 1.

    0 is left out: at 0 nobody leaves before the end, which is the plan with one exit and needs no threshold.
    """
    if count < 1:
        raise QuestionError(f"there must be at least 1 threshold, got {count}")
    return [place / count for place in range(1, count + 1)]


def exits_record(samples: Samples, thresholds: Sequence[float]) -> dict[str, Any]:
    """Return what a profile says of the exits.

    A sample leaves at the first branch at which its entropy is below the threshold, and at the last branch
    whatever its entropy there, so that each row of ``exit_rate`` sums to 1. In ``exit_rate_alone`` and
    ``hit_rate_alone`` every branch is asked on its own, the last one too.

    Parameters
    ----------
    samples
        Entropies and hits, [samples, N].
    thresholds
        Rising numbers in 0..1, T of them.
    """
    # NOTE compared in double precision; in single precision a threshold such as 0.1 would be another number
    entropy = samples.entropy.astype(np.float64)
    count, branches = entropy.shape
    full, alone, hits = [], [], []
    for threshold in thresholds:
        below = entropy < threshold
        leaving = below.copy()
        leaving[:, -1] = True
        full.append((np.bincount(leaving.argmax(axis=1), minlength=branches) / count).tolist())
        alone.append(below.mean(axis=0).tolist())
        hits.append((below & samples.correct).mean(axis=0).tolist())
    return {
        "thresholds": [float(threshold) for threshold in thresholds],
        "exit_rate": full,
        "exit_rate_alone": alone,
        "hit_rate_alone": hits,
        "accuracy": samples.correct.mean(axis=0).tolist(),
    }


def model_record(exits: ExitModel) -> dict[str, Any]:
    """Return what a profile says of the model: bytes of input and result, and its blocks."""
    blocks = [
        {
            "name": block.name,
            "output_bytes": float(block.output_bytes),
            "first_layer": block.first_layer,
            "last_layer": block.last_layer,
            "parameter_bytes": float(block.parameter_bytes),
            "activation_bytes": float(block.activation_bytes),
            "flops": float(block.flops),
        }
        for block in exits.blocks
    ]
    entry, result = exits.backbone.inputs[0], exits.backbone.outputs[0]
    return {
        "classes": int(result.shape[-1]),
        "input_bytes": float(tensor_bytes(entry)),
        "result_bytes": float(tensor_bytes(result)),
        "blocks": blocks,
    }
