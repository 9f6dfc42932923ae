"""``tiercut export``: a Keras model as an ONNX file, or a plan as ONNX Runtime and Olive read it."""

from __future__ import annotations

import json as writer
from pathlib import Path
from typing import Annotated

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import note
from tiercut.cli.groups import Shown, grouped
from tiercut.errors import QuestionError
from tiercut.option_fields import pairs
from tiercut.profiling import OnnxOptions

__all__ = ["export"]

_PLAN = "A plan of an ONNX file"


@grouped
def export(
    model: given.Model,
    output: Annotated[Path, typer.Argument(metavar="FILE.onnx", help="The file to write.")],
    onnx: Annotated[OnnxOptions, Shown(leave_out=("provider", "data", "exits"))],
    input_size: given.InputSize = None,
    weights: given.Weights = None,
    trust_model: given.TrustModel = False,
    plan: Annotated[
        Path | None, typer.Option(metavar="ANSWER.json", help="Mark each node's partition.", rich_help_panel=_PLAN)
    ] = None,
    rank: Annotated[int, typer.Option(min=1, help="Which of the answer's plans.", rich_help_panel=_PLAN)] = 1,
    runs: Annotated[
        list[str] | None,
        typer.Option(metavar="NODE=cpu|cuda|...", help="Device of a node; by default cpu.", rich_help_panel=_PLAN),
    ] = None,
) -> None:
    """Write a Keras model as an ONNX file, and check that it answers alike; of a network with exits each is an output.

    With --plan an ONNX file is written with the partition of each node, as ONNX Runtime's layer assignment and Olive's
    pass SplitModel read it, and the settings that they take are printed.

    Needs the extra 'onnx', and 'keras-onnx' for Keras models.
    """
    from tiercut.profiling import is_onnx

    if not is_onnx(output.name):
        raise QuestionError(f"the file to write ends with .onnx, not '{output}'")
    if plan is not None:
        _plan(model, output, onnx, plan, rank, pairs("--runs", runs or ()))
        return
    if is_onnx(model):
        raise QuestionError(f"'{model}' is an ONNX file already; with --plan ANSWER.json its partitions are marked")
    if onnx.given or runs:
        raise QuestionError(f"{', '.join([*onnx.given, *(['--runs'] if runs else [])])}: these belong to --plan")
    _model(model, output, given.axis_sizes(input_size), weights, trust_model)


def _model(model: str, output: Path, size: tuple[int, ...] | None, weights: str | None, trust: bool) -> None:
    from tiercut.profiling import export_keras, has_exits, load_exits, load_keras, start_framework

    start_framework()
    if not has_exits(model):
        _, found = load_keras(model, size=size, weights=weights, trust=trust)
        export_keras(found, output)
        note(f"{output}: written, and answers as the model does")
        return
    if size is not None or weights is not None:
        raise QuestionError(f"'{model}' has exits and keeps its size and weights: leave --input-size and --weights out")
    exits, _ = load_exits(model, trust=trust)
    names = ",".join(branch.name for branch in exits.branches if branch is not None)
    export_keras(exits.model, output, outputs=names.split(","))
    note(f"{output}: exits {names}; tiercut profile {output} --exits {names} --data FILE.npz")


def _plan(model: str, output: Path, onnx: OnnxOptions, plan: Path, rank: int, runs: dict[str, str]) -> None:
    from tiercut import load_plans
    from tiercut.errors import unknown_name
    from tiercut.profiling import LAYER_SETTING, annotate_file, is_onnx, start_for

    if not is_onnx(model):
        raise QuestionError(f"--plan marks the partitions of an .onnx file, which '{model}' is not")
    plans = load_plans(plan)
    if rank > len(plans):
        raise QuestionError(f"there is no plan {rank} in {plan}, which has {len(plans)}")
    chosen = plans[rank - 1]
    for name in runs:
        if name not in chosen.placement:
            raise QuestionError(f"--runs: {unknown_name('node of the plan', name, chosen.placement)}")
    start_for(model)
    devices = [runs.get(node, "cpu") for node in chosen.placement]
    found = annotate_file(model, output, chosen.partition, devices, onnx)
    typer.echo(writer.dumps({LAYER_SETTING: found.layers, "split_assignments": found.splits}, indent=2))
    note(f"{output}: {len(chosen.partition)} partitions on {', '.join(chosen.placement)}")
