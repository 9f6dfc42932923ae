"""``tiercut import links``: what iperf3 and ping measured, written into a topology."""

from pathlib import Path
from typing import Annotated

import typer

from tiercut.cli.console import note

__all__ = ["links"]


def links(
    topology: Annotated[
        Path, typer.Argument(metavar="TOPOLOGY", help="A file; all else in it stays, comments included.")
    ],
    here: Annotated[str, typer.Option(metavar="NODE", help="Where iperf3 --client and ping ran.")],
    there: Annotated[str, typer.Option(metavar="NODE", help="What they talked to.")],
    iperf3: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="From iperf3 --json; again for the other direction (-R)."),
    ] = None,
    ping: Annotated[Path | None, typer.Option(metavar="FILE", help="What ping printed.")] = None,
) -> None:
    """Write what iperf3 and ping measured between two nodes into a topology, where measure-link cannot run.

    Of iperf3 counts what arrived, of ping half of the median round trip. What was not measured stays as it is.
    """
    from tiercut import units
    from tiercut.documents import read_text, write_text
    from tiercut.errors import QuestionError
    from tiercut.profiling import Rates, read_iperf3, read_ping
    from tiercut.topologies import SIZE_LIMIT, completed, topology_from_text, with_link

    if not iperf3 and ping is None:
        raise QuestionError("give what was measured: --iperf3, --ping, or both")
    text = read_text(topology, limit=SIZE_LIMIT)
    rates = Rates()
    for file in iperf3 or ():
        found = read_iperf3(file)
        rates = Rates(found.up or rates.up, found.down or rates.down)
    latency_s = None if ping is None else read_ping(ping)
    figures = completed(
        topology_from_text(text, str(topology)),
        (here, there),
        up=rates.up,
        down=rates.down,
        latency_s=latency_s,
    )
    write_text(topology, with_link(text, str(topology), figures))
    for (start, end), (bandwidth, latency) in figures.items():
        note(f"{start} to {end}: {units.format_bandwidth(bandwidth)}, {units.format_seconds(latency)}")
    note(f"wrote the link between {here} and {there} into {topology}")
