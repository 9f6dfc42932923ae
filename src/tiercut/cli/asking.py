"""The options that ask a question, and how their text becomes keywords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tiercut.errors import QuestionError
from tiercut.optimizer.measures.names import objectives

if TYPE_CHECKING:
    from tiercut.optimizer.query import Kind, Query
    from tiercut.optimizer.questions.keywords import Asked
    from tiercut.optimizer.questions.query_file import QueryFile

__all__ = [
    "QUESTION",
    "Bounds",
    "Codec",
    "Estimator",
    "Excluded",
    "Exits",
    "File",
    "Included",
    "KeepFirst",
    "MaxLatency",
    "MaxP99",
    "MinAccuracy",
    "Objective",
    "Only",
    "Order",
    "Partitions",
    "Pins",
    "Rate",
    "Thresholds",
    "UseAllTiers",
    "question",
    "read_file",
]

QUESTION = "Question"
_PLACEMENT = "Placement"


def _option(*names: str, metavar: str, help: str, panel: str = QUESTION) -> Any:  # noqa: A002 - as typer calls it
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel=panel, show_default=False)


File = Annotated[
    str | None,
    _option("--query", metavar="FILE", help="A question from a file, or a ready-made one such as edge-only."),
]
Objective = Annotated[
    str | None,
    _option(metavar="MEASURE", help=f"Minimised: {', '.join(objectives())}; or accuracy, maximised. Default: latency."),
]
MinAccuracy = Annotated[str | None, _option(metavar="SHARE", help="Such as 0.92 or '92 %'.")]
MaxLatency = Annotated[str | None, _option(metavar="TIME", help="Such as '80 ms'.")]
MaxP99 = Annotated[
    str | None, _option("--max-p99", metavar="TIME", help="Such as '120 ms': 99 % of the samples take no longer.")
]
Exits = Annotated[
    str | None,
    _option(metavar="cuts|final|free", help="Where samples may leave: at every cut, only at the end, anywhere."),
]
Thresholds = Annotated[str | None, _option(metavar="one|per-exit", help="One for all exits, or one for each.")]
Codec = Annotated[str | None, _option(metavar="none|auto|NAME", help="What encodes outputs that are sent.")]
Bounds = Annotated[
    list[str] | None,
    _option("--bound", metavar="BOUND", help="'bytes:edge>cloud<=1 MB', 'share:edge>=30 %', 'link:pi-edge<=1 MB'."),
]
Rate = Annotated[str | None, _option(metavar="RATE", help="Such as '30 fps', for utilisation.")]
Order = Annotated[
    str | None, _option(metavar="any|forward", help="Whether a later part may stand nearer.", panel=_PLACEMENT)
]
Estimator = Annotated[
    str | None,
    _option(
        metavar="marginal|conditional|replay",
        help="How exit rates and accuracies are known: by formula (default), or from recorded samples.",
    ),
]
Included = Annotated[
    list[str] | None, _option("--include", metavar="NODE|TIER", help="Must run a part.", panel=_PLACEMENT)
]
Excluded = Annotated[
    list[str] | None,
    _option(
        "--exclude", metavar="NODE|TIER", help="Must run none, but may pass on what others send.", panel=_PLACEMENT
    ),
]
UseAllTiers = Annotated[
    bool | None, typer.Option("--use-all-tiers", help="Every tier must run a part.", rich_help_panel=_PLACEMENT)
]
Only = Annotated[
    str | None, _option(metavar="native|distributed", help="In one piece, or in several.", panel=_PLACEMENT)
]
Partitions = Annotated[str | None, _option(metavar="N|N-M", help="How many pieces.", panel=_PLACEMENT)]
Pins = Annotated[list[str] | None, _option("--pin", metavar="BLOCK=PLACE", help="Such as 7=edge.", panel=_PLACEMENT)]
KeepFirst = Annotated[int | None, _option(metavar="K", help="The first K blocks stay on the source.", panel=_PLACEMENT)]


def read_file(path: str | None) -> QueryFile | None:
    """Return the query that a call names, or None."""
    if path is None:
        return None
    from tiercut.optimizer.questions.query_file import load_query

    return load_query(path)


def question(kind: Kind, file: QueryFile | None, flags: dict[str, Any]) -> Query:
    """Return the question that flags ask on top of a file.

    Parameters
    ----------
    kind
        What sort of answer is wanted.
    file
        What stands below the flags, or None.
    flags
        Keywords of `tiercut.optimizer.questions.keywords.Asked`; pins and `over` still as text.
    """
    from tiercut.optimizer.questions.keywords import make_query, merged

    over = [name.strip() for name in flags["over"].split(",")] if flags.get("over") is not None else None
    asked = cast("Asked", flags | {"pin": _pins(flags["pin"]), "over": over})
    if file is not None:
        asked = merged(file.asked, asked)
    return make_query(kind, asked, _flag)


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-").removesuffix("s" if key == "bounds" else "")


def _pins(given: Sequence[str] | None) -> dict[int, str] | None:
    made: dict[int, str] = {}
    for text in given or ():
        block, equals, place = text.partition("=")
        if not equals or not block.strip().isdecimal() or not place.strip():
            raise QuestionError(f"--pin is written BLOCK=PLACE, such as 7=edge, not '{text}'")
        made[int(block)] = place.strip()
    return made or None
