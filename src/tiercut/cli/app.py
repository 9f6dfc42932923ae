"""All commands by name."""

import typer

from tiercut import __version__
from tiercut.cli import (
    cutting,
    explaining,
    importing,
    inspecting,
    linking,
    merging,
    questions,
    recording,
    replaying,
    training,
)

app = typer.Typer(
    name="tiercut",
    help="Where to cut a deep neural network, where samples may leave it early, and which machine runs each piece.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tiercut {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


app.command("solve", help="Find the best plan.")(questions.command("solve"))
app.command("rank", help="List the best plans in order.")(questions.command("rank"))
app.command("frontier", help="List the plans that no other beats in both latency and accuracy.")(
    questions.command("frontier")
)
app.command("explain", help="Show a plan's latency as the sum that it is.")(explaining.explain)
app.command("replay", help="Send every recorded sample through a plan.")(replaying.replay)
app.command("show", help="Print and plot a topology or a profile.")(inspecting.show)
app.command("schema", help="Print the JSON Schema of a file format, for editors.")(inspecting.schema)
app.command("blocks", help="List the blocks of a model: the pieces that may not be cut.")(cutting.blocks)
app.command("listen", help="Answer measure-link on another machine.")(linking.listen)
app.command("measure-link", help="Measure latency and bandwidth to a machine that runs listen.")(linking.measure_link)
app.command("profile", help="Time networks on this machine and record them.")(recording.profile)
app.command("train", help="Give a network exits, train it, and write it for profile.")(training.train)
app.command("merge", help="Put the devices of several profiles of one model into one.")(merging.merge)
app.add_typer(importing.app, name="import")
