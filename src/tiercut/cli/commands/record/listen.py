"""``tiercut listen``: the other end of ``tiercut measure-link``."""

from typing import Annotated

import typer

from tiercut.cli.console import note

__all__ = ["PORT", "Port", "listen"]

PORT = 7341
Port = Annotated[int, typer.Option(min=0, max=65535, help="Of the listener.")]


def listen(
    address: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Where others may reach it: an address of this machine, or 0.0.0.0 for all. By default only this "
            "machine can, as whoever can reach it can fill the link with noise.",
        ),
    ] = "127.0.0.1",
    port: Port = PORT,
    once: Annotated[bool, typer.Option("--once", help="Stop after one peer.")] = False,
) -> None:
    """Answer tiercut measure-link on another machine, until Ctrl-C.

    Only this machine itself can reach it unless an address is given: whoever can reach it can fill the link with
    noise. It keeps, looks up and runs nothing, and serves one peer at a time for five minutes at most.
    """
    from tiercut.profiling import Listener

    with Listener(address, port, report=note) as listener:
        note(f"listening on {address}, port {listener.port}; Ctrl-C ends it")
        if address in ("127.0.0.1", "::1", "localhost"):
            note("only this machine can reach it: --address lets others in")
        try:
            listener.serve_one()
            while not once:
                listener.serve_one()
        except KeyboardInterrupt:
            note("stopped")
