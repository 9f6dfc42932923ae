"""What branches do with samples: entropies, hits, exit rates, calibration; the half of a record that exits have."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import TiercutWarning
from tiercut.profiling.data.datasets import Split, check_labels
from tiercut.profiling.profile.samples import Samples

__all__ = [
    "Classifiers",
    "calibration_error",
    "exits_record",
    "normalised_entropy",
    "record_samples",
    "warn_of_chance",
]

_CHANCE_SPREAD = 1.645
"""So many standard deviations above chance an accuracy is better than chance with 95 % confidence."""


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


class Classifiers(Protocol):
    """Branches that give the probabilities of classes; those of Keras, or of an ONNX network."""

    @property
    def classes(self) -> int:
        """Number of classes that they tell apart."""
        ...

    @property
    def blocks(self) -> Sequence[Any]:
        """The N blocks of the network."""
        ...

    @property
    def present(self) -> tuple[int, ...]:
        """The blocks that have a branch, 0-based."""
        ...

    def scores(self, images: NDArray[Any], batch: int) -> list[NDArray[Any]]:
        """Return the probabilities that each branch gives, float[samples, classes], so many samples in one call."""
        ...


def record_samples(exits: Classifiers, split: Split, *, batch: int = 64) -> Samples:
    """Run a split through the model and return what its branches say of every sample.

    Raises
    ------
    QuestionError
        If the split is empty or of one class, or has labels that the model does not know.
    """
    check_labels(split.labels, exits.classes, "the split to record")
    outputs = exits.scores(split.images, batch)
    entropy = np.ones((len(split), len(exits.blocks)), dtype=np.float32)
    correct = np.zeros(entropy.shape, dtype=np.bool_)
    confidence = np.zeros_like(entropy)
    answer = np.full(entropy.shape, -1, dtype=np.int32)
    for block, scores in zip(exits.present, outputs, strict=True):
        entropy[:, block] = normalised_entropy(scores)
        answer[:, block] = scores.argmax(axis=-1)
        correct[:, block] = answer[:, block] == split.labels
        confidence[:, block] = np.clip(scores.max(axis=-1), 0, 1)
    return Samples(entropy, correct, confidence, answer=answer)


def calibration_error(confidence: NDArray[Any], correct: NDArray[np.bool_], *, bins: int = 15) -> float:
    """Return the expected calibration error: how far confidence and accuracy lie apart, in 0..1.

    Samples are put into bins of equal width by their confidence; the error is the mean over the bins, weighted by
    their samples, of the distance between mean confidence and accuracy (Guo et al., "On Calibration of Modern
    Neural Networks", 2017, section 2).

    Parameters
    ----------
    confidence
        Probability of the likeliest class, float[samples].
    correct
        Whether that class is the right one, bool[samples].
    bins
        How many bins.
    """
    exact = confidence.astype(np.float64)
    place = np.clip(np.ceil(exact * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(place, weights=exact - correct, minlength=bins)
    return float(np.abs(gap).sum() / len(exact))


def warn_of_chance(
    title: str, correct: NDArray[np.bool_], labels: NDArray[np.int64], *, present: Collection[int]
) -> None:
    """Warn of branches that are not known to answer better than always with the most frequent class.

    Parameters
    ----------
    title
        The name of the network.
    correct
        Whether each branch is right about each sample, bool[samples, N].
    labels
        The classes of the samples, int64[samples].
    present
        The blocks that have a branch, 0-based.

    Warns
    -----
    TiercutWarning
        Names the branches by their blocks.
    """
    chance = float(np.bincount(labels).max()) / len(labels)
    bound = chance + _CHANCE_SPREAD * np.sqrt(chance * (1 - chance) / len(labels))
    accuracy = correct.mean(axis=0)
    if poor := [f"{block + 1} ({accuracy[block]:.1%})" for block in present if accuracy[block] <= bound]:
        blocks = "block" if len(poor) == 1 else "blocks"
        warnings.warn(
            TiercutWarning(
                f"{title}: after {blocks} {', '.join(poor)} the branch is no better than chance ({chance:.1%})",
                "train for more epochs, look whether the loss falls, or leave these branches out with --branches",
            ),
            stacklevel=3,
        )


def exits_record(
    samples: Samples, thresholds: Sequence[float], *, present: Collection[int] | None = None
) -> dict[str, Any]:
    """Return what a profile says of the exits.

    A sample leaves at the first branch at which its entropy is below the threshold, and at the last branch
    whatever its entropy there, so that each row of ``exit_rate`` sums to 1. In ``exit_rate_alone`` and
    ``hit_rate_alone`` every branch is evaluated on its own, the last one too.

    Parameters
    ----------
    samples
        Entropies and hits, [samples, N].
    thresholds
        Rising numbers in 0..1, T of them.
    present
        The blocks that have a branch, 0-based; all by default. The others get null for accuracy and calibration.
    """
    wanted = range(samples.entropy.shape[1]) if present is None else present
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
    record: dict[str, Any] = {
        "thresholds": [float(threshold) for threshold in thresholds],
        "exit_rate": full,
        "exit_rate_alone": alone,
        "hit_rate_alone": hits,
        "accuracy": [float(each.mean()) if place in wanted else None for place, each in enumerate(samples.correct.T)],
    }
    if samples.confidence is not None:
        pairs = enumerate(zip(samples.confidence.T, samples.correct.T, strict=True))
        record["calibration_error"] = [calibration_error(*pair) if place in wanted else None for place, pair in pairs]
    return record
