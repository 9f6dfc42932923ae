"""``tiercut explain``: the latency of a plan as a sum."""

from pathlib import Path
from typing import Annotated

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import console, note
from tiercut.errors import QuestionError

__all__ = ["explain"]


def explain(
    topology: given.TopologyFile,
    profile: given.ProfileFile,
    plan: Annotated[
        Path | None, typer.Argument(metavar="[PLAN]", help="An answer, as solve --json prints it.", show_default=False)
    ] = None,
    rank: Annotated[int, typer.Option(help="Which plan of the answer.")] = 1,
    partition: Annotated[str | None, typer.Option(metavar="3,9,10", help="Last block of each partition.")] = None,
    placement: Annotated[str | None, typer.Option(metavar="a,b,c", help="Node of each partition.")] = None,
    threshold: Annotated[float | None, typer.Option(help="One of the profile's thresholds.")] = None,
    thresholds: Annotated[
        str | None, typer.Option(metavar="0.3,0.5", help="One for every exit but the last, in place of --threshold.")
    ] = None,
    exits: Annotated[
        str | None, typer.Option(metavar="3,10", help="Blocks where samples may leave; default: every cut.")
    ] = None,
    codecs: Annotated[
        str | None, typer.Option(metavar="NAME,none", help="Codec at each cut; default: none anywhere.")
    ] = None,
    source: given.Source = None,
    destination: given.Destination = None,
    bandwidth: given.Bandwidths = None,
    latency: given.Latencies = None,
    slowdown: given.Slowdowns = None,
    forwarding: given.Forwarding = None,
    input_bytes: given.InputBytes = None,
    result_bytes: given.ResultBytes = None,
    plot: given.Plot = None,
    json: given.Json = False,
) -> None:
    """Show a plan's latency as the sum that it is.

    Give an answer file, or a plan of your own by --partition and --placement; with neither, the quickest plan is
    explained.
    """
    from tiercut.api import plan as price_plan
    from tiercut.api import solve
    from tiercut.optimizer.answer_file import load_decision
    from tiercut.optimizer.build import build_problem
    from tiercut.optimizer.explain import explain_plan
    from tiercut.optimizer.pricing import price

    if (partition is None) != (placement is None):
        raise QuestionError("--partition and --placement go together: the last block and the node of each partition")
    if partition is not None and plan is not None:
        raise QuestionError("give an answer file or --partition with --placement, not both")
    loaded = given.inputs(
        topology,
        profile,
        source=source,
        destination=destination,
        bandwidth=bandwidth,
        latency=latency,
        slowdown=slowdown,
        forwarding=forwarding,
        input_bytes=input_bytes,
        result_bytes=result_bytes,
    )
    if partition is None and any(each is not None for each in (threshold, thresholds, exits, codecs)):
        raise QuestionError("--threshold, --thresholds, --exits and --codecs tell of a plan given by --partition")
    if plan is not None:
        problem = build_problem(*loaded)
        priced = price(problem, load_decision(problem, plan, rank))
    elif partition is not None and placement is not None:
        nodes = [name.strip() for name in placement.split(",")]
        priced = price_plan(
            *loaded,
            partition=_blocks("--partition", partition),
            placement=nodes,
            threshold=threshold,
            exits=None if exits is None else _blocks("--exits", exits),
            thresholds=None if thresholds is None else _thresholds(thresholds),
            codecs=None if codecs is None else _codecs(codecs),
        )
    else:
        priced = solve(*loaded).best
    explanation = explain_plan(priced, loaded[0].source)
    if json:
        import json as writer

        typer.echo(writer.dumps(explanation.to_data(), indent=1, allow_nan=False, ensure_ascii=False))
    else:
        from tiercut.optimizer.report import waterfall_table

        console().print(waterfall_table(explanation))
    if plot is not None:
        from tiercut.optimizer.plots import save_waterfall

        save_waterfall(explanation, plot)
        note(f"drew {plot}")


def _blocks(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise QuestionError(f"{option} is a list of block numbers such as 3,9,10, not '{text}'") from None


def _thresholds(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")] if text.strip() else []
    except ValueError:
        raise QuestionError(f"--thresholds is a list of numbers such as 0.3,0.5, not '{text}'") from None


def _codecs(text: str) -> list[str | None]:
    names = [part.strip() for part in text.split(",")] if text.strip() else []
    return [None if name == "none" else name for name in names]
