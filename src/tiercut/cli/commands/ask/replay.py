"""``tiercut replay``: what recorded samples make of a plan."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import console, note
from tiercut.cli.groups import grouped
from tiercut.cli.own_plan import OwnPlan
from tiercut.cli.questions import inputs
from tiercut.errors import QuestionError
from tiercut.optimizer import Conditions

if TYPE_CHECKING:
    from tiercut.profiling import SampleSplit

__all__ = ["replay"]


@grouped
def replay(
    topology: given.TopologyFile,
    profile: given.ProfileFile,
    *,
    own: OwnPlan,
    split: Annotated[
        str, typer.Option(metavar="profile|test", help="The samples behind the profile's rates, or others.")
    ] = "profile",
    samples: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Other samples: an .npz with entropy and correct.")
    ] = None,
    conditions: Conditions,
    plot: given.Plot = None,
    csv: given.Csv = None,
    json: given.Json = False,
) -> None:
    """Send every recorded sample through a plan: where samples leave, how often they are right, and how long they take.

    Give an answer file, or a plan of your own by --partition and --placement.
    """
    from tiercut.api import replay as replayed
    from tiercut.profiling import load_samples

    if not own.is_named:
        raise QuestionError("name a plan to replay: an answer file, or --partition with --placement")
    own.check()
    loaded = inputs(topology, profile, conditions)
    others = None if samples is None else load_samples(samples)
    by = own.estimator
    priced = own.priced(*loaded, by)
    seen = replayed(*loaded, priced, split=cast("SampleSplit", split), samples=others, estimator=by)
    if json:
        typer.echo(seen.to_json())
    else:
        from tiercut.report import replay_tables

        out: Any = console()
        for part in replay_tables(seen):
            out.print(part)
    if csv is not None:
        given.write_table(seen.to_frame(), csv)
    if plot is not None:
        from tiercut.report import replay_picture, save

        save(replay_picture(seen), plot)
        note(f"drew {plot}")
