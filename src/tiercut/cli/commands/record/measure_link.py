"""``tiercut measure-link``: what a link between two machines can do."""

import json as writer
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiercut.cli import arguments as given
from tiercut.cli.commands.record.listen import PORT, Port
from tiercut.cli.console import console, note
from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from tiercut.profiling import LinkFigures, Spread

__all__ = ["measure_link"]


def measure_link(
    host: Annotated[str, typer.Argument(metavar="HOST", help="Runs tiercut listen.")],
    port: Port = PORT,
    topology: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the figures into this topology; all else in it stays.")
    ] = None,
    here: Annotated[str | None, typer.Option(metavar="NODE", help="What the topology calls this machine.")] = None,
    there: Annotated[str | None, typer.Option(metavar="NODE", help="What it calls HOST.")] = None,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="To reach HOST.")] = "5 s",
    json: given.Json = False,
) -> None:
    """Measure latency and bandwidth to a machine that runs tiercut listen, both ways; it takes some ten seconds.

    Run it where the profile's devices run, at a time like that of the real work: it fills the link.
    """
    from tiercut.profiling import measure_link as measure

    timeout_s = given.quantity("--timeout", timeout, "time") or 5.0
    names = _names(topology, here, there)
    text = None if topology is None or names is None else _read(topology, *names)
    try:
        figures = measure(host, port, timeout_s=timeout_s, progress=lambda what: note(f"measuring {what} ..."))
    except KeyboardInterrupt:
        note("interrupted; nothing is written")
        raise
    if json:
        typer.echo(writer.dumps({"host": host, **figures.to_data()}, indent=1))
    else:
        console().print(_table(host, figures))
    if topology is not None and names is not None and text is not None:
        _write(topology, text, names, figures)


def _names(topology: Path | None, here: str | None, there: str | None) -> tuple[str, str] | None:
    if topology is None and here is None and there is None:
        return None
    if topology is None or here is None or there is None or here == there:
        raise QuestionError("--topology, --here and --there belong together: a file, and two different nodes in it")
    return here, there


def _read(topology: Path, here: str, there: str) -> str:
    """Return the text of a topology, once it is certain that the figures can be written into it."""
    from tiercut.documents import read_text
    from tiercut.topologies import SIZE_LIMIT, with_link

    text = read_text(topology, limit=SIZE_LIMIT)
    with_link(text, str(topology), {(here, there): (1.0, 1.0), (there, here): (1.0, 1.0)})
    return text


def _write(topology: Path, text: str, names: tuple[str, str], figures: "LinkFigures") -> None:
    from tiercut.documents import write_text
    from tiercut.topologies import with_link

    here, there = names
    latency = figures.latency_s.median
    both = {(here, there): (figures.up.median, latency), (there, here): (figures.down.median, latency)}
    write_text(topology, with_link(text, str(topology), both))
    note(f"wrote the link between {here} and {there} into {topology}")


def _table(host: str, figures: "LinkFigures") -> Any:
    from tiercut import units
    from tiercut.report import SafeTable

    table = SafeTable()
    for name in ("", "median", "quartiles", "from"):
        table.add_column(name, justify="left" if not name else "right")

    def row(name: str, spread: "Spread", shown: Any, runs: str) -> None:
        low, high = spread.quartiles
        table.add_row(name, shown(spread.median), f"{shown(low)} to {shown(high)}", f"{spread.runs} {runs}")

    size = units.format_bytes
    row("latency, half of a round trip", figures.latency_s, units.format_seconds, "round trips")
    row(f"bandwidth to {host}", figures.up, units.format_bandwidth, f"x {size(figures.up_bytes)}")
    row(f"bandwidth from {host}", figures.down, units.format_bandwidth, f"x {size(figures.down_bytes)}")
    return table
