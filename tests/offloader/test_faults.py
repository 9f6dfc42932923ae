"""A thousand faults in one run: every frame is answered once or reported failed, and nothing is left behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.at_work.sites import Site

from tiercut.errors import QuestionError
from tiercut.offloader import Emulation
from tiercut.offloader.bundles.split import split_plan
from tiercut.offloader.links.clock import LinkClock
from tiercut.offloader.local.cascade import uncut_cascade
from tiercut.offloader.local.driver import Driver
from tiercut.offloader.local.frames import Frames, load_frames
from tiercut.offloader.local.processes import AgentProcess
from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import put, put_parameters
from tiercut.offloader.transports.framing import HELLO, SIZE, Prefix
from tiercut.offloader.transports.offer import Offer
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork

grpc = pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

FAULTS, SEED = 1000, 1
DEADLINE_S, REPLY_S = 1.0, 0.1
NAME = "digits-onnx"
KINDS = {
    "spoilt": 60,
    "stray": 15,
    "garble": 10,
    "again": 6,
    "cut": 4,
    "nobody": 2,
    "freeze": 6,
    "kill": 1,
    "tamper": 0.4,
}
"""What is done, and how often beside the others; `nobody` takes calls and never answers."""


def spoilt(rng: random.Random, frames: Frames, destination: str) -> Any:
    """Return a message that no agent may serve."""
    request = message("ModelInferRequest", model_name=NAME, id=f"spoilt {rng.random()}")
    put(request, frames.frame(0))
    put_parameters(request, {"destination": destination})
    kind = rng.randrange(8)
    if kind == 0:
        request.raw_input_contents[0] = request.raw_input_contents[0][: rng.randrange(12288)]
    elif kind == 1:
        request.raw_input_contents[0] += bytes(rng.randrange(1, 4096))
    elif kind == 2:
        request.inputs[0].shape[:] = [rng.randrange(9) for _ in range(rng.randrange(6))]
    elif kind == 3:
        request.inputs[0].datatype = rng.choice(["FP16", "BYTES", "", "FP64"])
    elif kind == 4:
        request.model_name = rng.choice(["", "other", "../x", "results"])
    elif kind == 5:
        request.raw_input_contents[0] = bytes(1 << 21)  # beyond the limit, which the plan sets
    elif kind == 6:
        put_parameters(request, {"destination": rng.choice(["192.0.2.1:80", "x", "unix:/x:1", "127.0.0.1:99999"])})
    else:
        put_parameters(request, {"x" * rng.randrange(1, 9): "y" * 5000})
    return request


def stray(rng: random.Random, frame: str) -> Any:
    """Return what claims to be a result and is none, or of no frame."""
    request = message("ModelInferRequest", model_name="results", id=rng.choice([frame, "nobody", ""]))
    put_parameters(request, {"exit": rng.choice([3, 99]), "entropy": "nan"})
    return request


def garble(rng: random.Random, server: Peer, kept: list[socket.socket]) -> None:
    """Send to the streams of an agent what is no message, or only the beginning of one; some stay half open."""
    offer = Offer.among(server.call("ServerMetadata", message("ServerMetadataRequest"), 1.0).extensions)
    assert offer is not None
    link = socket.create_connection(("127.0.0.1", offer.port), 1.0)
    kept.append(link)  # also when the agent ends the stream before all is sent
    if rng.random() < 0.7:
        link.sendall(Prefix(HELLO, 0, 0, 16, 0).pack() + bytes.fromhex(offer.token))
        sizes = [rng.choice([0, 100, 1 << 40])] * rng.randrange(1, 4)
        link.sendall(Prefix(rng.randrange(8), 9, len(sizes), 0, 1).pack() + b"".join(map(SIZE.pack, sizes)))
    link.sendall(rng.randbytes(rng.randrange(1, 99)))
    if rng.random() >= 0.2:
        kept.pop().close()


def tampered(folder: Path, copy: Path) -> Path:
    """Return a copy of a bundle in which a bit of a piece is another."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    piece = copy / "piece1.onnx"
    raw = bytearray(piece.read_bytes())
    raw[len(raw) // 2] ^= 1
    piece.write_bytes(raw)
    return copy


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Faults:
    """What goes wrong in a run, a method for each kind."""

    def __init__(self, rng: random.Random, site: Site, frames: Frames, driver: Driver, folder: Path) -> None:
        self.rng, self.site, self.frames, self.driver, self.folder = rng, site, frames, driver, folder
        self.clock = LinkClock(folder / "links")
        self.peer, self.home = Peer(site.addresses[0], 8 << 20), Peer(driver.address, 1 << 20)
        self.silent = socket.create_server(("127.0.0.1", 0))
        self.half_open: list[socket.socket] = []
        self.killed_at = -1

    def spoilt(self, _: int) -> None:
        with pytest.raises(grpc.RpcError):
            self.peer.call("ModelInfer", spoilt(self.rng, self.frames, self.driver.address), 1.0)

    def stray(self, _: int) -> None:
        with contextlib.suppress(grpc.RpcError):
            self.home.call("ModelInfer", stray(self.rng, f"spoilt {self.driver.sent}"), 1.0)

    def garble(self, _: int) -> None:
        with contextlib.suppress(grpc.RpcError, OSError):
            garble(self.rng, self.peer, self.half_open)

    def again(self, _: int) -> None:
        number = self.driver.sent - 1
        if number <= self.killed_at:  # an agent that is new does not know what was there before
            return
        request = message("ModelInferRequest", model_name=NAME, id=str(number))
        put(request, self.frames.frame(number))
        put_parameters(request, {"destination": self.driver.address, "left_ns": round(1e8)})
        with contextlib.suppress(grpc.RpcError):
            self.peer.call("ModelInfer", request, 1.0)

    def cut(self, place: int) -> None:
        self.clock.cut(min(place, 1), self.rng.uniform(0.0, 0.4))

    def nobody(self, place: int) -> None:
        place = min(place, 1)
        self.site.agents[place].follow(f"127.0.0.1:{self.silent.getsockname()[1]}")
        time.sleep(self.rng.uniform(0.0, 0.3))
        self.site.agents[place].follow(self.site.addresses[place + 1])

    def tamper(self, place: int) -> None:
        bundle = tampered(self.site.folders[place], self.folder / "tampered")
        other = AgentProcess(bundle, Emulation(told_later=True))
        with other, pytest.raises(QuestionError, match="SHA-256 differs"):
            other.wait_until_ready()

    def freeze(self, place: int) -> None:
        pid = self.site.agents[place].pid
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.rng.uniform(0.0, 0.3))
        os.kill(pid, signal.SIGCONT)

    def kill(self, place: int) -> None:
        self.site.kill(place)
        time.sleep(self.rng.uniform(0.0, 0.3))
        self.site.restart(place)
        self.killed_at = self.driver.sent

    def close(self) -> None:
        for each in (self.peer, self.home, self.clock, self.silent, *self.half_open):
            each.close()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files as Linux tells them")
