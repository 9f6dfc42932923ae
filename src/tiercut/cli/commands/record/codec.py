"""``tiercut codec``: the transfer layer as a part of a Keras model: put in, retrained, and split at it."""

from __future__ import annotations

import json as writer
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import at_work, console, note
from tiercut.errors import QuestionError
from tiercut.stages import Stage

if TYPE_CHECKING:
    from tiercut.profiling import Epoch, Retrained

__all__ = ["app"]

app = typer.Typer(
    help="Put a transfer layer into a Keras model, retrain it, and split it there.",
    no_args_is_help=True,
    add_completion=False,
)

Threads = Annotated[int | None, typer.Option(min=1, help="To compute with.", show_default="all")]
WithLayer = Annotated[str, typer.Argument(metavar="FILE.keras", help="What tiercut codec insert or train wrote.")]


@app.command("insert")
def insert(
    model: given.Model,
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="Behind which, by its name in tiercut blocks.")],
    output: Annotated[Path, typer.Argument(metavar="FILE.keras", help="The file to write.")],
    input_size: given.InputSize = None,
    weights: given.Weights = None,
    trust_model: given.TrustModel = False,
    threads: Threads = None,
) -> None:
    """Put a transfer layer into a model: 2x2 max pooling, and back to the size of before by nearest neighbours.

    A network with exits keeps them; its layer stands where one of its blocks ends. Needs the extra 'profiling'.
    """
    from tiercut.documents import check_writable
    from tiercut.profiling import (
        has_exits,
        insert_among_exits,
        insert_transfer_layer,
        load_exits,
        load_keras,
        save_exits,
        start_for,
    )

    _check_keras(output)
    check_writable(output)
    start_for(model, threads=threads)
    if has_exits(model):
        if input_size is not None or weights is not None:
            raise QuestionError(f"'{model}' has been trained: it keeps its input size and its weights")
        exits, record = load_exits(model, trust=trust_model)
        there = insert_among_exits(exits, layer)
        told = {"cuts": [block.name for block in there.blocks], "accuracy_separate": None, "temperature": None}
        save_exits(there, record.model_copy(update=told), output)
    else:
        _, found = load_keras(model, size=given.axis_sizes(input_size), weights=weights, trust=trust_model)
        insert_transfer_layer(found, layer).save(output)
    note(f"a transfer layer stands behind '{layer}': {output}")


@app.command("train")
def train(
    model: WithLayer,
    output: Annotated[Path, typer.Option(metavar="FILE.keras", help="The file to write.")],
    dataset: Annotated[
        str | None,
        typer.Option(
            help="What to train and measure on, as tiercut train takes it.",
            show_default="what a network with exits was trained on",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training split.")] = 10,
    batch: Annotated[int, typer.Option(min=1, help="Samples per step.")] = 32,
    learning_rate: Annotated[float, typer.Option(help="Of the gradient descent.")] = 0.001,
    momentum: Annotated[float, typer.Option(min=0.0, max=0.999, help="Of the gradient descent.")] = 0.0,
    seed: Annotated[
        int, typer.Option(help="Of the order of samples, and of splits where the network has none of its own.")
    ] = 0,
    trust_model: given.TrustModel = False,
    threads: Threads = None,
    json: given.Json = False,
) -> None:
    """Retrain a model with a transfer layer as a whole, and say what it is right about before and after.

    Of a network with exits all branches are trained together, on the split of before, and each is held against what
    it was. An interrupted training goes on after its last whole epoch when it is asked for again. Needs the extra
    'profiling'.
    """
    from tiercut.documents import check_writable
    from tiercut.profiling import (
        Schedule,
        data_of,
        has_exits,
        load_dataset,
        load_exits,
        load_keras,
        retrain_transfer_exits,
        retrain_transfer_model,
        start_for,
    )

    _check_keras(output)
    check_writable(output)
    schedule = Schedule(epochs=epochs, batch=batch, learning_rate=learning_rate, shift=0, seed=seed)
    branched = has_exits(model)
    if dataset is None and not branched:
        raise QuestionError(f"'{model}' does not say what it was trained on; name a data set with --dataset")
    start_for(model, threads=threads)
    with at_work("training") as show:

        def ended(epoch: Epoch) -> None:
            note(str(epoch))
            show(Stage("training", epoch.done, epoch.most))

        if branched:
            exits, record = load_exits(model, trust=trust_model)
            data = data_of(exits, record, dataset, model)
            made = retrain_transfer_exits(exits, record, data, schedule, output, momentum=momentum, progress=ended)
        else:
            _, found = load_keras(model, trust=trust_model)
            data = load_dataset(dataset or "", seed=seed)
            made = retrain_transfer_model(found, data, schedule, output, momentum=momentum, progress=ended)
    if json:
        typer.echo(writer.dumps(made.to_data(), indent=1))
        return
    _print(made)
    note(f"retrained in {made.seconds:.0f} s: {output}")


@app.command("split")
def split(
    model: WithLayer,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write into.")],
    trust_model: given.TrustModel = False,
    threads: Threads = None,
) -> None:
    """Split a model between the halves of its transfer layer: device.keras and edge.keras.

    Files for ONNX Runtime stand beside them where tf2onnx is installed. Needs the extra 'profiling'.
    """
    from tiercut.profiling import has_exits, load_exits, load_keras, split_transfer_model, start_for

    start_for(model, threads=threads)
    if has_exits(model):
        found, _ = load_exits(model, trust=trust_model)
    else:
        _, found = load_keras(model, trust=trust_model)
    device, edge = split_transfer_model(found, output)
    for name, piece in (("device", device), ("edge", edge)):
        made = ", ".join(f"{each.dtype} {list(each.shape)}" for each in piece.outputs)
        typer.echo(f"{name}: {', '.join(map(str, piece.files.values()))}, makes {made}")


def _check_keras(output: Path) -> None:
    if output.suffix != ".keras":
        raise QuestionError(f"the file to write ends with .keras, not '{output}'")


def _print(made: Retrained) -> None:
    from tiercut.report import Column, Rows, table_from

    stages = ("without the layer", "with it", "retrained")
    title = f"right about {made.samples} test samples"
    if made.exits:
        title += ", with their likeliest class"
        columns = (Column("exit after", "left"), *(Column(each) for each in stages))
        rows = [(each.block, each.before, each.inserted, each.retrained) for each in made.exits]
        cells = tuple((name, *(f"{hits.top1:.2%}" for hits in found)) for name, *found in rows)
        console().print(table_from(Rows(title, columns, cells)))
        return
    found = zip(stages, (made.before, made.inserted, made.retrained), strict=True)
    cells = tuple((name, f"{hits.top1:.2%}", "-" if hits.top5 is None else f"{hits.top5:.2%}") for name, hits in found)
    console().print(table_from(Rows(title, (Column("", "left"), Column("top-1"), Column("top-5")), cells)))
