"""``tiercut train``: give a network exits and train it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import at_work, console, note
from tiercut.errors import QuestionError
from tiercut.stages import Stage

if TYPE_CHECKING:
    from tiercut.profiling import Epoch, Shares, Trained

__all__ = ["train"]

_EXITS, _HOW, _ONE = "Its exits", "How it is trained", "One configuration"


def train(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="Such as resnet20; a .keras file; module:function."),
    ],
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Such as clutter, cifar10; a .npz file; a folder of images.",
            show_default="digits32, or what a trained network has",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option(metavar="PATH", help="The .keras file, or the folder to write it into.")
    ] = Path("out"),
    input_size: Annotated[
        str | None,
        typer.Option(
            metavar="HxW[xC]", help="What images are scaled to, such as 64x64 or 28x28x1.", show_default=False
        ),
    ] = None,
    branches: Annotated[
        str, typer.Option(metavar="all|auto|1,3,5", help="Blocks that get a branch.", rich_help_panel=_EXITS)
    ] = "all",
    loss_weights: Annotated[
        str | None,
        typer.Option(metavar="1,1,2", help="Of the branches in the loss.", show_default="1", rich_help_panel=_EXITS),
    ] = None,
    separately: Annotated[
        bool,
        typer.Option("--separately", help="Also train each branch alone, for its accuracy.", rich_help_panel=_EXITS),
    ] = False,
    temperature: Annotated[
        bool, typer.Option("--temperature", help="Calibrate each branch on samples held out.", rich_help_panel=_EXITS)
    ] = False,
    exits: Annotated[
        str | None,
        typer.Option(metavar="3,9,10", help="Train these alone, trimmed after the last.", rich_help_panel=_ONE),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take them from an answer, as solve --json prints it.", rich_help_panel=_ONE),
    ] = None,
    rank: Annotated[int, typer.Option(help="Which plan of the answer.", rich_help_panel=_ONE)] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin with new weights.", rich_help_panel=_ONE)] = False,
    epochs: Annotated[int, typer.Option(min=1, rich_help_panel=_HOW)] = 40,
    batch: Annotated[int, typer.Option(min=1, rich_help_panel=_HOW)] = 32,
    learning_rate: Annotated[float, typer.Option(help="Of Adam, at first.", rich_help_panel=_HOW)] = 2e-3,
    shift: Annotated[int, typer.Option(min=0, help="Most pixels that images are moved.", rich_help_panel=_HOW)] = 3,
    flip: Annotated[bool, typer.Option("--flip", help="Mirror half of them.", rich_help_panel=_HOW)] = False,
    freeze: Annotated[
        bool,
        typer.Option("--freeze", help="Train the branches alone; all else keeps its weights.", rich_help_panel=_HOW),
    ] = False,
    patience: Annotated[
        int, typer.Option(min=0, help="Stop after so many epochs without gain; 0: never.", rich_help_panel=_HOW)
    ] = 0,
    held_out: Annotated[
        float | None,
        typer.Option(
            help="Share of the training split to stop and calibrate by.",
            show_default="0, or 0.1 where needed",
            rich_help_panel=_HOW,
        ),
    ] = None,
    splits: Annotated[
        str | None,
        typer.Option(
            metavar="0.45,0.4,0.15",
            help="Shares to train, to profile and to test on.",
            show_default="these; clutter: 0.5,0.25,0.25",
            rich_help_panel=_HOW,
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--precision", metavar="POLICY", help="Of Keras: mixed_float16 or mixed_bfloat16.", rich_help_panel=_HOW
        ),
    ] = None,
    backend: Annotated[
        str | None, typer.Option(metavar="tensorflow|jax|torch", help="What Keras runs on.", rich_help_panel=_HOW)
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, show_default="all", rich_help_panel=_HOW)] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of splits, weights and order.", rich_help_panel=_HOW)] = 0,
    trust_model: given.TrustModel = False,
    redo: Annotated[bool, typer.Option("--redo", help="Write a network that is there already anew.")] = False,
) -> None:
    """Hang exits on a network, train it with them, and write it as one .keras file for tiercut profile.

    Trains all branches jointly; with --exits or --plan only those of one configuration, which begins with the weights
    of a network trained before. What was interrupted goes on where it stopped when it is asked for again.
    """
    from tiercut.profiling import Schedule, Training, read_branches, train_network

    schedule = Schedule(
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        shift=shift,
        flip=flip,
        held_out=held_out if held_out is not None else 0.1 * (patience > 0 or temperature),
        patience=patience,
        seed=seed,
        freeze=freeze,
    )
    training = Training(
        schedule=schedule,
        branches=read_branches(branches),
        weights=_numbers("--loss-weights", loss_weights, float),
        separately=separately,
        configuration=_configuration(exits, plan, rank),
        fresh=fresh,
        temperature=temperature,
        policy=policy,
        shares=_shares(splits),
    )
    size, channels = _size(input_size)
    with _resumable(), at_work("training") as show:

        def report(what: str, epoch: Epoch) -> None:
            note(f"{what}, {epoch}")
            show(Stage(f"training {what}", epoch.done, epoch.most))

        trained = train_network(
            model,
            dataset,
            training,
            output=output,
            size=size,
            channels=channels,
            threads=threads,
            backend=backend,
            trust=trust_model,
            redo=redo,
            report=report,
        )
    console().print(_table(trained))
    note(f"trained {trained.record.title}: {trained.path}")


@contextmanager
def _resumable() -> Iterator[None]:
    """Say how to go on when a training is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        note("interrupted; the same call goes on after the last whole epoch")
        sys.exit(130)


