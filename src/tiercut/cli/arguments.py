"""Arguments that several commands share, and how their text is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiercut import units
from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "Csv",
    "InputSize",
    "Json",
    "Model",
    "Plot",
    "ProfileFile",
    "ProfileFiles",
    "TopologyFile",
    "TrustModel",
    "Weights",
    "axis_sizes",
    "drawable",
    "quantity",
    "write_table",
]


def _topologies(begin: str) -> list[str]:
    from tiercut.topologies import ready_made

    return [name for name in ready_made() if name.startswith(begin)]


def _profiles(begin: str) -> list[str]:
    from tiercut.profiling import recorded

    return [name for name in recorded() if name.startswith(begin)]


TopologyFile = Annotated[
    str,
    typer.Argument(
        metavar="TOPOLOGY", help="A YAML file, or a ready-made one such as mobile.", autocompletion=_topologies
    ),
]
ProfileFile = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE", help="A JSON file, or a recorded one: resnet20-digits32.", autocompletion=_profiles
    ),
]
ProfileFiles = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PROFILE",
        help="A JSON file, or a recorded one: resnet20-digits32. Of several the best plans of all.",
        autocompletion=_profiles,
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def drawable(path: Path | None) -> Path | None:
    """Return the place of a picture; refuse one of an unknown format before anything is solved."""
    if path is not None:
        from tiercut.report import check_ending

        check_ending(path)
    return path


Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Draw it: png, svg, pdf or html by the ending.", callback=drawable),
]
Csv = Annotated[
    Path | None,
    typer.Option("--csv", metavar="FILE", help="Write it as a table: CSV, or Parquet where the name says so."),
]
Model = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A name of Keras Applications, a .keras or .onnx file, or module:function."),
]
InputSize = Annotated[
    str | None,
    typer.Option(
        "--input-size", metavar="HEIGHTxWIDTH", help="All axes but batch and channels; by default the model's."
    ),
]
TrustModel = Annotated[
    bool, typer.Option("--trust-model", help="Let a .keras file run code of its own (Lambda layers).")
]
Weights = Annotated[str | None, typer.Option(help="imagenet or a file.", show_default="random")]


def write_table(frame: DataFrame, path: Path) -> None:
    """Write a frame as CSV, numbers unrounded, or as Parquet where the ending is .parquet; and say so.

    Raises
    ------
    InputError
        If there is no such place to write.
    QuestionError
        If Parquet is wanted and pyarrow is not installed.
    """
    from tiercut.cli.console import note
    from tiercut.documents import write_text
    from tiercut.documents.parquet import write_parquet

    if path.suffix.lower() != ".parquet":
        write_text(path, frame.to_csv(index=False, lineterminator="\n"))
    else:
        write_parquet(frame, path)
    note(f"wrote {path}")


def quantity(option: str, text: str | None, kind: str) -> float | None:
    """Return the value of an option that is written with a unit, or None where it is absent.

    Raises
    ------
    QuestionError
        If the text is no such quantity; the message names the option.
    """
    if text is None:
        return None
    try:
        return units.parse(text, kind)
    except ValueError as error:
        raise QuestionError(f"{option}: {error}") from None


def axis_sizes(text: str | None) -> tuple[int, ...] | None:
    """Return the sizes in text such as ``224``, ``160x224`` or ``16x160x224``.

    Raises
    ------
    QuestionError
        If it is no such text.
    """
    if text is None:
        return None
    sides = text.lower().split("x")
    if not all(side.isdecimal() and int(side) for side in sides):
        raise QuestionError(f"--input-size is written 224 or HEIGHTxWIDTH, a size for each axis, not '{text}'")
    return tuple(map(int, sides))
