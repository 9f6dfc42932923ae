"""Arguments that several commands share, and how their text is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import typer

from tiercut import units
from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from tiercut.profiling.profile.schema import Profile
    from tiercut.topologies.schema import Topology

__all__ = [
    "Accuracies",
    "Bandwidths",
    "Destination",
    "Excluded",
    "Forwarding",
    "InputBytes",
    "InputSize",
    "Json",
    "Latencies",
    "Model",
    "OnePer",
    "Plot",
    "ProfileFile",
    "ResultBytes",
    "Slowdowns",
    "Source",
    "TopologyFile",
    "TrustModel",
    "image_size",
    "inputs",
    "quantity",
]

_CONDITIONS = "Conditions, in place of what the files say"

TopologyFile = Annotated[
    str, typer.Argument(metavar="TOPOLOGY", help="A YAML file, or a ready-made one such as mobile.")
]
ProfileFile = Annotated[
    str, typer.Argument(metavar="PROFILE", help="A JSON file, or a recorded one: resnet20-digits32.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def _drawable(path: Path | None) -> Path | None:
    """Refuse a picture of an unknown format before anything is solved."""
    if path is not None:
        from tiercut.report.save import check_ending

        check_ending(path)
    return path


Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Draw it: png, svg, pdf or html by the ending.", callback=_drawable),
]
Source = Annotated[
    str | None, typer.Option(metavar="NODE", help="Where the input is born.", rich_help_panel=_CONDITIONS)
]
Destination = Annotated[
    str | None,
    typer.Option(metavar="NODE", help="Who wants the result; anywhere: nobody far away.", rich_help_panel=_CONDITIONS),
]
Bandwidths = Annotated[
    list[str] | None,
    typer.Option(
        "--bandwidth", metavar="LINK=RATE", help="a-b='1 Mb/s' both ways, a>b one way.", rich_help_panel=_CONDITIONS
    ),
]
Latencies = Annotated[
    list[str] | None,
    typer.Option("--latency", metavar="LINK=TIME", help="Such as a-b='20 ms'.", rich_help_panel=_CONDITIONS),
]
Slowdowns = Annotated[
    list[str] | None,
    typer.Option("--slowdown", metavar="NODE=FACTOR", help="Such as phone=20.", rich_help_panel=_CONDITIONS),
]
Excluded = Annotated[
    list[str] | None,
    typer.Option("--without", metavar="NODE", help="As if the node were not there.", rich_help_panel=_CONDITIONS),
]
Forwarding = Annotated[
    str | None,
    typer.Option(metavar="store|cut-through", help="How payloads are passed on.", rich_help_panel=_CONDITIONS),
]
OnePer = Annotated[
    str | None,
    typer.Option(
        "--one-partition-per", metavar="node|tier", help="What is used at most once.", rich_help_panel=_CONDITIONS
    ),
]
Accuracies = Annotated[
    str | None,
    typer.Option(
        metavar="joint|separate",
        help="Of branches in the network recorded, or each trained alone.",
        rich_help_panel=_CONDITIONS,
    ),
]
InputBytes = Annotated[
    str | None, typer.Option("--input", metavar="SIZE", help="Such as '170 KB'.", rich_help_panel=_CONDITIONS)
]
ResultBytes = Annotated[
    str | None, typer.Option("--result", metavar="SIZE", help="Bytes of a prediction.", rich_help_panel=_CONDITIONS)
]
Model = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A name of Keras Applications, a .keras file, or module:function."),
]
InputSize = Annotated[
    str | None, typer.Option("--input-size", metavar="HEIGHTxWIDTH", help="Of images; by default the model's own.")
]
TrustModel = Annotated[
    bool, typer.Option("--trust-model", help="Let a .keras file run code of its own (Lambda layers).")
]

T = TypeVar("T")
Conditions: TypeAlias = "Callable[[Topology, Profile], tuple[Topology, Profile]]"


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


def image_size(text: str | None) -> tuple[int, int] | None:
    """Return height and width from text such as ``224`` or ``160x224``.

    Raises
    ------
    QuestionError
        If it is no such text.
    """
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise QuestionError(f"--input-size is written 224 or HEIGHTxWIDTH, not '{text}'")
    return int(sides[0]), int(sides[-1])


def inputs(
    topology: str,
    profile: str,
    *,
    below: Conditions | None = None,
    source: str | None = None,
    destination: str | None = None,
    bandwidth: Sequence[str] | None = None,
    latency: Sequence[str] | None = None,
    slowdown: Sequence[str] | None = None,
    without: Sequence[str] | None = None,
    forwarding: str | None = None,
    one_per: str | None = None,
    accuracies: str | None = None,
    input_bytes: str | None = None,
    result_bytes: str | None = None,
) -> tuple[Topology, Profile]:
    """Load a topology and a profile under the conditions that the call names, on top of those of a query file."""
    from tiercut.profiling.profile.files import load_profile
    from tiercut.topologies.loader import load_topology

    changes = {
        "source": source,
        "destination": destination,
        "bandwidth": _pairs("--bandwidth", bandwidth, lambda text: units.parse(text, "bandwidth", positive=True)),
        "latency": _pairs("--latency", latency, lambda text: units.parse(text, "time")),
        "slowdown": _pairs("--slowdown", slowdown, _factor),
        "exclude": tuple(without or ()),
        "forwarding": _one_of("--forwarding", forwarding, ("store", "cut-through")),
        "one_partition_per": _one_of("--one-partition-per", one_per, ("node", "tier")),
    }
    loaded, measured = load_topology(topology), load_profile(profile)
    if below is not None:
        loaded, measured = below(loaded, measured)
    if any(changes.values()):
        loaded = loaded.with_changes(**{key: value for key, value in changes.items() if value})  # type: ignore[arg-type]
    if _one_of("--accuracies", accuracies, ("joint", "separate")) == "separate":
        measured = measured.with_separate_accuracies()
    sizes = {
        "input_bytes": quantity("--input", input_bytes, "size"),
        "result_bytes": quantity("--result", result_bytes, "size"),
    }
    return loaded, measured.model_copy(update={key: size for key, size in sizes.items() if size is not None})


def _one_of(option: str, text: str | None, known: tuple[str, ...]) -> str | None:
    if text is not None and text not in known:
        raise QuestionError(f"{option} is {' or '.join(known)}, not '{text}'")
    return text


def _pairs(option: str, given: Sequence[str] | None, read: Callable[[str], T]) -> dict[str, T]:
    made = {}
    for text in given or ():
        name, equals, value = text.rpartition("=")
        if not equals:
            raise QuestionError(f"{option} is written NAME=VALUE, not '{text}'")
        try:
            made[name.strip()] = read(value)
        except ValueError as error:
            raise QuestionError(f"{option} {name}: {error}") from None
    return made


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        raise ValueError(f"expected a factor such as 2.5, got '{text}'") from None
    if not 0 < factor < float("inf"):
        raise ValueError(f"a slowdown must be greater than 0 and finite, got '{text}'")
    return factor
