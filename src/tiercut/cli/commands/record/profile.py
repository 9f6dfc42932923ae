"""``tiercut profile``: measure networks."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tiercut.cli import arguments as given
from tiercut.cli.commands.record.blocks import BlockRule
from tiercut.cli.console import at_work, note
from tiercut.cli.groups import grouped
from tiercut.errors import QuestionError
from tiercut.profiling import OnnxOptions
from tiercut.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiercut.profiling import Effort, Settings, Step

__all__ = ["profile"]

_TIMING, _ELSEWHERE, _EXITS = "How it is timed", "On another machine", "With --dataset, or trained: its exits"
_CODECS = "Codecs for what crosses a cut"


class Watched(StrEnum):
    """Which clock counts."""

    wall = "wall"
    cpu = "cpu"


Runtime = StrEnum("Runtime", {"keras": "keras", "onnx": "onnx"})
"""What runs a model."""


class Measured(StrEnum):
    """Which statistic of many runs counts as the time."""

    p25 = "p25"
    p50 = "p50"
    p99 = "p99"
    mean = "mean"


@grouped
def profile(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL", help="Names of Keras Applications, .keras or .onnx files, or module:function."),
    ],
    onnx: OnnxOptions,
    device: Annotated[str, typer.Option(help="What to call this machine.")] = "local",
    output: Annotated[Path, typer.Option(metavar="PATH", help="The profile, or the folder to write it into.")] = Path(
        "out"
    ),
    rule: Annotated[BlockRule | None, typer.Option(help="How blocks are found.", show_default="all")] = None,
    input_size: given.InputSize = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Samples in one call; by default 1, or what the model takes.")
    ] = None,
    weights: given.Weights = None,
    trust_model: given.TrustModel = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="To compute with.", show_default="all", rich_help_panel=_TIMING)
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(metavar="tensorflow|jax|torch", help="What Keras runs on.", rich_help_panel=_TIMING),
    ] = None,
    runtime: Annotated[
        Runtime | None,
        typer.Option(help="What runs a Keras model.", show_default="keras", rich_help_panel=_TIMING),
    ] = None,
    jit_compile: Annotated[
        bool,
        typer.Option(
            "--jit-compile", help="Compile every piece: with XLA, or torch's compiler.", rich_help_panel=_TIMING
        ),
    ] = False,
    stress: Annotated[
        str | None,
        typer.Option(metavar="cpu=50,memory=90", help="Other load meanwhile, in per cent.", rich_help_panel=_TIMING),
    ] = None,
    stress_levels: Annotated[
        str | None,
        typer.Option(
            metavar="0,22,45,67,90",
            help="Time the whole under such loads of cpu and memory too, for conditions.",
            rich_help_panel=_TIMING,
        ),
    ] = None,
    runs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Most timed runs of each piece.", show_default="100; for p99 993", rich_help_panel=_TIMING
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(min=0.0, help="Of the medians.", show_default="0.02", rich_help_panel=_TIMING),
    ] = None,
    limit: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Of timing a model.", show_default="30 s", rich_help_panel=_TIMING),
    ] = None,
    clock: Annotated[
        Watched, typer.Option(help="cpu: processor time, for a busy machine; one thread.", rich_help_panel=_TIMING)
    ] = Watched.wall,
    check: Annotated[
        int, typer.Option(min=0, help="Spans to time besides, to see how near others come.", rich_help_panel=_TIMING)
    ] = 0,
    statistic: Annotated[
        Measured, typer.Option(help="Of the runs: what the profile calls the time.", rich_help_panel=_TIMING)
    ] = Measured.p50,
    redo: Annotated[
        bool, typer.Option("--redo", help="Measure again what is recorded already.", rich_help_panel=_TIMING)
    ] = False,
    on: Annotated[
        str | None,
        typer.Option(metavar="USER@HOST", help="Record there, over ssh, and keep it here.", rich_help_panel=_ELSEWHERE),
    ] = None,
    remote_command: Annotated[
        str, typer.Option(metavar="COMMAND", help="What tiercut is called there.", rich_help_panel=_ELSEWHERE)
    ] = "tiercut",
    codecs: Annotated[
        str | None,
        typer.Option(
            metavar="int8,float16+zstd", help="Measure these at every cut: see docs/codecs.md.", rich_help_panel=_CODECS
        ),
    ] = None,
    codec_data: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.npz",
            help="Samples for it, as the network takes them.",
            show_default="those of the exits",
            rich_help_panel=_CODECS,
        ),
    ] = None,
    codec_samples: Annotated[
        int | None, typer.Option(min=1, help="How many at most.", show_default="200", rich_help_panel=_CODECS)
    ] = None,
    json: given.Json = False,
    dataset: Annotated[
        str | None, typer.Option(help="What to train and measure on: digits32.", rich_help_panel=_EXITS)
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Of joint training.", show_default="40", rich_help_panel=_EXITS)
    ] = None,
    thresholds: Annotated[
        str | None,
        typer.Option(
            metavar="20|quantiles:20|0.1,0.5",
            help="Even, at quantiles of the entropies, or named.",
            show_default="20, or those recorded",
            rich_help_panel=_EXITS,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of splits, weights and order.", show_default="0", rich_help_panel=_EXITS)
    ] = None,
) -> None:
    """Time networks on this machine, piece by piece, and record it; with --dataset train one with early exits before.

    Of a file that tiercut train wrote, it is also recorded what its exits do with samples that it was not trained on.

    Needs the extra 'profiling' (TensorFlow), 'torch' or 'jax'; 'onnx' for ONNX files. A device is added to a profile
    that is there already.
    What was interrupted goes on where it stopped when it is asked for again.
    """
    from tiercut.profiling import Settings, parse_levels, parse_stress, prepared

    settings = Settings(
        device=device,
        rule=rule.value if rule is not None else None,
        batch=batch,
        size=given.axis_sizes(input_size),
        weights=weights,
        trust=trust_model,
        threads=threads,
        backend=backend,
        jit=jit_compile,
        stress=parse_stress(stress) if stress else {},
        stress_levels=parse_levels(stress_levels) if stress_levels else (),
        effort=_effort(statistic.value, runs, precision, given.quantity("--limit", limit, "time")),
        statistic=statistic.value,
        clock=clock.value,
        check=check,
        redo=redo,
        dataset=dataset,
        thresholds=thresholds,
        epochs=epochs,
        seed=seed,
        onnx=onnx,
        codecs=codecs,
        codec_data=codec_data,
        codec_samples=codec_samples,
        runtime="onnx" if runtime is Runtime("onnx") else None if runtime is None else "keras",
    )
    once = prepared(models, output, settings, elsewhere=on is not None)
    if on is not None:
        _record_there(once, output, settings, on, remote_command)
    else:
        _record(once, output, settings, json)


def _effort(
    statistic: Literal["p25", "p50", "p99", "mean"], runs: int | None, precision: float | None, limit_s: float | None
) -> Effort:
    from dataclasses import replace

    from tiercut.profiling import effort_for

    named = {"runs": runs, "precision": precision, "limit_s": limit_s}
    effort = replace(effort_for(statistic), **{key: value for key, value in named.items() if value is not None})  # type: ignore[arg-type]
    return replace(effort, least=min(effort.least, effort.runs))


def _record(models: Sequence[str], output: Path, settings: Settings, json: bool) -> None:
    from tiercut.profiling import record_models

    done: list[Step] = []

    def finished(step: Step, left_s: float) -> None:
        done.append(step)
        if json and step.recorded is not None:
            typer.echo(_on_one_line(step.recorded.path))
        note(_line(step, settings.device, len(done), len(models), left_s))

    try:
        with at_work("profiling") as show:

            def report(what: str, share: float) -> None:
                show(Stage(what, share, 1.0))

            campaign = record_models(models, output, settings, progress=report, finished=finished)
    except KeyboardInterrupt:
        kept = sum(step.recorded is not None for step in done)
        one = kept == 1
        note(
            f"interrupted: {kept} of {len(models)} models {'is' if one else 'are'} recorded in {output}; the same call "
            f"goes on after {'it' if one else 'them'}"
        )
        sys.exit(130)
    if campaign.failed:
        raise QuestionError("\n".join(dict.fromkeys(step.error for step in campaign.failed)))


def _on_one_line(path: Path) -> str:
    import json

    from tiercut.profiling import FORMAT, load_profile

    return json.dumps({"format": FORMAT} | load_profile(path).model_dump(exclude_defaults=True))


def _record_there(models: Sequence[str], output: Path, settings: Settings, host: str, command: str) -> None:
    from tiercut.profiling import record_remotely

    record_remotely(
        host,
        models,
        output,
        settings,
        command=command,
        finished=lambda record, path: note(f"{record.name} on {settings.device} ({host}): {path}"),
    )


def _line(step: Step, device: str, done: int, count: int, left_s: float) -> str:
    """Return what to say of a model that is done with."""
    from tiercut import units

    place = f"{done} of {count}: " if count > 1 else ""
    left = f"; about {_span(left_s)} left" if left_s else ""
    if step.recorded is None:
        return f"{place}{step.name} failed{left}"
    record = step.recorded
    if not record.fresh:
        return f"{place}{record.model} is recorded already on {device} in {record.path}; --redo times it again{left}"
    whole = units.format_seconds(record.whole_s or 0.0)
    return (
        f"{place}{record.model}: {record.blocks} blocks, whole {whole}, took {step.seconds:.0f} s: {record.path}{left}"
    )


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
