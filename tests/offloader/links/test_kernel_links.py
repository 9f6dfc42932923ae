"""Links in the kernel pass what is sent at their bandwidth, over nodes between, in a network that goes with the run."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.checkout import ROOT

import tiercut
from tiercut.errors import QuestionError
from tiercut.offloader import RunOptions, run_local
from tiercut.offloader.links import kernel
from tiercut.offloader.links.kernel import KernelLinks, enter_own_network, has_own_network
from tiercut.offloader.links.path import Direction, Way
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork, Profile
from tiercut.topologies import Hop, Topology

TOOLS = ("unshare", "nsenter", "ip", "tc")


def why_not() -> str | None:
    """Return why links cannot be in the kernel here."""
    if missing := [name for name in TOOLS if shutil.which(name) is None]:
        return f"needs {', '.join(missing)}"
    tried = "ip link add v0a type veth peer name v0b && tc qdisc add dev v0a root tbf rate 1mbit burst 4096 limit 9999"
    done = subprocess.run(["unshare", "-rn", "sh", "-c", tried], capture_output=True, text=True, check=False)
    return f"no namespaces, veth or tbf: {done.stderr.strip()[:100]}" if done.returncode else None


WHY_NOT = why_not()
in_kernel = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

_SENT = """
import json, socket, subprocess, sys, time
from tiercut.offloader.links.kernel import KernelLinks
from tiercut.topologies import Hop

SIZE = 400_000
_READ = (
    "import socket, sys, time; s = socket.create_server((sys.argv[1], 0)); print(s.getsockname()[1], flush=True); "
    "c, _ = s.accept(); c.recv(1); begun = time.monotonic(); left = %d\\n"
    "while left: left -= len(c.recv(left))\\n"
    "print(time.monotonic() - begun, flush=True)" % SIZE
)