def _numbers(option: str, text: str | None, kind: Any) -> Any:
    if text is None:
        return None
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise QuestionError(f"{option} is written as numbers such as 1,1,2, not '{text}'") from None


def _shares(text: str | None) -> Shares | None:
    from tiercut.profiling import Shares

    numbers = _numbers("--splits", text, float)
    if numbers is None:
        return None
    if len(numbers) != len(Shares._fields):
        raise QuestionError(f"--splits is written as three shares such as 0.45,0.4,0.15, not '{text}'")
    return Shares(*numbers)


def _configuration(exits: str | None, plan: Path | None, rank: int) -> tuple[int, ...]:
    if exits is not None and plan is not None:
        raise QuestionError("give the exits of a configuration, or a plan that has them, not both")
    if plan is not None:
        from tiercut.analysis import load_answer

        return load_answer(plan).plan(rank).exits
    return tuple(_numbers("--exits", exits, int) or ())


def _size(text: str | None) -> tuple[tuple[int, int] | None, int | None]:
    if text is None:
        return None, None
    sides = text.lower().split("x")
    if len(sides) not in (2, 3) or not all(side.isdecimal() and int(side) for side in sides):
        raise QuestionError(f"--input-size is written 64x64 or 28x28x1, not '{text}'")
    return (int(sides[0]), int(sides[1])), int(sides[2]) if len(sides) == 3 else None


def _table(trained: Trained) -> Any:
    """Return a table of what each branch is right about on the profile split."""
    from tiercut.report import SafeTable

    record = trained.record
    table = SafeTable(box=None, header_style="bold", pad_edge=False)
    for name in ("block", "layer"):
        table.add_column(name, justify="right" if name == "block" else "left")
    columns = {"accuracy": trained.accuracy, "alone": record.accuracy_separate, "temperature": record.temperature}
    shown = {name: values for name, values in columns.items() if values is not None}
    for name in shown:
        table.add_column(name, justify="right")
    for place, layer in enumerate(record.cuts):
        if trained.accuracy[place] is not None:
            cells = [_cell(name, values[place]) for name, values in shown.items()]
            table.add_row(str(place + 1), layer, *cells)
    return table


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if name == "temperature" else f"{value:.2%}"
