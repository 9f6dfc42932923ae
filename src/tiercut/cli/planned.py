"""What the commands that put a plan to work share: the plan of an answer, and the network that it cuts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiercut.cli import arguments as given
from tiercut.cli.groups import Shown
from tiercut.profiling import OnnxOptions

if TYPE_CHECKING:
    from tiercut.optimizer import Plan
    from tiercut.profiling import CutNetwork, Profile
    from tiercut.topologies import Topology

__all__ = ["AnswerFile", "Network", "NetworkOnnx", "OtherProfile", "OtherTopology", "Rank", "network_of", "plan_of"]

AnswerFile = Annotated[Path, typer.Argument(metavar="ANSWER", help="As solve --json prints it.")]
Network = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="What was profiled: an .onnx or .keras file, or a recorded one: digits-onnx."),
]
Rank = Annotated[int, typer.Option(min=1, help="Which of the answer's plans.")]
OtherTopology = Annotated[
    str | None, typer.Option("--topology", metavar="TOPOLOGY", help="In place of the answer's.", show_default=False)
]
OtherProfile = Annotated[
    str | None, typer.Option("--profile", metavar="PROFILE", help="In place of the answer's.", show_default=False)
]


NetworkOnnx = Annotated[OnnxOptions, Shown(leave_out=("provider", "data"))]
"""How an ONNX file is taken; runtime and samples are those of the agents."""


def plan_of(answer: Path, rank: int, topology: str | None, profile: str | None) -> tuple[Plan, Topology, Profile]:
    """Return the plan of an answer, and the topology and the profile that it was made for, or others."""
    from tiercut.analysis import load_answer

    found = load_answer(answer)
    plan = found.plan(rank)
    return plan, *found.inputs(topology, profile, rank)


def network_of(
    model: str,
    plan: Plan,
    profile: Profile,
    onnx: OnnxOptions,
    *,
    input_size: str | None,
    weights: str | None,
    trust: bool,
    threads: int | None = None,
) -> CutNetwork:
    """Return the network with the blocks that a profile has of it; its framework is started.

    Of an ONNX file all outputs are taken for its exits, in order, where the plan needs exits and none are named.
    """
    from tiercut.profiling import is_onnx, onnx_outputs, open_cut, recorded_file, start_for

    name = recorded_file(model, ".onnx") or model
    start_for(name, threads=threads)
    if is_onnx(name) and onnx.exits is None and profile.exits is not None and len(outputs := onnx_outputs(name)) > 1:
        onnx = replace(onnx, exits=outputs)
    del plan
    return open_cut(
        name,
        onnx=onnx,
        size=given.axis_sizes(input_size),
        weights=weights,
        trust=trust,
        blocks=[block.name for block in profile.blocks],
    )
