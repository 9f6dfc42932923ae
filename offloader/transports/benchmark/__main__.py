"""What a hop of 1 MiB takes by each transport, interleaved in one run.

``python -m tiercut.offloader.transports.benchmark [RUNS] [--mlserver COMMAND]`` prints a table, and one JSON object at
the end. Who sends and who receives are processes of their own. All lines of the table are measured in each run, in an
order drawn anew (seed 0), so that what else the machine does meets all of them; ratios are those of medians.

What agents are compared with runs in processes that leave memory to the C library, as programs do; a second time in
processes that keep what is freed, as agents do (``, memory kept``).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import shutil
from contextlib import ExitStack
from typing import Any

import numpy as np

from tiercut.cpus import cpu_count
from tiercut.errors import TiercutError
from tiercut.offloader.transports.benchmark.hops import call
from tiercut.offloader.transports.benchmark.own_work import can_time_own_work, own_work
from tiercut.offloader.transports.benchmark.servers import SIZE, serve, stock_server

__all__ = ["main"]

WARM_UP, OWN_FRAMES = 20, 10
KEPT = ", memory kept"
BARE = ("bare gRPC, acknowledged", "bare gRPC, echoed")
OWN = "an agent's own work for a frame"
RATIOS: tuple[tuple[str, str, float | None], ...] = (
    ("shared memory, written in place", "bare gRPC, acknowledged", 0.2),
    ("shared memory, copied into it", "bare gRPC, acknowledged", None),
    ("own stream over TCP", "raw sockets", 1.3),
    ("the protocol over gRPC, echoed", "bare gRPC, echoed", 1.2),
    ("the protocol over gRPC, echoed", f"bare gRPC, echoed{KEPT}", None),
    ("mlserver, echoed", "the protocol over gRPC, echoed", None),
)
"""What is compared with what, and what the ratio is to be at most."""

LIMITS = {"shared memory, written in place": 0.15e-3, OWN: 50e-6}
"""Seconds at most."""


class _Pair:
    """A process that sends and one that receives."""

    def __init__(self, stack: ExitStack, kept: bool, stock: str | None, processors: list[set[int]]) -> None:
        context = multiprocessing.get_context("spawn")
        sends, receives = processors or (set(), set())
        self._receiver, there = context.Pipe()
        server = context.Process(target=serve, args=(there, kept, receives), daemon=True)
        server.start()
        where = self._receiver.recv()
        self._sender, there = context.Pipe()
        client = context.Process(target=call, args=(there, where, kept, stock, sends), daemon=True)
        client.start()
        self.names: list[str] = self._sender.recv()
        stack.callback(self._end, client, server)

    def timed(self, name: str) -> float:
        """Return the seconds of a call by its name."""
        self._sender.send(name)
        return float(self._sender.recv() * 1e-9)

    def _end(self, client: Any, server: Any) -> None:
        self._sender.send(None)
        client.join(5)
        self._receiver.send(None)
        server.join(5)


def _processors() -> list[set[int]]:
    """Return what a sender and a receiver run on: two each, where there are enough."""
    if not hasattr(os, "sched_setaffinity") or cpu_count() < 4:
        return []
    own = sorted(os.sched_getaffinity(0))
    return [set(own[:2]), set(own[2:4])]


def _measured(runs: int, mlserver: str | None) -> dict[str, list[float]]:
    """Return the seconds of each line, in turn."""
    with ExitStack() as stack:
        stock = None if mlserver is None else stack.enter_context(stock_server(mlserver))
        agents, usual = (_Pair(stack, kept, stock, _processors()) for kept in (True, False))
        lines = {name + (KEPT if name in BARE else ""): (agents, name) for name in agents.names}
        lines |= {name: (usual, name) for name in BARE}
        found: dict[str, list[float]] = {name: [] for name in lines}
        order = random.Random(0)
        for run in range(-min(WARM_UP, runs), runs):
            for line in order.sample(sorted(lines), len(lines)):
                pair, name = lines[line]
                seconds = pair.timed(name)
                if run >= 0:
                    found[line].append(seconds)
    return found


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(prog="python -m tiercut.offloader.transports.benchmark", description=main.__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=400, help="of each line of the table; default: 400")
    found_command = os.environ.get("TIERCUT_MLSERVER") or shutil.which("mlserver")
    parser.add_argument(
        "--mlserver",
        default=found_command,
        metavar="COMMAND",
        help="a stock server beside; default: TIERCUT_MLSERVER, or mlserver on the path; '': none",
    )
    given = parser.parse_args()
    seconds = _measured(given.runs, given.mlserver or None)
    if can_time_own_work():
        seconds[OWN] = own_work(OWN_FRAMES * given.runs)
    medians = {name: float(np.median(each)) for name, each in seconds.items()}
    for name, each in seconds.items():
        limit = f"  at most {1e3 * LIMITS[name]:g} ms" if name in LIMITS else ""
        print(f"{name:38} {1e3 * medians[name]:8.3f} ms   (10 %: {1e3 * float(np.quantile(each, 0.1)):.3f}){limit}")
    pairs = [(a, b, aim) for a, b, aim in RATIOS if a in medians and b in medians]
    for a, b, aim in pairs:
        print(f"{a} / {b}: {medians[a] / medians[b]:.2f}" + ("" if aim is None else f" (at most {aim})"))
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    print(json.dumps({"runs": given.runs, "bytes": SIZE, "machine": machine, "median_s": medians,
                      "ratios": {f"{a} / {b}": medians[a] / medians[b] for a, b, _ in pairs}}))  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except TiercutError as error:
        raise SystemExit(f"error: {error}") from None