def test_of_a_thousand_faults_none_loses_a_frame_or_answers_it_twice(
    plan: Plan, cut: CutNetwork, data: Path, tmp_path: Path
) -> None:
    rng = random.Random(SEED)
    made = split_plan(plan, cut, tmp_path)
    frames = load_frames(data, made.bundles[0].inputs)
    verdicts = uncut_cascade(plan, cut, frames, frames.count)
    before = threading.active_count()
    files = open_files()
    kinds: Counter[str] = Counter()
    outcomes: list[Any] = []
    with ExitStack() as stack:
        site = Site(made.folders, stack, tmp_path / "links")
        driver = stack.enter_context(Driver(made.bundles, site.addresses[0], deadline_s=DEADLINE_S))
        faults = stack.enter_context(contextlib.closing(Faults(rng, site, frames, driver, tmp_path)))
        driver.warm_up(frames.frame(0), [12] * 3, 0.01)
        ended = threading.Event()
        runner = threading.Thread(target=lambda: (outcomes.extend(driver.run(frames.frame, 3000, 0.04)), ended.set()))
        runner.start()
        while sum(kinds.values()) < FAULTS and not ended.is_set():
            kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
            kinds[kind] += 1
            getattr(faults, kind)(rng.randrange(3))
            time.sleep(rng.uniform(0.0, 0.04))
        runner.join()
        for agent in site.agents:
            assert agent.death is None
    assert sum(kinds.values()) == FAULTS, f"the run was over after {kinds}"
    assert len(outcomes) == 3000
    assert all(each.ended_ns is not None for each in outcomes)
    assert sum(each.doubled for each in outcomes) == 0
    late = [each for each in outcomes if each.latency_s > DEADLINE_S + REPLY_S]
    assert not late
    answered = [(number, each) for number, each in enumerate(outcomes) if each.answered]
    assert len(answered) > 1000
    for number, each in answered:
        assert verdicts[number % len(verdicts)].agrees(each.exit, each.results)
    ends = [each.ended_ns for _, each in answered]
    assert any(after < before_ for before_, after in itertools.pairwise(ends)), "none overtook another"
    print(dict(kinds), f"{len(answered)} answered, {len(outcomes) - len(answered)} failed")
    until = time.monotonic() + 5
    while threading.active_count() > before + 2 and time.monotonic() < until:
        time.sleep(0.1)
    assert threading.active_count() <= before + 2
    assert open_files() <= files + 8
