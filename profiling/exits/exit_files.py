"""A trained network with its branches as one ``.keras`` file: Keras' model, and beside it what it takes to use it."""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from tiercut import documents
from tiercut.documents import Document
from tiercut.documents.archives import FAULTS
from tiercut.errors import InputError, QuestionError
from tiercut.profiling.exits.exits import ExitModel, recognise_exits
from tiercut.profiling.models.loader import read_model
from tiercut.profiling.profile.schema import Hash, Share

__all__ = ["FORMAT", "ExitFile", "has_exits", "load_exits", "save_exits"]

FORMAT = "tiercut.exits/1"

_MEMBER = "tiercut.json"
_LARGEST = 1 << 20


class ExitFile(Document):
    """What stands in ``tiercut.json`` inside of the ``.keras`` file; Keras passes over it.

    ``cuts`` names the layers that end the N blocks, ``branches`` the blocks that have a branch, 1-based.
    """

    format: Literal["tiercut.exits/1"] = "tiercut.exits/1"
    title: str
    cuts: list[str] = Field(min_length=1)
    branches: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    dataset: str
    seed: int = Field(ge=0, description="of the splits of the data set")
    shares: list[Share] | None = Field(
        default=None,
        min_length=3,
        max_length=3,
        description="of its train, profile and test split; null: the usual ones",
    )
    trained_on: Hash = Field(description="of the training split, which profiling must not touch")
    origin: str = Field(default="", description="how it was trained, as text")
    accuracy_separate: list[Share | None] | None = None
    temperature: list[Annotated[float, Field(gt=0)] | None] | None = None


def save_exits(exits: ExitModel, record: ExitFile, path: str | os.PathLike[str]) -> None:
    """Write a model with its branches, whole or not at all; plain Keras can load it too.

    Raises
    ------
    InputError
        If it cannot be written.
    """

    def fill(stream: Any) -> None:
        with tempfile.TemporaryDirectory(dir=Path(path).parent, prefix=".keras") as folder:
            fresh = Path(folder) / "model.keras"
            exits.model.save(fresh)
            with zipfile.ZipFile(fresh, "a") as archive:
                archive.writestr(_MEMBER, record.model_dump_json(exclude_none=True, indent=2))
            stream.write(fresh.read_bytes())

    documents.write_whole(path, fill)


def has_exits(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is what `save_exits` writes."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _MEMBER in archive.namelist()
    except FAULTS:
        return False


def load_exits(path: str | os.PathLike[str], *, trust: bool = False) -> tuple[ExitModel, ExitFile]:
    """Read what `save_exits` wrote.

    Parameters
    ----------
    path
        The file.
    trust
        Whether layers in it may run code (``Lambda``).

    Raises
    ------
    InputError
        If it is no such file, cut short, or holds what is not trusted.
    """
    source = os.fspath(path)
    if zipfile.is_zipfile(path) and not has_exits(path):
        raise InputError(source, f"has no exits in it ({_MEMBER} is missing); make them with tiercut train")
    model = read_model(Path(path), trust=trust)
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(_MEMBER).file_size > _LARGEST:
                raise InputError(source, f"{_MEMBER} in it is larger than any description of exits")
            text = archive.read(_MEMBER).decode(errors="replace")
    except FAULTS:
        raise InputError(source, f"{_MEMBER} in it is damaged; save the network again") from None
    record = documents.validate(documents.parse_json(text, source), ExitFile, format_=FORMAT, source=source)
    try:
        return recognise_exits(model, record.cuts, record.branches), record
    except QuestionError as error:
        raise InputError(source, str(error)) from None
