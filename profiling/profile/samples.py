"""The samples file of a profile: what every branch says of every sample, and how a profile finds its own."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tiercut import documents
from tiercut.documents.archives import open_arrays
from tiercut.errors import InputError, QuestionError, unknown_name

if TYPE_CHECKING:
    from tiercut.profiling.profile.schema import Profile

__all__ = ["SampleSplit", "Samples", "check_split", "load_samples", "samples_of", "save_samples"]

SIZE_LIMIT = 256 << 20
"""Most bytes of a samples file: a million samples at fifty branches have about this."""

UNPACKED_LIMIT = 1 << 30
"""Most bytes of its tables."""

_SHORT = 1 << 15
"""Classes from here on do not fit into two bytes."""

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
    confidence
        Probability of the likeliest class, float32[samples, branches] in 0..1; None where it was not recorded.
    source
        The file that they were read from; None for those that were recorded just now.
    answer
        The likeliest class, int32[samples, branches], counted from 0; None where it was not recorded.

    Where a block has no branch, the entropy is 1, nothing is correct, the confidence is 0 and the answer -1: no sample
    leaves there.
    """

    entropy: NDArray[np.float32]
    correct: NDArray[np.bool_]
    confidence: NDArray[np.float32] | None = None
    source: str | None = None
    answer: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        if self.entropy.shape != self.correct.shape or self.entropy.ndim != 2 or 0 in self.entropy.shape:
            raise QuestionError(
                f"entropy and correctness must be tables of one shape [samples, branches], got {self.entropy.shape} "
                f"and {self.correct.shape}"
            )
        if not (np.all(self.entropy >= 0) and np.all(self.entropy <= 1)):
            raise QuestionError("normalised entropies must lie in 0..1")
        if self.answer is not None and (self.answer.shape != self.entropy.shape or np.any(self.answer < -1)):
            raise QuestionError(
                f"answers must be a table of {self.entropy.shape} of classes, -1 where there is no branch"
            )
        if self.confidence is None:
            return
        if self.confidence.shape != self.entropy.shape:
            raise QuestionError(f"confidences must be a table of {self.entropy.shape}, got {self.confidence.shape}")
        if not (np.all(self.confidence >= 0) and np.all(self.confidence <= 1)):
            raise QuestionError("confidences must lie in 0..1")

    def part(self, rows: NDArray[np.int64]) -> Samples:
        """Return some of the samples, by their places (counted from 0)."""
        confidence = None if self.confidence is None else self.confidence[rows]
        answer = None if self.answer is None else self.answer[rows]
        return Samples(self.entropy[rows], self.correct[rows], confidence, self.source, answer)

    def halved(self) -> Samples:
        """Return the samples in half precision, which takes half of the room in a file.

        Rates have to be computed from what is written, so this comes before `exits_record`.
        """
        confidence = None if self.confidence is None else _halved(self.confidence)
        return Samples(_halved(self.entropy), self.correct, confidence, answer=self.answer)


def _halved(table: NDArray[np.float32]) -> NDArray[np.float32]:
    return table.astype(np.float16).astype(np.float32)


def save_samples(samples: Samples, path: str | os.PathLike[str]) -> str:
    """Write the tables as a compressed ``.npz``, whole or not at all, and return the hash of the file.

    Numbers that half precision holds exactly (see `Samples.halved`) are written in it.

    Returns
    -------
    str
        What stands in a profile as ``samples_sha256``.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    tables: dict[str, Any] = {"entropy": samples.entropy}
    if samples.confidence is not None:
        tables["confidence"] = samples.confidence
    if all(np.array_equal(_halved(table), table) for table in tables.values()):
        tables = {name: table.astype(np.float16) for name, table in tables.items()}
    if samples.answer is not None:
        tables["answer"] = samples.answer.astype(np.int16 if samples.answer.max() < _SHORT else np.int32)
    documents.write_whole(path, lambda stream: np.savez_compressed(stream, **tables, correct=samples.correct))
    return _sha256(Path(path).read_bytes())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def load_samples(path: str | os.PathLike[str]) -> Samples:
    """Read what `save_samples` wrote.

    Raises
    ------
    InputError
        If the file is missing, no such archive, or its tables do not fit.
    """
    return _parsed(documents.read_bytes(path, limit=SIZE_LIMIT), os.fspath(path))


def _read_beside(profile: Profile, folder: Path, key: str, name: str) -> bytes:
    """Return the bytes of the file that a profile names by a key, which must lie beside it."""
    path = folder / name
    where = f"which profile '{profile.name}' names as its {key}"
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(os.fspath(path), f"{where}, is no regular file; put the samples beside the profile")
    except FileNotFoundError:
        remedy = "put it beside the profile again, or record the network again"
        raise InputError(os.fspath(path), f"there is no such file, {where}; {remedy}") from None
    except OSError as error:
        raise InputError(os.fspath(path), f"{where}, cannot be read: {error.strerror or error}") from None
    return documents.read_bytes(path, limit=SIZE_LIMIT)


def _parsed(data: bytes, source: str) -> Samples:
    try:
        with open_arrays(data, source, what="samples", limit=UNPACKED_LIMIT) as archive:
            confidence = archive["confidence"].astype(np.float32) if "confidence" in archive else None
            entropy, correct = archive["entropy"].astype(np.float32), archive["correct"].astype(np.bool_)
            answer = archive["answer"].astype(np.int32) if "answer" in archive else None
            return Samples(entropy, correct, confidence, source, answer)
    except KeyError as error:
        raise InputError(
            source, f"expected the arrays 'entropy' and 'correct': there is no '{error.args[0]}'"
        ) from None
    except QuestionError as error:
        raise InputError(source, str(error)) from None


def check_split(split: str) -> None:
    """Refuse what is no split of samples.

    Raises
    ------
    QuestionError
        If there is none of that name.
    """
    if split not in _KEYS:
        raise QuestionError(unknown_name("split of samples", split, _KEYS))


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
        If it names none, or was built in memory, so that its folder is not known.
    InputError
        If the file cannot be read, or is not the one that the profile was made with: its hash is another, or its
        tables have other branches or samples.
    """
    check_split(split)
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
    data = _read_beside(profile, profile.folder, key, name)
    known = getattr(profile, f"{key.removesuffix('_file')}_sha256")
    if known is not None and known != _sha256(data):
        raise InputError(
            os.fspath(path),
            f"is not the file that profile '{profile.name}' was recorded with (its SHA-256 is {_sha256(data)[:12]}..., "
            f"the profile says {known[:12]}...); put that file beside the profile again, or record the network again",
        )
    samples = _parsed(data, os.fspath(path))
    count, branches = samples.entropy.shape
    wanted = count if split == "test" or profile.samples is None else profile.samples
    if (count, branches) != (wanted, profile.block_count):
        raise InputError(
            os.fspath(path),
            f"has {count} samples at {branches} branches, but profile '{profile.name}' was made of {wanted} at "
            f"{profile.block_count}; they do not belong together",
        )
    return samples
