"""All commands by name: each a line here and a file called like it below ``commands``, imported when it is run."""

import typer

from tiercut import __version__
from tiercut.cli import streams
from tiercut.cli.root import QUIET, Later, RootGroup

__all__ = ["app"]


class _Commands(RootGroup):
    later = (
        Later("solve", "ask", "Find the best plan."),
        Later("rank", "ask", "List the best plans in order."),
        Later("frontier", "ask", "List the plans that no other beats in both latency and accuracy."),
        Later("explain", "ask", "Show a plan's latency as the sum that it is."),
        Later("replay", "ask", "Send every recorded sample through a plan."),
        Later("simulate", "study", "Send a stream of frames through a plan."),
        Later("sensitivity", "study", "Say how the best plan follows conditions."),
        Later("compare", "study", "Put answers, profiles, topologies or runs side by side."),
        Later("report", "study", "Write everything about a problem as one page to explore."),
        Later("sweep", "study", "Answer questions for many models, topologies and conditions."),
        Later("show", "ask", "Print and plot a topology or a profile."),
        Later("doctor", "ask", "Say what is installed, what is missing, and where compiled code is kept."),
        Later("schema", "ask", "Print the JSON Schema of a file format, for editors."),
        Later("blocks", "record", "List the blocks of a model: the pieces that may not be cut."),
        Later("listen", "record", "Answer measure-link on another machine."),
        Later("measure-link", "record", "Measure latency and bandwidth to a machine that runs listen."),
        Later("profile", "record", "Time networks on this machine and record them."),
        Later("export", "record", "Write a Keras model as an ONNX file."),
        Later("train", "record", "Give a network exits, train it, and write it for profile."),
        Later("codec", "record", "Put a transfer layer into a Keras model, retrain it, and split it there."),
        Later("deploy", "run", "Train, record, solve, split and run: from a network to a plan at work."),
        Later("split", "run", "Write a plan as bundles, one for each partition."),
        Later("agent", "run", "Serve a bundle by the Open Inference Protocol."),
        Later("run", "run", "Run a plan, and hold it against its prediction."),
        Later("merge", "record", "Put the devices of several profiles of one model into one."),
        Later("import", "record", "Turn what other tools measured into profiles and topologies."),
    )


app = typer.Typer(
    name="tiercut",
    cls=_Commands,
    help="Where to cut a deep neural network, where samples may leave it early, and which machine runs each piece.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
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
