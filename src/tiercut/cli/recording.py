"""``tiercut profile``: measure a network."""

from pathlib import Path
from typing import Annotated

import typer

from tiercut.cli.console import note, progress

__all__ = ["profile"]


def profile(
    model: Annotated[str, typer.Argument(help="A backbone with exits: resnet20.")] = "resnet20",
    dataset: Annotated[str, typer.Option(help="What to train and measure it on.")] = "digits32",
    output: Annotated[Path, typer.Option(metavar="PATH", help="The profile, or the folder to write it into.")] = Path(
        "out"
    ),
    device: Annotated[str, typer.Option(help="What to call this machine.")] = "local",
    epochs: Annotated[int, typer.Option(min=1, help="Of joint training.")] = 40,
    runs: Annotated[int, typer.Option(min=1, help="Most timed runs of each piece.")] = 1000,
    thresholds: Annotated[int, typer.Option(min=1, help="How many, evenly between 0 and 1.")] = 20,
    threads: Annotated[int | None, typer.Option(min=1, help="To compute with.", show_default="all")] = None,
    seed: Annotated[int, typer.Option(help="Of splits, weights and order.")] = 0,
) -> None:
    """Build a network with early exits, train it, record what its exits do, and time its pieces on this machine.

    Needs the extra 'profiling' (TensorFlow). Training that was interrupted goes on where it stopped.
    """
    from tiercut.profiling.profiler import profile_backbone

    with progress("profiling") as report:
        made = profile_backbone(
            model,
            dataset,
            output=output,
            device=device,
            epochs=epochs,
            seed=seed,
            runs=runs,
            thresholds=thresholds,
            threads=threads,
            progress=(lambda _, done, total: report(done, total)) if report else (lambda *_: None),
        )
    note(f"recorded {made.name}: {output}")
