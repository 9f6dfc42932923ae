"""What stands beside bundles serves the plan: Triton's and KServe's pieces answer as the uncut network does."""

from __future__ import annotations

import json
import re
import runpy
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from tiercut.errors import InputError, QuestionError
from tiercut.offloader import Agent
from tiercut.offloader.bundles.manifest import load_bundle
from tiercut.offloader.bundles.split import Split, split_plan
from tiercut.offloader.deployment import triton_model
from tiercut.offloader.deployment.files import check_beside, write_deployment
from tiercut.offloader.deployment.kserve import GOES_ON
from tiercut.offloader.deployment.kserve_server import Predictor
from tiercut.offloader.deployment.measure import measure_command
from tiercut.offloader.deployment.names import stage_name
from tiercut.offloader.local.cascade import Verdict, uncut_cascade
from tiercut.offloader.local.frames import Frames, load_frames
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork, Profile, normalised_entropy, open_piece, probabilities
from tiercut.topologies import Topology

pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

FRAMES = 40


@pytest.fixture(scope="module")
def made(
    plan: Plan, cut: CutNetwork, topology: Topology, profile: Profile, tmp_path_factory: pytest.TempPathFactory
) -> Split:
    split = split_plan(plan, cut, tmp_path_factory.mktemp("deployed"))
    write_deployment(plan, split, topology, profile)
    return split


@pytest.fixture(scope="module")
def folder(made: Split) -> Path:
    return made.folders[0].parent


@pytest.fixture(scope="module")
def frames(made: Split, data: Path) -> Frames:
    return load_frames(data, made.bundles[0].inputs)


@pytest.fixture(scope="module")
def verdicts(plan: Plan, cut: CutNetwork, frames: Frames) -> list[Verdict]:
    return uncut_cascade(plan, cut, frames, FRAMES)


def documents(path: Path) -> list[Any]:
    return list(YAML(typ="safe").load_all(path.read_text(encoding="utf-8")))


def test_everything_stands_beside_the_bundles(folder: Path) -> None:
    assert {each.name for each in folder.iterdir()} == {
        "1-camera", "2-gateway", "3-cloud", "Dockerfile", "compose.yaml", "kubernetes.yaml", "kserve.yaml",
        "measure.py", "triton",
    }  # fmt: skip


def test_every_agent_of_a_compose_project_knows_the_next_and_waits_for_it(folder: Path, made: Split) -> None:
    (project,) = documents(folder / "compose.yaml")
    services = list(project["services"].items())
    assert [service["build"]["args"]["BUNDLE"] for _, service in services] == [each.name for each in made.folders]
    for (_, service), (after, _) in pairwise(services):
        assert service["command"][-2:] == ["--next", f"{after}:8001"]
        assert service["depends_on"] == {after: {"condition": "service_healthy"}}
    assert "--next" not in services[-1][1]["command"]
    assert [bool(service.get("ports")) for _, service in services] == [True, False, False]
    assert services[0][1]["ports"][0]["host_ip"] == "127.0.0.1"


def test_memory_of_a_node_limits_its_containers(
    plan: Plan, cut: CutNetwork, topology: Topology, profile: Profile, tmp_path: Path
) -> None:
    nodes = tuple(each.model_copy(update={"memory": float(1 << 30)}) for each in topology.nodes)
    write_deployment(plan, split_plan(plan, cut, tmp_path), topology.model_copy(update={"nodes": nodes}), profile)
    (project,) = documents(tmp_path / "compose.yaml")
    assert {each["mem_limit"] for each in project["services"].values()} == {str(1 << 30)}
    pods = [each["spec"]["template"]["spec"] for each in documents(tmp_path / "kubernetes.yaml")[::2]]
    assert {each["containers"][0]["resources"]["limits"]["memory"] for each in pods} == {str(1 << 30)}


