"""The half of a record that a network with exits has besides its times: what they do with the samples of two splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tiercut.profiling.exits.onnx_exits import OnnxNetwork
from tiercut.profiling.exits.statistics import exits_record, record_samples
from tiercut.profiling.exits.thresholds import Thresholds
from tiercut.profiling.exits.trainer import Network
from tiercut.profiling.profile.samples import Samples, save_samples
from tiercut.profiling.profile.schema import Exits, Profile

__all__ = ["ExitHalf", "exits_difference", "measure_exits", "sample_files", "without_exits"]

_OF_SAMPLES = ("samples_file", "samples_sha256", "test_samples_file", "test_samples_sha256")
_KEYS = ("exits", "dataset", "classes", "samples", *_OF_SAMPLES)

_ROUNDING = 1e-3
"""How far rates and accuracies may lie apart, beside two samples, for another machine's rounding to explain it."""


@dataclass(frozen=True, slots=True)
class ExitHalf:
    """What a profile says of exits.

    Parameters
    ----------
    keys
        ``dataset``, ``classes``, ``samples`` and ``exits`` of the profile.
    profiled, tested
        What every branch says of every sample of the profile split, and of the test split.
    """

    keys: dict[str, Any]
    profiled: Samples
    tested: Samples

    def save(self, target: Path) -> dict[str, str]:
        """Write the samples beside a profile, and return the keys by which it names them."""
        named: dict[str, str] = {}
        for (prefix, path), samples in zip(sample_files(target).items(), (self.profiled, self.tested), strict=True):
            named |= {f"{prefix}_file": path.name, f"{prefix}_sha256": save_samples(samples, path)}
        return named


def sample_files(target: Path) -> dict[str, Path]:
    """Return where the samples of a profile lie, by the beginning of the keys that name them."""
    parts = {"samples": "", "test_samples": ".test"}
    return {prefix: target.with_name(f"{target.stem}{part}.samples.npz") for prefix, part in parts.items()}


def measure_exits(network: Network | OnnxNetwork, thresholds: Thresholds) -> ExitHalf:
    """Run two splits through a trained network and return what its exits do with them.

    Parameters
    ----------
    network
        The network with its data.
    thresholds
        How to choose thresholds from the samples of the profile split.
    """
    exits, data = network.exits, network.data
    profiled = record_samples(exits, data.profile)
    found = exits_record(profiled, thresholds(profiled), present=exits.present)
    if network.record is not None:
        kept = {"accuracy_separate": network.record.accuracy_separate, "temperature": network.record.temperature}
        found |= {key: value for key, value in kept.items() if value is not None}
    keys = {"dataset": data.name, "classes": data.classes, "samples": len(data.profile), "exits": found}
    return ExitHalf(keys, profiled, record_samples(exits, data.test))


def exits_difference(known: Profile, dataset: str | None, samples: int | None, exits: Exits) -> str | None:
    """Return what tells the exits of a profile from others, or None where it is no more than rounding.

    Parameters
    ----------
    known
        A profile with exits.
    dataset, samples, exits
        What is measured now.
    """
    for name, before, now in (("data set", known.dataset, dataset), ("number of samples", known.samples, samples)):
        if before != now:
            return f"the {name} is {before} there and {now} here"
    if known.exits is None:
        return "there are none"
    slack = _ROUNDING + 2 / (samples or 1)
    there, here = known.exits.model_dump(), exits.model_dump()
    for key, value in there.items():
        if not _near(value, here[key], _ROUNDING if key == "thresholds" else slack):
            return f"{key} differs"
    return None


def _near(first: Sequence[Any] | None, second: Sequence[Any] | None, slack: float) -> bool:
    if first is None or second is None:
        return first is second
    left, right = (np.array(each, dtype=np.float64) for each in (first, second))  # NaN where there is no branch
    return left.shape == right.shape and bool(np.allclose(left, right, rtol=0, atol=slack, equal_nan=True))


def without_exits(profile: Profile) -> Profile:
    """Return a profile that says nothing of exits, to be added to one that does."""
    return profile.model_copy(update=dict.fromkeys(_KEYS))
