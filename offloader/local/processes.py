"""Agents as processes of this machine."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tiercut.cpus import cpu_count
from tiercut.errors import QuestionError
from tiercut.offloader.agent.emulation import Emulation, Share
from tiercut.offloader.bundles.stage import Runtime
from tiercut.offloader.links.path import Way
from tiercut.offloader.transports.offer import Wanted

__all__ = ["AgentProcess", "emulation_data", "emulation_from", "pin_apart"]

_LISTENING = "listening on "
_START_S, _END_S = 60.0, 2.0


def emulation_data(emulation: Emulation) -> dict[str, Any]:
    """Return what an agent stands for as plain data, for ``tiercut agent --stands-for``."""
    return {
        "factor": emulation.factor,
        "clock": None if emulation.clock is None else str(emulation.clock),
        "onward": emulation.onward.to_data(),
        "home": emulation.home.to_data(),
        "workers": emulation.workers,
        "next_factor": emulation.next_factor,
        "next_home": emulation.next_home.to_data(),
        "speed": emulation.speed,
        "shares": [
            [each.number, str(each.folder), each.factor, each.onward.to_data(), each.home.to_data()]
            for each in emulation.shares
        ],
    }


def emulation_from(text: str) -> Emulation:
    """Return what `emulation_data` described, of its JSON text."""
    data = json.loads(text)
    return Emulation(
        float(data["factor"]),
        None if data["clock"] is None else Path(data["clock"]),
        Way.from_data(data["onward"]),
        Way.from_data(data["home"]),
        int(data["workers"]),
        float(data["next_factor"]),
        Way.from_data(data["next_home"]),
        told_later=True,
        speed=None if data["speed"] is None else int(data["speed"]),
        shares=tuple(
            Share(str(number), Path(folder), float(factor), Way.from_data(onward), Way.from_data(home))
            for number, folder, factor, onward, home in data["shares"]
        ),
    )


class AgentProcess:
    """One ``tiercut agent``; it is ended where the block of `with` ends.

    Parameters
    ----------
    folder
        Its bundle.
    emulation
        What it stands for.
    listen
        HOST:PORT; port 0 takes a free one.
    runtime, threads
        What runs the pieces, and threads to compute with.
    transport
        How frames may travel.
    results
        A host that results may go to, beside this machine as the agent sees it.
    inside
        What begins the command, where it runs in a network of its own.
    """

    def __init__(
        self,
        folder: Path,
        emulation: Emulation,
        *,
        listen: str = "127.0.0.1:0",
        runtime: Runtime | None = None,
        threads: int = 1,
        transport: Wanted = "auto",
        results: str | None = None,
        inside: Sequence[str] = (),
    ) -> None:
        command = [*inside, sys.executable, "-m", "tiercut", "agent", str(folder), "--listen", listen]
        command += ["--results", results] if results else []
        command += ["--threads", str(threads), "--stands-for", json.dumps(emulation_data(emulation))]
        command += ["--transport", transport]
        command += ["--runtime", runtime] if runtime else []
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # held as long as the process
        mine = {
            name: value for name, value in os.environ.items() if name != "TIERCUT_TLS"
        }  # nothing leaves this machine
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, start_new_session=True, env=mine
        )
        self.folder, self.address = folder, ""

    def wait_until_ready(self) -> str:
        """Return where it listens, once it does.

        Raises
        ------
        QuestionError
            If it ends before, or does not within a minute; with what it said.
        """
        assert self._process.stdout is not None
        until, line = time.monotonic() + _START_S, b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(until - time.monotonic(), 0.0)):
                    raise QuestionError(f"the agent of '{self.folder}' was not ready within {_START_S:g} s")
                part = os.read(self._process.stdout.fileno(), 4096)
                if not part:
                    raise QuestionError(f"the agent of '{self.folder}' ended before it was ready: {self._last_words()}")
                line += part
        self.address = line.decode().strip().removeprefix(_LISTENING)
        return self.address

    def follow(self, address: str, number: str = "") -> None:
        """Say where the agent of the next partition listens; of several plans that of one of them, by its number."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{address} {number}\n".encode())
            self._process.stdin.flush()

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read()[-4000:].decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def death(self) -> str | None:
        """How it ended; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        return f"killed by signal {-status}" if status < 0 else f"ended with status {status}"

    def pin(self, cpu: int) -> None:
        """Keep it, with the threads that it has and will have, on one processor, where the system can."""
        if not hasattr(os, "sched_setaffinity"):
            return
        with suppress(OSError):
            os.sched_setaffinity(self.pid, {cpu})
        with suppress(OSError):
            for thread in Path(f"/proc/{self.pid}/task").iterdir():  # the system asks for each by itself
                with suppress(OSError):
                    os.sched_setaffinity(int(thread.name), {cpu})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:  # frozen, or busy
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        self._said.close()


def pin_apart(agents: Sequence[AgentProcess]) -> bool:
    """Give every agent a processor of its own where there are more than agents; return whether there are."""
    if not hasattr(os, "sched_getaffinity") or cpu_count() <= len(agents):
        return False
    for agent, cpu in zip(agents, sorted(os.sched_getaffinity(0))[1:], strict=False):
        agent.pin(cpu)
    return True
