"""Three agents as processes that tests do things to."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

from tiercut.offloader import Emulation
from tiercut.offloader.local.processes import AgentProcess

__all__ = ["Site"]


class Site:
    """Three agents that can be killed, frozen and started again where they were."""

    def __init__(self, folders: tuple[Path, ...], stack: ExitStack) -> None:
        self.folders, self.stack = folders, stack
        self.agents = [self._started(folder, "127.0.0.1:0") for folder in folders]
        self.addresses = [agent.wait_until_ready() for agent in self.agents]
        self._tell()

    def _started(self, folder: Path, listen: str) -> AgentProcess:
        stands_for = Emulation(told_later=True)
        return self.stack.enter_context(AgentProcess(folder, stands_for, listen=listen, threads=1))

    def _tell(self) -> None:
        for agent, after in zip(self.agents, self.addresses[1:], strict=False):
            agent.follow(after)

    def kill(self, place: int) -> None:
        os.kill(self.agents[place].pid, signal.SIGKILL)

    def restart(self, place: int) -> None:
        self.agents[place] = self._started(self.folders[place], self.addresses[place])
        self.agents[place].wait_until_ready()
        if place < 2:
            self.agents[place].follow(self.addresses[place + 1])
