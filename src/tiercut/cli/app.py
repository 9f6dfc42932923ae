"""All commands by name."""

import typer

from tiercut import __version__
from tiercut.cli import streams
from tiercut.cli.commands.ask import explain, frontier, rank, replay, schema, show, solve
from tiercut.cli.commands.record import blocks, export, import_, listen, measure_link, merge, profile, train
from tiercut.cli.commands.run import agent, run, split
from tiercut.cli.commands.study import simulate
from tiercut.cli.root import QUIET, RootGroup

app = typer.Typer(
    name="tiercut",
    cls=RootGroup,
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
    quiet: bool = typer.Option(
        False, QUIET, help="Print the answer alone, without warnings and notes; may also stand behind the command."
    ),
) -> None:
    del version  # where it is asked for, its callback has ended the call
    streams.hush(quiet)


app.command("solve", help="Find the best plan.")(solve.solve)
app.command("rank", help="List the best plans in order.")(rank.rank)
app.command("frontier", help="List the plans that no other beats in both latency and accuracy.")(frontier.frontier)
app.command("explain", help="Show a plan's latency as the sum that it is.")(explain.explain)
app.command("replay", help="Send every recorded sample through a plan.")(replay.replay)
app.command("simulate", help="Send a stream of frames through a plan.")(simulate.simulate)
app.command("show", help="Print and plot a topology or a profile.")(show.show)
app.command("schema", help="Print the JSON Schema of a file format, for editors.")(schema.schema)
app.command("blocks", help="List the blocks of a model: the pieces that may not be cut.")(blocks.blocks)
app.command("listen", help="Answer measure-link on another machine.")(listen.listen)
app.command("measure-link", help="Measure latency and bandwidth to a machine that runs listen.")(
    measure_link.measure_link
)
app.command("profile", help="Time networks on this machine and record them.")(profile.profile)
app.command("export", help="Write a Keras model as an ONNX file.")(export.export)
app.command("train", help="Give a network exits, train it, and write it for profile.")(train.train)
app.command("split", help="Write a plan as bundles, one for each partition.")(split.split)
app.command("agent", help="Serve a bundle by the Open Inference Protocol.")(agent.agent)
app.command("run", help="Run a plan, and hold it against its prediction.")(run.run)
app.command("merge", help="Put the devices of several profiles of one model into one.")(merge.merge)
app.add_typer(import_.app, name="import")
