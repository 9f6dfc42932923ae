"""Checkpoints of a training: everything that the next epoch depends on, in one file that is written whole."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut import documents
from tiercut.documents.archives import Arrays, open_arrays
from tiercut.errors import InputError

__all__ = ["Checkpoint", "digest", "load_checkpoint", "save_checkpoint"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A training after its last epoch.

    Parameters
    ----------
    digest
        What was being trained (see `digest`).
    losses
        Mean loss of every epoch on the samples that are fitted.
    held_losses
        The same on the samples held out; empty where there are none.
    state
        The variables of model and optimizer, in Keras' order, the seeds of its random layers included.
    best
        The variables of the model after the epoch with the least loss on the samples held out; empty without them.
    """

    digest: str
    losses: tuple[float, ...]
    held_losses: tuple[float, ...]
    state: tuple[NDArray[Any], ...]
    best: tuple[NDArray[Any], ...]


def digest(settings: dict[str, Any], arrays: Sequence[NDArray[Any]]) -> str:
    """Return a hash of what a training starts from: how it is done, the first weights and the samples."""
    found = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for array in arrays:
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def save_checkpoint(checkpoint: Checkpoint, path: str | os.PathLike[str]) -> None:
    """Write a checkpoint, whole or not at all: one that is there already stays until the new one is complete.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    arrays: dict[str, Any] = {f"state{place}": each for place, each in enumerate(checkpoint.state)}
    arrays |= {f"best{place}": each for place, each in enumerate(checkpoint.best)}
    arrays |= {"digest": checkpoint.digest, "losses": checkpoint.losses, "held_losses": checkpoint.held_losses}
    documents.write_whole(path, lambda stream: np.savez(stream, **arrays))


def load_checkpoint(path: str | os.PathLike[str], digest: str) -> Checkpoint | None:
    """Return the checkpoint of a training, or None where there is none, or only one of another training."""
    if not Path(path).exists():
        return None
    try:
        with open_arrays(path, os.fspath(path), what="arrays", limit=sys.maxsize) as archive:
            if str(archive["digest"]) != digest:
                log.info("%s belongs to another training and is not used", path)
                return None
            return Checkpoint(
                digest,
                tuple(archive["losses"].tolist()),
                tuple(archive["held_losses"].tolist()),
                _numbered(archive, "state"),
                _numbered(archive, "best"),
            )
    except (InputError, KeyError) as error:
        log.warning("%s cannot be read (%s) and is not used", path, error)
        return None


def _numbered(archive: Arrays, prefix: str) -> tuple[NDArray[Any], ...]:
    count = sum(name.startswith(prefix) for name in archive.names)
    return tuple(archive[f"{prefix}{place}"] for place in range(count))
