"""``tiercut deploy``: from a network and a data set to a plan at work, in one call that can be taken up again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tiercut import documents, units
from tiercut.cli import arguments as given
from tiercut.cli.console import note
from tiercut.cli.steps import Step, run_steps
from tiercut.errors import InputError, QuestionError
from tiercut.optimizer import QuestionOptions
from tiercut.option_fields import flags_of

__all__ = ["deploy"]


def deploy(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Such as resnet20; a .keras file; module:function.")],
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Such as digits32, cifar10; a .npz file; a folder of images.")
    ],
    topology: given.TopologyFile,
    min_accuracy: Annotated[
        str, typer.Option(metavar="SHARE", help="At least, such as 0.92 or '92 %'.")
    ] = "99 % of final",
    max_latency: Annotated[str | None, typer.Option(metavar="TIME", help="At most, such as '80 ms'.")] = None,
    use_all_tiers: Annotated[
        bool, typer.Option("--use-all-tiers", help="Only plans with a part on every tier.")
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where all that is made is kept.")
    ] = Path("deployed"),
    branches: Annotated[str, typer.Option(metavar="all|auto|1,3,5", help="Blocks that get an exit.")] = "all",
    epochs: Annotated[int, typer.Option(min=1, help="Of training.")] = 40,
    limit: Annotated[
        str | None, typer.Option(metavar="TIME", help="Of timing the network.", show_default="30 s")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Of the run that checks the plan.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of splits, weights and order.")] = 0,
    json_: given.Json = False,
) -> None:
    """Give a network exits, train, record, solve, split, and run the plan on this machine as a check.

    Each step is a command of its own, which is shown; what was done before is left out, by hashes of what goes in and
    comes out, so that the same call goes on after an interruption. A .keras file of tiercut train is taken as it is.

    Needs the extras 'profiling' and 'offload'.
    """
    _check_question(topology, min_accuracy, max_latency, use_all_tiers)
    steps = _steps(
        model, dataset, topology, output,
        _question(min_accuracy, max_latency, use_all_tiers), ("--limit", limit) if limit else (),
        branches=branches, epochs=epochs, frames=frames, seed=seed,
    )  # fmt: skip
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(str(output), f"cannot be made a folder: {error.strerror or error}") from None
    status = run_steps(steps, output, note)
    if status:
        note("the same call goes on with this step")
        sys.exit(status)
    ran = json.loads(documents.read_text(output / "run.json", limit=1 << 28))
    typer.echo(json.dumps(_summary(ran, output), indent=1) if json_ else "\n".join(_lines(ran, output)))
    if ran["same_as_uncut"] != ran["frames"]:
        note("not every frame was answered as by the uncut network: look at run.json before this goes anywhere")
        sys.exit(1)


def _check_question(topology: str, min_accuracy: str, max_latency: str | None, use_all_tiers: bool) -> None:
    """Refuse what the solver would refuse, before a network is trained for it."""
    from tiercut.optimizer import make_query
    from tiercut.topologies import load_topology

    load_topology(topology)
    asked = QuestionOptions(min_accuracy=min_accuracy, max_latency=max_latency, use_all_tiers=use_all_tiers or None)
    make_query("solve", asked, flags_of(QuestionOptions))


def _question(min_accuracy: str, max_latency: str | None, use_all_tiers: bool) -> tuple[str, ...]:
    options = {"--min-accuracy": min_accuracy, "--max-latency": max_latency}
    said = [word for name, value in options.items() if value is not None for word in (name, value)]
    return (*said, *(["--use-all-tiers"] if use_all_tiers else []))


def _steps(
    model: str,
    dataset: str,
    topology: str,
    folder: Path,
    question: tuple[str, ...],
    timing: tuple[str, ...],
    *,
    branches: str,
    epochs: int,
    frames: int,
    seed: int,
) -> list[Step]:
    """Return the commands, in order, with what they read and write.

    Raises
    ------
    QuestionError
        If the network is an ONNX file, which has its exits or has none.
    """
    from tiercut.profiling import has_exits, is_onnx, sample_files

    if is_onnx(model):
        raise QuestionError(
            f"'{model}' cannot be given exits here; call tiercut profile (with --exits and --data), solve, split and "
            "run for an ONNX file"
        )
    network, profile, plan = folder / "network.keras", folder / "profile.json", folder / "plan.json"
    bundles, run, picture = folder / "bundles", folder / "run.json", folder / "run.svg"
    steps = []
    if model.endswith(".keras") and Path(model).is_file() and has_exits(model):
        network = Path(model)
    else:
        how = ("--branches", branches, "--epochs", str(epochs), "--seed", str(seed))
        steps.append(
            Step(
                "train",
                ("train", model, "--dataset", dataset, "--output", str(network), *how),
                (model, dataset),
                (network,),
            )
        )
    data = ("--data", dataset, "--local", "--retime", "--frames", str(frames), "--plot", str(picture), "--json")
    return [
        *steps,
        Step(
            "record",
            ("profile", str(network), "--dataset", dataset, "--output", str(profile), *timing),
            (str(network), dataset),
            (profile, *sample_files(profile).values()),
        ),
        Step("solve", ("solve", topology, str(profile), *question, "--json"), (topology, str(profile)), (plan,), plan),
        Step("split", ("split", str(plan), str(network), str(bundles)), (str(plan), str(network)), (bundles,)),
        Step(
            "run",
            ("run", str(plan), str(network), *data),
            (str(plan), str(network), dataset),
            (run, picture),
            run,
        ),
    ]


def _summary(ran: dict[str, Any], folder: Path) -> dict[str, Any]:
    names = {name: str(folder / name) for name in ("profile.json", "plan.json", "bundles", "run.json", "run.svg")}
    kept = ("frames", "answered", "same_as_uncut", "measured", "predicted")
    return {"format": "tiercut.deployed/1", **{name: ran[name] for name in kept}, "made": names}


def _lines(ran: dict[str, Any], folder: Path) -> list[str]:
    """Return what became of it, for people."""
    lines = [f"{ran['answered']} of {ran['frames']} frames answered, {ran['same_as_uncut']} as the uncut network does"]
    said = {key: ran[key]["latency_s"]["mean"] for key in ("predicted", "measured")}
    told = ", ".join(f"{units.format_seconds(value)} {key}" for key, value in said.items() if value is not None)
    lines.append(f"mean latency: {told}")
    shares = {key: ran[key]["accuracy"] for key in ("predicted", "measured")}
    if None not in shares.values():
        lines.append("accuracy: " + ", ".join(f"{value:.2%} {key}" for key, value in shares.items()))
    lines.append(f"the plan is in {folder / 'plan.json'}, its bundles and how to serve them in {folder / 'bundles'}")
    return lines
