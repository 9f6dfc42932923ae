"""What an agent does itself for a frame, apart from computing and from copying tensors."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tiercut.offloader.agent.agent import Agent
from tiercut.offloader.agent.timings import STEPS, came_by, named
from tiercut.offloader.bundles.split import split_plan
from tiercut.offloader.bundles.stage import Ended, Runtime
from tiercut.offloader.protocol.messages import message, methods
from tiercut.offloader.protocol.tensors import describe, put_parameters
from tiercut.offloader.transports.framing import Bytes
from tiercut.offloader.transports.server import Arrival
from tiercut.optimizer import build_problem, decide, price
from tiercut.profiling import OnnxOptions, load_profile, onnx_outputs, open_cut, recorded_file, start_for
from tiercut.topologies import load_topology

__all__ = ["can_time_own_work", "own_work"]

_NETWORK, _WARM_UP = "digits-onnx", 200


class _Ready:
    """Stands for the pieces: what they make is there already."""

    runtime: Runtime = "onnx"
    clock = staticmethod(time.perf_counter_ns)

    def __init__(self, tensors: dict[str, Any]) -> None:
        self._ended = Ended(tensors, None, None, leaves=False)

    def __call__(self, *_: Any) -> Ended:
        return self._ended


class _Gone:
    """Stands for the stream to the next agent: writes the head of a message, and it is taken."""

    by = "memory"

    def room(self, _: Any) -> None:
        """There is none."""

    def send(self, request: Any, contents: Any, timeout_s: float, done: Callable[[None], None], answered: Any) -> None:
        del contents, timeout_s, answered
        request.SerializeToString()
        done(None)

    def close(self) -> None:
        """Nothing is open."""


class _Through:
    """Stands for the way: hands over at once, in the same thread."""

    def __init__(self, deliver: Callable[[Any], None]) -> None:
        self._deliver = deliver

    def put(self, parcel: Any, size: int, **how: Any) -> None:
        del size, how
        self._deliver(parcel)

    def close(self) -> None:
        """Nothing waits."""


def can_time_own_work() -> bool:
    """Whether the packages are there that split a network."""
    return all(find_spec(name) is not None for name in ("onnx", "onnxruntime"))


def own_work(frames: int) -> list[float]:
    """Return the seconds of an agent's own work for each of some frames.

    From the head of a message to the head of the next one: read, checked, admitted, queued, timed, described, written;
    without pieces, sockets and what wakes threads. The agent is the middle one of three.
    """
    with TemporaryDirectory(prefix="tiercut-hops-") as folder:
        agent = _middle_agent(Path(folder))
        try:
            return _timed(agent, frames)
        finally:
            agent.close()


def _middle_agent(folder: Path) -> Agent:
    """Return an agent that hands on to nobody, and whose worker has gone: whoever times it works in its place."""
    profile, path = load_profile(_NETWORK), recorded_file(_NETWORK, ".onnx")
    assert path is not None
    start_for(path, threads=1)
    options = OnnxOptions(exits=onnx_outputs(path))
    cut = open_cut(path, onnx=options, blocks=[block.name for block in profile.blocks])
    problem = build_problem(load_topology("three-tiers"), profile)
    plan = price(problem, decide(problem, [4, 6, 12], ["camera", "gateway", "cloud"], 0.6, [3, 4, 6, 12]))
    folders = split_plan(plan, cut, folder / "bundles").folders
    agent = Agent(folders[1], "127.0.0.1:0", "127.0.0.1:9", threads=1, transport="grpc")
    for worker in agent._workers:
        agent._jobs.put(None)
        worker.join()
    version = agent._shelf.only
    outlet = version.onward
    assert outlet is not None
    path_, courier = outlet._path, outlet._courier
    stands_for: Any = _Ready({each.name: np.zeros(each.shape, each.dtype) for each in agent.bundle.outputs})
    way: Any = _Through(outlet._deliver)
    gone: Any = _Gone()
    version.run, outlet._path, outlet._courier = stands_for, way, gone
    path_.close()
    courier.close()
    return agent


def _timed(agent: Agent, frames: int) -> list[float]:
    read = methods()["ModelInfer"].request.FromString
    found = []
    for number in range(-_WARM_UP, frames):
        head, contents = _frame(agent, str(number))
        begun = time.perf_counter_ns()
        agent._streamed(Arrival(read(head), contents, None, "memory"))
        job = agent._jobs.get()
        assert job is not None
        agent._serve(job)
        took = time.perf_counter_ns() - begun
        if number >= 0:
            found.append(took * 1e-9)
    return found


def _frame(agent: Agent, name: str) -> tuple[bytes, list[Bytes]]:
    """Return the head of a message as the agent before writes it, and its tensors."""
    request = message("ModelInferRequest", model_name=agent.bundle.model, id=name)
    contents = describe(request, {each.name: np.zeros(each.shape, each.dtype) for each in agent.bundle.inputs})
    said: dict[str, str | int | bool] = {"destination": "127.0.0.1:45555", "left_ns": 10**9}
    said |= {"sent_ns": time.monotonic_ns(), named(0, "encode"): 1000, came_by(1): 2}
    put_parameters(request, said | {named(1, step): 1000 for step in STEPS})
    return request.SerializeToString(), contents