def test_a_service_of_kubernetes_finds_the_pods_of_its_deployment(folder: Path) -> None:
    found = documents(folder / "kubernetes.yaml")
    assert [each["kind"] for each in found] == ["Deployment", "Service"] * 3
    for deployment, service in zip(found[::2], found[1::2], strict=True):
        assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]
        assert service["metadata"]["name"] == deployment["metadata"]["name"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["containerPort"]


def test_all_text_is_quoted_so_that_old_readers_of_yaml_take_it_for_text(folder: Path) -> None:
    for name in ("compose.yaml", "kubernetes.yaml", "kserve.yaml"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            value = re.sub(r"^\s*(- )*([\w./-]+:)?\s*", "", line) if not line.startswith("#") else ""
            assert value in ("", "true", "false", "{}", "---") or value[0] in '"0123456789', line


def test_names_of_stages_are_labels_of_dns_and_differ_whatever_nodes_are_called(made: Split) -> None:
    names = [
        stage_name(bundle.model_copy(update={"node": node}))
        for bundle, node in zip(made.bundles, ("Jürgens Pi #1", "Jürgens Pi #1!", "漢字" + "x" * 99), strict=True)
    ]
    assert len(set(names)) == 3
    assert all(re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name) for name in names)


class Tensor:
    """What Triton's Python backend calls a tensor."""

    def __init__(self, name: str, numbers: Any) -> None:
        self._name, self._numbers = name, numbers

    def name(self) -> str:
        return self._name

    def is_cpu(self) -> bool:
        return True

    def as_numpy(self) -> Any:
        return self._numbers


def backend(repository: Path, asked: list[str]) -> SimpleNamespace:
    """Return what stands for Triton's backend: it runs the models of a repository, and notes which were asked."""

    def requested(model_name: str, inputs: list[Tensor], requested_output_names: list[str]) -> SimpleNamespace:
        def ran() -> Any:
            asked.append(model_name)
            piece = open_piece(repository / model_name / "1" / "model.onnx", threads=1)
            made = piece([each.as_numpy() for each in inputs])
            tensors = [Tensor(*each) for each in zip(requested_output_names, made, strict=True)]
            return SimpleNamespace(has_error=lambda: False, tensors=tensors)

        return SimpleNamespace(exec=ran)

    return SimpleNamespace(
        Tensor=Tensor,
        InferenceRequest=requested,
        InferenceResponse=lambda output_tensors=None, error=None: SimpleNamespace(tensors=output_tensors, error=error),
        get_output_tensor_by_name=lambda answer, name: next(each for each in answer.tensors if each.name() == name),
        TritonError=str,
    )


def plan_of(config: str) -> str:
    """Return the parameter `plan` of a config.pbtxt, as Triton hands it to a model."""
    found = re.search(r'key: "plan" value \{ string_value: "(.*)" \}', config)
    assert found is not None
    return found[1].replace('\\"', '"').replace("\\\\", "\\")


def test_the_plan_in_triton_leaves_where_the_uncut_network_does(
    folder: Path, frames: Frames, verdicts: list[Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", backend(folder / "triton", asked))  # type: ignore[arg-type]
    namespace = runpy.run_path(str(folder / "triton" / "plan" / "1" / "model.py"))
    model = namespace["TritonPythonModel"]()
    config = (folder / "triton" / "plan" / "config.pbtxt").read_text(encoding="utf-8")
    model.initialize({"model_config": json.dumps({"parameters": {"plan": {"string_value": plan_of(config)}}})})
    taken = set()
    for number, verdict in enumerate(verdicts[:25]):
        inputs = [Tensor(*each) for each in frames.frame(number).items()]
        asked.clear()
        (answer,) = model.execute([SimpleNamespace(inputs=lambda inputs=inputs: inputs)])
        scores, exit_, entropy = (each.as_numpy() for each in answer.tensors)
        assert exit_.tolist() == [verdict.exit]
        assert scores.argmax() == verdict.results[0].argmax()
        taken.add((verdict.exit, len(asked)))
        assert entropy[0] == pytest.approx(verdict.entropies[len(asked) - 1], abs=1e-4)
    assert len(taken) > 2
    assert all(calls == [3, 4, 6, 12].index(block) + 1 for block, calls in taken)


def test_a_copy_of_the_entropy_for_triton_gives_what_the_original_does() -> None:
    rng = np.random.default_rng(0)
    for classes in (2, 10, 1000):
        logits = rng.normal(0, 4, (1, classes)).astype(np.float32)
        shares = np.exp(logits) / np.exp(logits).sum()
        for scores in (logits, shares):
            original = normalised_entropy(probabilities("scores", scores))[0]
            assert triton_model.normalised_entropy(scores) == pytest.approx(original, abs=1e-7)
    for scores in ([[0.5, 0.25]], [[np.nan, 1.0]]):
        with pytest.raises(QuestionError, match="no "):
            probabilities("scores", np.array(scores))
        with pytest.raises(ValueError, match="no "):
            triton_model.normalised_entropy(scores)


def test_a_plan_without_early_exits_is_an_ensemble_in_triton(
    planned: Callable[..., Plan], cut: CutNetwork, topology: Topology, profile: Profile, tmp_path: Path
) -> None:
    plan = planned(partition=[2, 12], placement=["camera", "cloud"], exits=[12], threshold=None)
    split = split_plan(plan, cut, tmp_path)
    write_deployment(plan, split, topology, profile)
    text = (tmp_path / "triton" / "plan" / "config.pbtxt").read_text(encoding="utf-8")
    assert 'platform: "ensemble"' in text
    assert not (tmp_path / "triton" / "plan" / "1" / "model.py").exists()
    first, second = re.findall(r"step \{(.*?)\n  \}", text, re.S)
    made = set(re.findall(r'output_map \{ key: "(.*?)"', first))
    assert (
        made
        == set(re.findall(r'input_map \{ key: "(.*?)"', second))
        == {each.name for each in split.bundles[0].outputs}
    )


def test_the_graph_of_kserve_follows_a_frame_for_as_long_as_it_goes_on(
    folder: Path, made: Split, frames: Frames, verdicts: list[Verdict]
) -> None:
    *services, graph = documents(folder / "kserve.yaml")
    steps = graph["spec"]["nodes"]["root"]["steps"]
    assert [each["serviceName"] for each in steps] == [each["metadata"]["name"] for each in services]
    assert "condition" not in steps[0]
    assert {each["condition"] for each in steps[1:]} == {f'[@this].#({GOES_ON}=="yes")'}
    predictors = [Predictor(each) for each in made.folders]
    for number, verdict in enumerate(verdicts[:25]):
        answer: dict[str, Any] = {
            "instances": [
                {"name": name, "datatype": "FP32", "shape": list(numbers.shape), "data": numbers.ravel().tolist()}
                for name, numbers in frames.frame(number).items()
            ],
            GOES_ON: "yes",
        }
        for predictor in predictors:
            if answer[GOES_ON] == "yes":
                answer = predictor(json.loads(json.dumps(answer)))
        assert answer["exit"] == verdict.exit
        assert np.argmax(answer["instances"][0]["data"]) == verdict.results[0].argmax()


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({}, "expected 'instances'"),
        ({"instances": [1]}, "expected 'instances'"),
        ({"instances": []}, "there is no tensor"),
        ({"instances": [{"name": "NAME", "datatype": "FP64", "shape": [1, 32, 32, 3]}]}, "expected FP32 of"),
        ({"instances": [{"name": "NAME", "datatype": "FP32", "shape": [1, 32, 32, 3], "data": [1]}]}, "3072 numbers"),
        (
            {"instances": [{"name": "NAME", "datatype": "FP32", "shape": [1, 32, 32, 3], "data": ["x"] * 3072}]},
            "could not convert",
        ),
    ],
)
def test_a_predictor_of_kserve_refuses_what_does_not_fit(made: Split, request_: dict[str, Any], said: str) -> None:

    name = made.bundles[0].inputs[0].name
    with pytest.raises(QuestionError, match=said):
        Predictor(made.folders[0])(json.loads(json.dumps(request_).replace("NAME", name)))


def test_the_script_measures_agents_that_were_started_by_hand(
    folder: Path, made: Split, data: Path, verdicts: list[Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    script = runpy.run_path(str(folder / "measure.py"), run_name="measure")
    with ExitStack() as stack:
        address: str | None = None
        for each in reversed(made.folders):
            agent = Agent(each, "127.0.0.1:0", address, threads=1)
            stack.callback(agent.close)
            address = agent.address
        assert address is not None
        call = ["--data", str(data), "--agent", address, "--frames", str(FRAMES)]
        assert measure_command(folder, script["PREDICTED"], call) == 0
    said = capsys.readouterr().out
    share = sum(verdict.exit == 3 for verdict in verdicts) / FRAMES
    assert re.search(rf"^leave at 3 +\d+\.\d\d% +{share:.2%}$", said, re.M)
    assert re.search(r"^latency, mean +\S+ ms +\S+ ms$", said, re.M)
    assert re.search(r"^  camera 1-4 +\S+ \w+ +\S+ \w+$", said, re.M)
    assert f"{FRAMES} frames answered, 0 failed" in said


def test_what_is_sent_through_codecs_is_left_to_agents(
    planned: Callable[..., Plan], cut: CutNetwork, topology: Topology, profile: Profile, tmp_path: Path
) -> None:
    plan = planned()
    split = split_plan(plan, cut, tmp_path)
    write_deployment(plan, split, topology, profile)
    coded = tuple(each.model_copy(update={"codec": "float16"} if each.stage == 1 else {}) for each in split.bundles)
    written = write_deployment(plan, replace(split, bundles=coded), topology, profile)
    assert {"kserve.yaml", "triton"}.isdisjoint(each.name for each in written)
    assert not (tmp_path / "kserve.yaml").exists()
    assert not (tmp_path / "triton").exists()


def test_the_script_says_in_a_line_what_is_wrong(folder: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = runpy.run_path(str(folder / "measure.py"), run_name="measure")
    for file, said in ((str(data), "127.0.0.1:1: UNAVAILABLE"), ("absent.npz", "absent.npz: there is no such file")):
        with pytest.raises(SystemExit) as stop:
            measure_command(folder, script["PREDICTED"], ["--data", file, "--agent", "127.0.0.1:1"])
        assert stop.value.code == 2
        assert said in capsys.readouterr().err


def test_what_is_there_already_is_written_anew(made: Split, folder: Path) -> None:
    assert [load_bundle(each).stage for each in made.folders] == [1, 2, 3]
    assert sorted(each.name for each in (folder / "triton").iterdir()) == [
        "plan", "stage1-camera-piece1", "stage1-camera-piece2", "stage2-gateway-piece1", "stage3-cloud-piece1"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", "measure.py", "triton/mine/1/model.onnx", "triton"])
def test_what_somebody_else_wrote_is_left_alone(
    made: Split, plan: Plan, topology: Topology, profile: Profile, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    moved = replace(made, folders=tuple(tmp_path / each.name for each in made.folders))
    with pytest.raises(InputError, match="was not written by tiercut split; name another folder"):
        write_deployment(plan, moved, topology, profile)
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [path]
    assert path.read_text() == "mine"


def test_what_was_written_here_may_be_written_anew(folder: Path) -> None:
    check_beside(folder)
