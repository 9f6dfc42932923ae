"""Links in the kernel: a network namespace for each node, joined by virtual devices behind token buckets (tbf).

What is sent passes the kernel's own queues at the bandwidth of each link, headers and acknowledgements too, as on a
wire. Latency stays in user space: not every kernel can delay packets. All of it lies in a network that the run made for
itself, and goes with it; see `own_network`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tiercut.errors import QuestionError
from tiercut.topologies import Hop, Network

__all__ = ["KernelLinks", "check_forwarding", "enter_own_network", "has_own_network"]

_OUTSIDE = "TIERCUT_OUTSIDE_NETWORK"
_TOOLS = ("unshare", "nsenter", "ip", "tc")
_MOST = 250
_READY_S = 5.0

_FRAME, _BURST_S, _QUEUE = 1600, 200e-6, 64 << 20
"""A bucket holds two packets, and what passes in 0.2 ms, so that nothing to speak of passes at once; a queue of so many
bytes drops none."""


def has_own_network() -> bool:
    """Whether this process runs in a network that was made for it."""
    outside = os.environ.get(_OUTSIDE)
    return outside is not None and outside != _network()


def enter_own_network(arguments: Sequence[str]) -> None:
    """Run ``tiercut`` again with these arguments in a network of its own, in place of this process.

    Raises
    ------
    QuestionError
        If that cannot be: a tool is missing, or it is not permitted.
    """
    missing = [name for name in _TOOLS if shutil.which(name) is None]
    if missing or not sys.platform.startswith("linux"):
        lacks = f"; {' and '.join(missing)} cannot be found" if missing else ""
        raise QuestionError(f"--shape kernel needs Linux with util-linux and iproute2{lacks}")
    said = ""
    for flags in ("-n", "-rn") if os.geteuid() == 0 else ("-rn",):  # as root, files of others stay what they are
        tried = subprocess.run(["unshare", flags, "true"], capture_output=True, text=True, check=False)
        said = tried.stderr.strip()[:200]
        if not tried.returncode:
            break
    else:
        raise QuestionError(
            "--shape kernel needs a network namespace, which this system does not permit: run as root, or allow users "
            f"to make them (user.max_user_namespaces, AppArmor): {said}"
        )
    os.environ[_OUTSIDE] = _network()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvp("unshare", ["unshare", flags, "--", sys.executable, "-m", "tiercut", *arguments])


def _network(there: Path = Path("/proc/self/ns/net"), otherwise: str = "") -> str:
    """Return what the network of a process is known by; something else where that process is gone."""
    try:
        return str(there.stat().st_ino)
    except OSError:
        return otherwise


def check_forwarding(network: Network, transfers: Iterable[tuple[Sequence[Hop], float]]) -> None:
    """Make sure that nothing is predicted to wait as a whole at a node between links: the kernel hands packets on.

    Parameters
    ----------
    network
        The topology's.
    transfers
        The links of each, in order, and its bytes.

    Raises
    ------
    QuestionError
        If something is.
    """
    if network.forwarding == "store" and any(len(hops) > 1 and size > network.mtu for hops, size in transfers):
        raise QuestionError("--shape kernel hands packets on between links; say 'forwarding: cut-through'")


class KernelLinks:
    """The nodes of a run and the links between them, as quick as the machine until `shape`; they last within `with`.

    Parameters
    ----------
    source
        The node that this process stands for, in whose namespace it is.
    routes
        The links of every transfer, in order. What comes back on a connection goes the same way.

    Raises
    ------
    QuestionError
        If this process has no network of its own, a link is half duplex, or the kernel refuses.
    """

    def __init__(self, source: str, routes: Iterable[Sequence[Hop]]) -> None:
        if not has_own_network():
            raise QuestionError("links in the kernel need a network of their own: use tiercut run --shape kernel")
        self._routes = [tuple(route) for route in routes if route]
        hops = {(hop.sender, hop.receiver): hop for route in self._routes for hop in route}
        if halves := sorted(f"{a}-{b}" for (a, b), hop in hops.items() if hop.half):
            raise QuestionError(f"--shape kernel has no half-duplex links, and {halves[0]} is one: leave it out")
        self._nodes = list(dict.fromkeys([source, *(name for ends in hops for name in ends)]))
        self._pairs = list(dict.fromkeys(tuple(sorted(ends)) for ends in hops))
        if max(len(self._nodes), len(self._pairs)) > _MOST:
            raise QuestionError(f"--shape kernel takes {_MOST} nodes and links at most")
        self._hops = hops
        self._holders: dict[str, subprocess.Popen[bytes]] = {}

    def address(self, node: str) -> str:
        """Return the address of a node."""
        return f"10.201.0.{self._nodes.index(node) + 1}" if node in self._nodes else self.address(self._nodes[0])

    def inside(self, node: str) -> list[str]:
        """Return what begins a command that runs in the namespace of a node."""
        holder = self._holders.get(node)
        return [] if holder is None else ["nsenter", f"--net=/proc/{holder.pid}/ns/net", "--"]

    def __enter__(self) -> Self:
        try:
            for node in self._nodes[1:]:
                self._hold(node)
            self._join()
        except BaseException:
            self._end()
            raise
        return self

    def _hold(self, node: str) -> None:
        """Make the namespace of a node, held by a process that ends with this one."""
        holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self._holders[node] = holder
        own, until = _network(), time.monotonic() + _READY_S
        there = Path(f"/proc/{holder.pid}/ns/net")
        while _network(there, own) == own:
            if holder.poll() is not None or time.monotonic() > until:
                raise QuestionError(f"--shape kernel: no network namespace could be made for '{node}'")
            time.sleep(0.002)

    def _join(self) -> None:
        lines: dict[str, list[str]] = {node: [] for node in self._nodes}
        first = [f"link add v{place}a type veth peer name v{place}b" for place in range(len(self._pairs))]
        for place, pair in enumerate(self._pairs):
            for end, node in zip("ab", pair, strict=True):
                if node in self._holders:
                    first.append(f"link set v{place}{end} netns {self._holders[node].pid}")
                lines[node] += [f"addr add {_end(place, end)}/30 dev v{place}{end}", f"link set v{place}{end} up"]
        self._batch(self._nodes[0], "ip", first)
        for node in self._nodes:
            self._batch(node, "ip", ["link set lo up", f"addr add {self.address(node)}/32 dev lo", *lines[node]])
            self._do(node, ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
        routes: dict[str, list[str]] = {node: [] for node in self._nodes}
        for back in (True, False):  # what is sent on purpose has the last word
            for route in self._routes:
                target = route[0].sender if back else route[-1].receiver
                for hop in route:
                    here, there = (hop.receiver, hop.sender) if back else (hop.sender, hop.receiver)
                    via, own = self._neighbour(here, there), self.address(here)
                    routes[here].append(f"route replace {self.address(target)}/32 via {via} src {own}")
        for node, own_routes in routes.items():
            self._batch(node, "ip", own_routes)

    def shape(self) -> None:
        """Hold all links to their bandwidths from now on.

        Raises
        ------
        QuestionError
            If the kernel refuses.
        """
        for (sender, receiver), hop in self._hops.items():
            pair = tuple(sorted((sender, receiver)))
            device = f"v{self._pairs.index(pair)}{'ab'[pair.index(sender)]}"
            burst = round(2 * _FRAME + hop.bandwidth * _BURST_S)
            rate = round(8 * hop.bandwidth)
            self._batch(sender, "tc", [f"qdisc add dev {device} root tbf rate {rate}bit burst {burst} limit {_QUEUE}"])

    def _neighbour(self, here: str, there: str) -> str:
        pair = tuple(sorted((here, there)))
        return _end(self._pairs.index(pair), "ab"[pair.index(there)])

    def _batch(self, node: str, tool: str, lines: Sequence[str]) -> None:
        self._do(node, [tool, "-batch", "-"], "".join(f"{line}\n" for line in lines))

    def _do(self, node: str, command: Sequence[str], said: str = "") -> None:
        done = subprocess.run([*self.inside(node), *command], input=said, capture_output=True, text=True, check=False)
        if done.returncode:
            raise QuestionError(f"--shape kernel: {command[0]} failed for '{node}': {done.stderr.strip()[:300]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        for holder in self._holders.values():
            holder.kill()
            holder.wait()
            if holder.stdin is not None:
                holder.stdin.close()
        self._holders = {}


def _end(place: int, end: str) -> str:
    """Return the address of an end of a pair."""
    return f"10.202.{place}.{1 if end == 'a' else 2}"
