"""Three agents as processes that tests do things to."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

from tiercut.offloader import Emulation
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import NO_LINKS, Direction, Way
from tiercut.offloader.local.processes import AgentProcess

__all__ = ["Site"]


class Site:
    """Three agents that can be killed, frozen and started again where they were, over links that can be cut.

    Parameters
    ----------
    folders
        Their bundles.
    stack
        Ends them.
    links
        A file for the clock of the links; None: none are shaped. Link 0 is from the first to the second, 1 from there
        to the third.
    """

    def __init__(self, folders: tuple[Path, ...], stack: ExitStack, links: Path | None = None) -> None:
        self.folders, self.stack = folders, stack
        self.links = None if links is None else LinkClock.create(links, 2)
        self.agents = [self._started(folder, "127.0.0.1:0") for folder in folders]
        self.addresses = [agent.wait_until_ready() for agent in self.agents]
        self._tell()

    def _started(self, folder: Path, listen: str) -> AgentProcess:
        place = self.folders.index(folder)
        quick = Way((Direction(place, 1e9, 1e-4),)) if self.links is not None and place < 2 else NO_LINKS
        stands_for = Emulation(told_later=True, clock=self.links, onward=quick)
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
