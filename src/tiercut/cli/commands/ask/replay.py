"""``tiercut replay``: what recorded samples make of a plan."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tiercut.cli import arguments as given
from tiercut.cli import own_plan
from tiercut.cli.console import console, note
from tiercut.errors import QuestionError

if TYPE_CHECKING:
    from tiercut.profiling.profile.samples import SampleSplit

__all__ = ["replay"]


def replay(
    topology: given.TopologyFile,
    profile: given.ProfileFile,
    plan: own_plan.File = None,
    rank: own_plan.Rank = 1,
    partition: own_plan.Partition = None,
    placement: own_plan.Placement = None,
    threshold: own_plan.Threshold = None,
    thresholds: Annotated[
        str | None, typer.Option(metavar="0.3,0.5", help="One for every exit but the last, in place of --threshold.")
    ] = None,
    exits: Annotated[
        str | None, typer.Option(metavar="3,10", help="Blocks where samples may leave; default: every cut.")
    ] = None,
    codecs: own_plan.Codecs = None,
    split: Annotated[
        str, typer.Option(metavar="profile|test", help="The samples behind the profile's rates, or others.")
    ] = "profile",
    samples: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Other samples: an .npz with entropy and correct.")
    ] = None,
    source: given.Source = None,
    destination: given.Destination = None,
    bandwidth: given.Bandwidths = None,
    latency: given.Latencies = None,
    slowdown: given.Slowdowns = None,
    without: given.Excluded = None,
    forwarding: given.Forwarding = None,
    one_per: given.OnePer = None,
    accuracies: given.Accuracies = None,
    input_bytes: given.InputBytes = None,
    result_bytes: given.ResultBytes = None,
    plot: given.Plot = None,
    json: given.Json = False,
) -> None:
    """Send every recorded sample through a plan: who leaves where, how often that is right, and how long it takes.

    Give an answer file, or a plan of your own by --partition and --placement.
    """
    from tiercut.api import replay as replayed
    from tiercut.profiling.profile.samples import load_samples

    if plan is None and partition is None:
        raise QuestionError("name a plan to replay: an answer file, or --partition with --placement")
    own = own_plan.Own(plan, rank, partition, placement, threshold, thresholds, exits, codecs)
    own.check(alone=True)
    loaded = given.inputs(
        topology,
        profile,
        source=source,
        destination=destination,
        bandwidth=bandwidth,
        latency=latency,
        slowdown=slowdown,
        without=without,
        forwarding=forwarding,
        one_per=one_per,
        accuracies=accuracies,
        input_bytes=input_bytes,
        result_bytes=result_bytes,
    )
    others = None if samples is None else load_samples(samples)
    seen = replayed(*loaded, own.priced(*loaded), split=cast("SampleSplit", split), samples=others)
    if json:
        typer.echo(seen.to_json())
    else:
        from tiercut.report.replay import replay_tables

        out: Any = console()
        for part in replay_tables(seen):
            out.print(part)
    if plot is not None:
        from tiercut.report.pictures import replay_picture
        from tiercut.report.save import save

        save(replay_picture(seen), plot)
        note(f"drew {plot}")
