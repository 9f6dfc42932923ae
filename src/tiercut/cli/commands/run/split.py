"""``tiercut split``: a plan as bundles, one for each partition."""

from __future__ import annotations

import json as writer
from pathlib import Path
from typing import Annotated

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import note
from tiercut.cli.groups import grouped
from tiercut.cli.planned import AnswerFile, Network, NetworkOnnx, OtherProfile, OtherTopology, Rank, network_of, plan_of

__all__ = ["split"]


@grouped
def split(
    answer: AnswerFile,
    model: Network,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write bundles into.")],
    *,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="For every node the whole network, of which agents run what they are told."),
    ] = False,
    rank: Rank = 1,
    topology: OtherTopology = None,
    profile: OtherProfile = None,
    onnx: NetworkOnnx,
    input_size: given.InputSize = None,
    weights: given.Weights = None,
    trust_model: given.TrustModel = False,
    json: given.Json = False,
) -> None:
    """Write a bundle for each partition of a plan: its pieces, its exits and thresholds, and hashes of all.

    With --whole each node of the topology gets the whole network of an ONNX file, for plans that change while they run.

    The pieces together are held against the uncut network before anything is kept. tiercut agent runs a bundle. Beside
    the bundles stands what Docker Compose, Kubernetes, Triton and KServe take to serve them, and measure.py, which
    holds a deployment against the plan's prediction.
    """
    from tiercut.offloader import check_beside, split_plan, split_whole, write_deployment

    if not whole:
        check_beside(output)
    plan, where, found = plan_of(answer, rank, topology, profile)
    cut = network_of(model, plan, found, onnx, input_size=input_size, weights=weights, trust=trust_model)
    if whole:
        made_whole = split_whole(plan, cut, where.node_names, output)
        _tell_of_whole(*made_whole, json=json)
        return
    made = split_plan(plan, cut, output)
    beside = write_deployment(plan, made, where, found)
    if json:
        folders = [str(each) for each in made.folders]
        typer.echo(
            writer.dumps(
                {"bundles": folders, "beside": [str(each) for each in beside], "largest_difference": made.furthest},
                indent=1,
            )
        )
        return
    for folder, bundle in zip(made.folders, made.bundles, strict=True):
        first, last = bundle.blocks
        exits = ", ".join(str(piece.exit) for piece in bundle.pieces if piece.exit is not None)
        size = sum(file.bytes for piece in bundle.pieces for file in piece.files.values())
        more = (f", exits {exits}" if exits else "") + (f", sends {bundle.codec}" if bundle.codec else "")
        typer.echo(f"{folder}: blocks {first}-{last}{more}, {size / 1e3:.4g} kB")
    typer.echo(f"beside them: {', '.join(each.name for each in beside)}")
    note(f"the pieces answer as the uncut network does, to {made.furthest:.1g} of the largest number")


def _tell_of_whole(folders: tuple[Path, ...], furthest: float, *, json: bool) -> None:
    if json:
        typer.echo(writer.dumps({"bundles": [str(each) for each in folders], "largest_difference": furthest}, indent=1))
        return
    for folder in folders:
        size = sum(file.stat().st_size for file in folder.iterdir())
        typer.echo(f"{folder}: the whole network, {size / 1e3:.4g} kB")
    note(f"its pieces answer as the uncut network does, to {furthest:.1g} of the largest number")
