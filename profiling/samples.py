"""The samples file of a profile: what every branch says of every sample, and how a profile finds its own."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from tiercut import documents
from tiercut.errors import InputError, QuestionError, unknown_name

if TYPE_CHECKING:
    from tiercut.profiling.profile import Profile

__all__ = ["SampleSplit", "Samples", "load_samples", "samples_of", "save_samples"]

SampleSplit = Literal["profile", "test"]

_KEYS = {
    "profile": ("samples_file", "record the network again, which keeps what every branch says of every sample"),
    "test": ("test_samples_file", "record samples that nothing was fitted to, or replay those of the profile split"),
}


@dataclass(frozen=True, slots=True)
class Samples:
    """What every branch says of every sample.

    Parameters
    ----------
    entropy
        Normalised entropy of the class probabilities, float32[samples, branches] in 0..1.
    correct
        Whether the likeliest class is the right one, bool[samples, branches].
    """

    entropy: NDArray[np.float32]
    correct: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.entropy.shape != self.correct.shape or self.entropy.ndim != 2 or 0 in self.entropy.shape:
            raise QuestionError(
                f"entropy and correctness must be tables of one shape [samples, branches], got {self.entropy.shape} "
                f"and {self.correct.shape}"
            )
        if not (np.all(self.entropy >= 0) and np.all(self.entropy <= 1)):
            raise QuestionError("normalised entropies must lie in 0..1")


def save_samples(samples: Samples, path: str | os.PathLike[str]) -> None:
    """Write ``entropy`` and ``correct`` as a compressed ``.npz``, whole or not at all."""
    documents.write_whole(
        path, lambda stream: np.savez_compressed(stream, entropy=samples.entropy, correct=samples.correct)
    )


def load_samples(path: str | os.PathLike[str]) -> Samples:
    """Read what `save_samples` wrote.

    Raises
    ------
    InputError
        If the file is missing, no such archive, or its tables do not fit.
    """
    source = os.fspath(path)
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return Samples(archive["entropy"].astype(np.float32), archive["correct"].astype(np.bool_))
    except FileNotFoundError:
        raise InputError(source, "there is no such file") from None
    except KeyError as error:
        raise InputError(source, f"expected the arrays 'entropy' and 'correct': {error.args[0]}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(source, f"is no archive of samples: {error}") from None
    except QuestionError as error:
        raise InputError(source, str(error)) from None


def samples_of(profile: Profile, split: SampleSplit = "profile") -> Samples:
    """Return the samples that were recorded for a profile, from the file that it names.

    Parameters
    ----------
    profile
        One that was read from a file, beside which the samples lie.
    split
        ``profile``: those that its rates and accuracies come from; ``test``: others, to which nothing was fitted.

    Raises
    ------
    QuestionError
        If it names none, or was made in memory, so that nobody knows where the file is.
    InputError
        If the file cannot be read, or its tables have other branches or samples than the profile.
    """
    if split not in _KEYS:
        raise QuestionError(unknown_name("split of samples", split, _KEYS))
    key, remedy = _KEYS[split]
    name = getattr(profile, key)
    if name is None:
        raise QuestionError(f"replay needs the key '{key}', which profile '{profile.name}' does not have; {remedy}")
    if profile.folder is None:
        raise QuestionError(
            f"profile '{profile.name}' was not read from a file, so its samples file '{name}' cannot be found; give "
            "the samples themselves"
        )
    path = profile.folder / name
    samples = load_samples(path)
    count, branches = samples.entropy.shape
    wanted = count if split == "test" or profile.samples is None else profile.samples
    if (count, branches) != (wanted, profile.block_count):
        raise InputError(
            os.fspath(path),
            f"has {count} samples at {branches} branches, but profile '{profile.name}' was made of {wanted} at "
            f"{profile.block_count}; they do not belong together",
        )
    return samples
