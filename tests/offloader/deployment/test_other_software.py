"""Other software of the Open Inference Protocol: a client of Triton asks an agent, and mlserver stands in for one."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.offloader import Agent, RunOptions, run_local
from tiercut.offloader.bundles.manifest import load_bundle
from tiercut.offloader.bundles.split import split_plan
from tiercut.offloader.local.cascade import Verdict, uncut_cascade
from tiercut.offloader.local.frames import Frames, load_frames
from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import put
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork, Profile
from tiercut.topologies import Topology

pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

ANY = "127.0.0.1:0"
FRAMES = 40

_ASK = """
import json, sys
import numpy as np
import tritonclient.grpc as triton

address, model, samples, count = sys.argv[1:]
client = triton.InferenceServerClient(address)
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)
told = client.get_model_metadata(model)
found = []
for image in np.load(samples)["images"][: int(count)]:
    given = triton.InferInput(told.inputs[0].name, list(told.inputs[0].shape), told.inputs[0].datatype)
    given.set_data_from_numpy(image[None].astype(np.float32))
    answer = client.infer(model, [given]).get_response()
    exit_ = answer.parameters["exit"].int64_param
    scores = np.frombuffer(answer.raw_output_contents[0], np.float32)
    found.append([exit_, int(scores.argmax()), answer.parameters["entropy"].string_param])
print(json.dumps({"server": client.get_server_metadata().name, "answers": found}))
"""

_SERVED = """
import json
from pathlib import Path

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Piece(MLModel):
    async def load(self):
        folder = Path(self.settings.parameters.uri)
        (piece,) = json.loads((folder / "bundle.json").read_text())["pieces"]
        self.session = onnxruntime.InferenceSession(str(folder / piece["files"]["onnx"]["path"]))
        self.taken, self.made = ([each["name"] for each in piece[part]] for part in ("inputs", "outputs"))
        return True

    async def predict(self, payload):
        given = {each.name: NumpyCodec.decode_input(each) for each in payload.inputs}
        names = [each.name for each in self.session.get_inputs()]
        made = self.session.run(None, dict(zip(names, (given[name] for name in self.taken))))
        outputs = [NumpyCodec.encode_output(name, numbers) for name, numbers in zip(self.made, made)]
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=outputs)
"""


@pytest.fixture(scope="module")
def folders(plan: Plan, cut: CutNetwork, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return split_plan(plan, cut, tmp_path_factory.mktemp("bundles")).folders


@pytest.fixture(scope="module")
def frames(folders: tuple[Path, ...], data: Path) -> Frames:
    return load_frames(data, load_bundle(folders[0]).inputs)


@pytest.fixture(scope="module")
def verdicts(plan: Plan, cut: CutNetwork, frames: Frames) -> list[Verdict]:
    return uncut_cascade(plan, cut, frames, FRAMES)


def agents(stack: ExitStack, folders: tuple[Path, ...], address: str | None = None) -> Agent:
    """Start agents, each of which hands on to the next, and the last to an address; return the first."""
    for folder in reversed(folders):
        agent = Agent(folder, ANY, address, threads=1)
        stack.callback(agent.close)
        address = agent.address
    return agent


@pytest.mark.slow
def test_a_client_of_triton_asks_an_agent(folders: tuple[Path, ...], data: Path, verdicts: list[Verdict]) -> None:
    pytest.importorskip("tritonclient.grpc", reason="asks with the package tritonclient")
    with ExitStack() as stack:
        first = agents(stack, folders)
        command = [sys.executable, "-c", _ASK, first.address, first.bundle.model, str(data), str(FRAMES)]
        said = subprocess.run(command, capture_output=True, text=True, timeout=120)  # noqa: PLW1510
    assert said.returncode == 0, said.stderr
    answers = json.loads(said.stdout)
    assert answers["server"] == "tiercut"
    assert [each[:2] for each in answers["answers"]] == [
        [verdict.exit, int(verdict.results[0].argmax())] for verdict in verdicts
    ]
    for (_, _, entropy), verdict in zip(answers["answers"], verdicts, strict=True):
        assert any(abs(float(entropy) - each) < 1e-4 for each in verdict.entropies)


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in held]


@pytest.fixture(scope="module")
def mlserver(folders: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start mlserver with the last piece; it is found on the path, or named by TIERCUT_MLSERVER."""
    command = os.environ.get("TIERCUT_MLSERVER") or shutil.which("mlserver")
    if command is None:
        pytest.skip("serves with the command mlserver (or TIERCUT_MLSERVER)")
    bundle, home = load_bundle(folders[-1]), tmp_path_factory.mktemp("mlserver")
    http, grpc, metrics = free_ports(3)
    settings: dict[str, Any] = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    (home / "settings.json").write_text(json.dumps({**settings, "parallel_workers": 0}))
    model = {"name": bundle.model, "implementation": "served.Piece", "parameters": {"uri": str(folders[-1])}}
    (home / "model-settings.json").write_text(json.dumps(model))
    (home / "served.py").write_text(_SERVED)
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (home / "said").open("wb") as said:
        process = subprocess.Popen([command, "start", str(home)], cwd=home, env=alone, stdout=said, stderr=said)
    try:
        address = f"127.0.0.1:{grpc}"
        with closing(Peer(address, bundle.most_bytes)) as peer:
            until = time.monotonic() + 90
            while not is_ready(peer, bundle.model):
                assert process.poll() is None, (home / "said").read_text()
                assert time.monotonic() < until, (home / "said").read_text()
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def is_ready(peer: Peer, model: str) -> bool:
    import grpc

    try:
        return bool(peer.call("ModelReady", message("ModelReadyRequest", name=model), 2.0).ready)
    except grpc.RpcError:
        return False


@pytest.mark.slow
def test_a_stock_server_stands_in_for_the_last_agent(
    folders: tuple[Path, ...], frames: Frames, verdicts: list[Verdict], mlserver: str
) -> None:
    with ExitStack() as stack:
        first = agents(stack, folders[:-1], mlserver)
        peer = stack.enter_context(closing(Peer(first.address, first.bundle.most_bytes)))
        through = 0
        for number, verdict in enumerate(verdicts):
            request = message("ModelInferRequest", model_name=first.bundle.model, id=str(number))
            put(request, frames.frame(number))
            answer = peer.call("ModelInfer", request, 30.0)
            scores = np.frombuffer(answer.raw_output_contents[0], np.float32)
            assert int(scores.argmax()) == int(verdict.results[0].argmax())
            through += verdict.exit == 12
        assert through > 0


@pytest.mark.slow
def test_a_local_run_ends_in_a_stock_server(
    plan: Plan, topology: Topology, profile: Profile, cut: CutNetwork, data: Path, mlserver: str
) -> None:
    ran = run_local(plan, topology, profile, cut, data, RunOptions(FRAMES, 0.05, retime=True, last=mlserver))
    assert (ran.answered, ran.failed, ran.duplicated, ran.same_as_uncut) == (FRAMES, 0, 0, FRAMES)
    assert ran.stages[-1].frames > 0