def took(links, node):
    command = [*links.inside(node), sys.executable, "-c", _READ, links.address(node)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        port = int(reader.stdout.readline())
        with socket.create_connection((links.address(node), port), 10) as link:
            assert link.getsockname()[0] == links.address("a")
            link.sendall(bytes(SIZE + 1))
            return float(reader.stdout.readline())

a_b, b_c, back = Hop("a", "b", 1e6, 0.5), Hop("b", "c", 0.5e6, 0.5), Hop("c", "b", 1e8, 0.5)
with KernelLinks("a", [[a_b], [a_b, b_c], [back, Hop("b", "a", 1e8, 0.5)]]) as links:
    found = {"unshaped": took(links, "c")}
    links.shape()
    found |= {node: took(links, node) for node in "bc"}
print(json.dumps(found))
"""


def in_own_network(*command: str) -> subprocess.CompletedProcess[str]:
    inside = {"TIERCUT_OUTSIDE_NETWORK": str(Path("/proc/self/ns/net").stat().st_ino)}
    return subprocess.run(
        ["unshare", "-rn", "--", sys.executable, *command],
        env=os.environ | inside,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@in_kernel
def test_what_is_sent_passes_at_the_bandwidth_of_the_slowest_link() -> None:
    done = in_own_network("-c", _SENT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["unshaped"] < 0.8 * 400_000 / 1e6  # thousandths of a second
    assert 0.9 * 400_000 / 1e6 < found["b"] < 20 * 400_000 / 1e6
    assert 0.9 * 400_000 / 0.5e6 < found["c"] < 20 * 400_000 / 0.5e6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")
def test_the_network_of_others_is_left_alone() -> None:
    assert not has_own_network()
    with pytest.raises(QuestionError, match="use tiercut run --shape kernel"):
        KernelLinks("a", [[Hop("a", "b", 1e6, 0.0)]])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")
def test_links_that_share_a_medium_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "has_own_network", lambda: True)
    with pytest.raises(QuestionError, match="no half-duplex links, and a-b is one"):
        KernelLinks("a", [[Hop("a", "b", 1e6, 0.0, half=True)]])


@pytest.mark.skipif(find_spec("grpc") is None or find_spec("onnx") is None, reason="needs the extra 'offload'")
def test_what_would_wait_as_a_whole_between_links_is_refused(
    planned: Callable[..., Plan], topology: Topology, profile: Profile, cut: CutNetwork, data: Path
) -> None:
    over_two = planned(partition=[6, 12], placement=["camera", "cloud"])
    with pytest.raises(QuestionError, match="hands packets on between links; say 'forwarding: cut-through'"):
        run_local(over_two, topology, profile, cut, data, RunOptions(shape="kernel"))
    network, hop = topology.network, Hop("a", "b", 1e6, 0.0)
    kernel.check_forwarding(network, [([hop], 9999.0), ([hop, hop], network.mtu), ([], 0.0)])
    kernel.check_forwarding(dataclasses.replace(network, forwarding="cut-through"), [([hop, hop], 9999.0)])


def test_a_system_that_lacks_tools_or_permission_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(QuestionError, match="unshare and nsenter and ip and tc cannot be found"):
        enter_own_network([])
    if not sys.platform.startswith("linux"):
        return
    for name in TOOLS:
        (tmp_path / name).write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2; exit 1\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(QuestionError, match=r"does not permit: run as root.*Operation not permitted"):
        enter_own_network([])


@pytest.mark.parametrize(
    ("user", "refused", "flags"), [(0, (), "-n"), (0, ("-n",), "-rn"), (1000, (), "-rn")], ids=["root", "bound", "user"]
)
def test_root_stays_root_of_the_system_where_it_may(
    user: int, refused: tuple[str, ...], flags: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []

    def tried(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, command[1] in refused, "", "not permitted")

    monkeypatch.setattr(kernel.sys, "platform", "linux")
    monkeypatch.setattr(kernel.shutil, "which", lambda name: name)
    monkeypatch.setattr(kernel.subprocess, "run", tried)
    monkeypatch.setattr(kernel.os, "geteuid", lambda: user)
    monkeypatch.setattr(kernel.os, "execvp", lambda _, command: ran.append(command))
    monkeypatch.setattr(kernel, "_network", lambda: "7")
    monkeypatch.setenv("TIERCUT_OUTSIDE_NETWORK", "")
    enter_own_network(["run"])
    assert [each[1] for each in ran] == [flags]


def test_a_holder_that_is_gone_has_the_network_of_its_maker(tmp_path: Path) -> None:
    assert kernel._network(tmp_path / "gone", "7") == "7"


def test_latencies_stay_where_the_kernel_sees_to_bandwidths() -> None:
    way = Way((Direction(0, 1e6, 0.25), Direction(1, 2e6, 0.5)), "store", 1500.0)
    found = Way.from_data(json.loads(json.dumps(way.without_bandwidth().to_data())))
    assert [1e9 / each.bandwidth + each.latency for each in found.directions] == [0.25, 0.5]


@pytest.mark.slow
@in_kernel
def test_a_plan_runs_over_links_in_the_kernel(tmp_path: Path) -> None:
    asked = ("three-tiers", "digits-onnx", "--use-all-tiers", "--min-accuracy", "0.978", "--json")
    solved = subprocess.run(
        [sys.executable, "-m", "tiercut", "solve", *asked], capture_output=True, text=True, check=True, cwd=ROOT
    )
    (tmp_path / "plan.json").write_text(solved.stdout, encoding="utf-8")
    run = ("run", str(tmp_path / "plan.json"), "digits-onnx", "--data", "digits-onnx", "--local", "--retime")
    command = [sys.executable, "-m", "tiercut", *run, "--frames", "40", "--shape", "kernel", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["answered"], found["failed"], found["same_as_uncut"]) == (40, 0, 40)
    camera, gateway, _ = found["stages"]
    assert gateway["came_by"] == "tcp"  # memory is not shared between machines
    payload = tiercut.load_profile("digits-onnx").blocks[camera["blocks"][1] - 1].output_bytes
    link = tiercut.load_topology("three-tiers").hops["camera", "gateway"]
    assert payload is not None
    assert gateway["send_s"] > link.latency + 0.9 * payload / link.bandwidth
