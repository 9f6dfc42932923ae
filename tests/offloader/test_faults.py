"""A thousand faults in one run: every frame is answered once or reported failed, and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.at_work.sites import Site

from tiercut.offloader.bundles.split import split_plan
from tiercut.offloader.local.cascade import uncut_cascade
from tiercut.offloader.local.driver import Driver
from tiercut.offloader.local.frames import Frames, load_frames
from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import put, put_parameters
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork

grpc = pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

FAULTS, SEED = 1000, 1
DEADLINE_S, REPLY_S = 1.0, 0.1
NAME = "digits-onnx"


def spoilt(rng: random.Random, frames: Frames, destination: str) -> Any:
    """Return a message that no agent may serve."""
    request = message("ModelInferRequest", model_name=NAME, id=f"spoilt {rng.random()}")
    put(request, frames.frame(0))
    put_parameters(request, {"destination": destination})
    kind = rng.randrange(7)
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
        put_parameters(request, {"destination": rng.choice(["192.0.2.1:80", "x", "unix:/x:1", "127.0.0.1:99999"])})
    else:
        put_parameters(request, {"x" * rng.randrange(1, 9): "y" * 5000})
    return request


def stray(rng: random.Random, frame: str) -> Any:
    """Return what claims to be a result and is none, or of no frame."""
    request = message("ModelInferRequest", model_name="results", id=rng.choice([frame, "nobody", ""]))
    put_parameters(request, {"exit": rng.choice([3, 99]), "entropy": "nan"})
    return request


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


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
        site = Site(made.folders, stack)
        driver = stack.enter_context(Driver(made.bundles, site.addresses[0], deadline_s=DEADLINE_S))
        peer = Peer(site.addresses[0], 8 << 20)
        home = Peer(driver.address, 1 << 20)
        stack.callback(peer.close)
        stack.callback(home.close)
        driver.warm_up(frames.frame(0), 3, 0.01)
        ended = threading.Event()
        runner = threading.Thread(target=lambda: (outcomes.extend(driver.run(frames.frame, 3000, 0.04)), ended.set()))
        runner.start()
        while sum(kinds.values()) < FAULTS and not ended.is_set():
            kind = rng.choices(["spoilt", "stray", "freeze", "kill"], [70, 20, 8, 1])[0]
            kinds[kind] += 1
            place = rng.randrange(3)
            if kind == "spoilt":
                with pytest.raises(grpc.RpcError):
                    peer.call("ModelInfer", spoilt(rng, frames, driver.address), 1.0)
            elif kind == "stray":
                with contextlib.suppress(grpc.RpcError):
                    home.call("ModelInfer", stray(rng, f"spoilt {kinds['stray']}"), 1.0)
            elif kind == "freeze":
                os.kill(site.agents[place].pid, signal.SIGSTOP)
                time.sleep(rng.uniform(0.0, 0.3))
                os.kill(site.agents[place].pid, signal.SIGCONT)
            else:
                site.kill(place)
                time.sleep(rng.uniform(0.0, 0.3))
                site.restart(place)
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
    until = time.monotonic() + 5
    while threading.active_count() > before + 2 and time.monotonic() < until:
        time.sleep(0.1)
    assert threading.active_count() <= before + 2
    assert open_files() <= files + 8
