"""What an agent serves: a partition, loaded, and who takes what goes on from it. A whole network has many of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from tiercut.errors import QuestionError
from tiercut.offloader.agent.emulation import Emulation, slowing
from tiercut.offloader.agent.outlet import Outlet
from tiercut.offloader.bundles.manifest import load_bundle
from tiercut.offloader.bundles.stage import Runtime, Slowed, StageRunner
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.links.path import NO_LINKS, Way
from tiercut.offloader.protocol.coding import coming, going

__all__ = ["Outlets", "Version", "only_version", "several_versions"]


class Version:
    """A partition that is served.

    Parameters
    ----------
    folder
        Its bundle.
    number
        What frames call it (``model_version``); empty where there is but one.
    runtime, threads
        See `tiercut.offloader.bundles.stage.StageRunner`.
    slow
        Sleeps for what the machine that it runs on stands for takes longer; None: as all that its agent holds.
    way, home
        The links from here to the next partition, and to a destination.
    """

    def __init__(
        self,
        folder: Path,
        number: str = "",
        *,
        slow: Slowed | None = None,
        runtime: Runtime | None = None,
        threads: int | None = None,
        way: Way = NO_LINKS,
        home: Way = NO_LINKS,
    ) -> None:
        self.number, self.bundle, self.slow = number, load_bundle(folder), slow
        self.way, self.home = way, home
        self.run = StageRunner(folder, self.bundle, runtime=runtime, threads=threads)
        self.run.warm_up()
        self.coming, self.going = coming(self.bundle), going(self.bundle)
        self.onward: Outlet | None = None
        self.follows = threading.Event()

    def follow(self, onward: Outlet) -> None:
        """Hand on by an outlet, from now on."""
        self.onward = onward
        self.follows.set()


def several_versions(
    emulation: Emulation, clock: LinkClock | None, runtime: Runtime | None, threads: int | None
) -> list[Version]:
    """Return what each of several plans has a machine do."""
    return [
        Version(
            each.folder,
            each.number,
            slow=slowing(emulation, clock, each.factor),
            runtime=runtime,
            threads=threads,
            way=each.onward,
            home=each.home,
        )
        for each in emulation.shares
    ]


def only_version(
    folder: Path, next_address: str | None, emulation: Emulation, runtime: Runtime | None, threads: int | None
) -> Version:
    """Return the partition of an ordinary bundle.

    Raises
    ------
    QuestionError
        If frames go on from it and there is no next agent, or the other way round.
    """
    found = Version(folder, runtime=runtime, threads=threads, way=emulation.onward, home=emulation.home)
    bundle = found.bundle
    if (next_address is None) != bundle.is_last and not (emulation.told_later and next_address is None):
        raise QuestionError(
            f"'{folder}' is the last of {bundle.stages} partitions: there is no --next"
            if bundle.is_last
            else f"'{folder}' is followed by a partition on '{bundle.next}': name its agent with --next"
        )
    return found


class Outlets:
    """Outlets by address and the way there; of many the one that was not used for the longest is closed.

    Parameters
    ----------
    make
        Makes one.
    most
        How many there are, asked each time.
    """

    def __init__(self, make: Callable[[str, Way], Outlet], most: Callable[[], int]) -> None:
        self._make, self._most = make, most
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, Way], Outlet] = OrderedDict()

    def get(self, address: str, way: Way = NO_LINKS) -> Outlet:
        """Return the outlet to an address."""
        with self._lock:
            if (address, way) not in self._held:
                if len(self._held) >= self._most():
                    threading.Thread(target=self._held.popitem(last=False)[1].close, daemon=True).start()
                self._held[address, way] = self._make(address, way)
            self._held.move_to_end((address, way))
            return self._held[address, way]

    def held(self, address: str, way: Way = NO_LINKS) -> Outlet | None:
        """Return the outlet to an address, which is not used by that; None if there is none."""
        with self._lock:
            return self._held.get((address, way))

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            held = list(self._held.values())
            self._held.clear()
        for outlet in held:
            outlet.close()
