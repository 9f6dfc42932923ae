"""``tiercut agent``: a partition of a plan as a server."""

from __future__ import annotations

import os
import signal
import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from tiercut.errors import QuestionError
from tiercut.memory import keep_freed

__all__ = ["PieceRuntime", "Transport", "agent"]

PieceRuntime = StrEnum("PieceRuntime", {"onnx": "onnx", "keras": "keras"})
"""What runs the pieces of a bundle."""

Transport = StrEnum("Transport", {"auto": "auto", "grpc": "grpc", "tcp": "tcp", "memory": "memory"})
"""How frames travel."""


def agent(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A folder that tiercut split wrote.")],
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = "127.0.0.1:0",
    next_: Annotated[
        str | None, typer.Option("--next", metavar="HOST:PORT", help="The agent of the next partition.")
    ] = None,
    runtime: Annotated[
        PieceRuntime | None, typer.Option(help="What runs the pieces.", show_default="onnx where it can")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="To compute with.", show_default="all")] = None,
    results: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A host that results may be sent to, beside this machine."),
    ] = None,
    queue: Annotated[int, typer.Option(min=1, help="How many frames may wait.")] = 64,
    transport: Annotated[
        Transport | None,
        typer.Option(help="How frames may travel; gRPC where the other side differs.", show_default="auto"),
    ] = None,
    tls: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            envvar="TIERCUT_TLS",
            help="Encrypt: a folder with tls.crt and tls.key, and ca.crt for certificates on both sides.",
        ),
    ] = None,
    stands_for: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve a partition by the Open Inference Protocol over gRPC: health, metadata, inference.

    Of a bundle that tiercut split --whole wrote it serves the ranges of blocks that it is told to.

    A request that names a destination is acknowledged at once, and its result goes there; another one is answered with
    the result. Without --tls nothing is encrypted, and nobody is asked who they are: listen on other addresses than
    this machine's own only in networks that you trust.

    Needs the extra 'offload'.
    """
    from tiercut.offloader import Agent, check_grpc, load_tls

    check_grpc()
    keep_freed()
    serving = Agent(
        bundle,
        listen,
        next_,
        runtime=None if runtime is None else runtime.value,
        threads=threads,
        results=results or (),
        most=queue,
        transport="auto" if transport is None else transport.value,
        tls=None if tls is None else load_tls(tls),
        emulation=_emulation(stands_for),
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    typer.echo(f"listening on {serving.address}")
    sys.stdout.flush()
    if stands_for is not None:
        if serving.awaits_next and (said := sys.stdin.readline().split()):
            serving.follow(*said)
        threading.Thread(target=_mind_caller, args=(serving,), daemon=True).start()
    try:
        serving.service.wait()
    finally:
        serving.close()


def _mind_caller(serving: Any) -> None:
    """Hand on to wherever the caller says, and end once it has gone, however it went."""
    while line := sys.stdin.readline():
        serving.follow(*line.split())
    os.kill(os.getpid(), signal.SIGTERM)


def _emulation(text: str | None) -> Any:
    """Return what an agent of tiercut run --local stands for."""
    from tiercut.offloader import Emulation, emulation_from

    if text is None:
        return Emulation()
    try:
        return emulation_from(text)
    except (ValueError, KeyError, TypeError) as error:
        raise QuestionError(f"--stands-for: {error}") from None
