"""What stands beside bundles, held against the schemas of those who read it, where their packages are installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tiercut.offloader.bundles.split import split_plan
from tiercut.offloader.deployment.files import write_deployment
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork, Profile
from tiercut.topologies import Topology

pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")


@pytest.fixture(scope="module")
def folder(
    plan: Plan, cut: CutNetwork, topology: Topology, profile: Profile, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    made = tmp_path_factory.mktemp("deployed")
    write_deployment(plan, split_plan(plan, cut, made), topology, profile)
    return made


def documents(path: Path) -> list[Any]:
    return list(YAML(typ="safe").load_all(path.read_text(encoding="utf-8")))


def test_the_compose_project_fits_the_specification(folder: Path) -> None:
    compose = pytest.importorskip("compose_spec", reason="validates with the package compose-spec")
    compose.PyCompose.from_yaml((folder / "compose.yaml").read_text(encoding="utf-8"))


def test_the_manifests_fit_the_schemas_of_kubernetes(folder: Path) -> None:
    kubernetes = pytest.importorskip("kubernetes_validate", reason="validates with the package kubernetes-validate")
    for each in documents(folder / "kubernetes.yaml"):
        kubernetes.validate(each, kubernetes.latest_version(), strict=True)


@pytest.mark.parametrize("early", [True, False])
def test_the_configurations_of_triton_are_messages_of_its_protocol(
    early: bool, planned: Callable[..., Plan], cut: CutNetwork, topology: Topology, profile: Profile, tmp_path: Path
) -> None:
    model_config = pytest.importorskip(
        "tritonclient.grpc.model_config_pb2", reason="validates with the package tritonclient"
    )
    from google.protobuf import text_format

    plan = planned() if early else planned(partition=[2, 12], placement=["camera", "cloud"], exits=[12], threshold=None)
    write_deployment(plan, split_plan(plan, cut, tmp_path), topology, profile)
    found = {}
    for path in (tmp_path / "triton").glob("*/config.pbtxt"):
        config = text_format.Parse(path.read_text(encoding="utf-8"), model_config.ModelConfig())
        assert config.name == path.parent.name
        assert list((path.parent / "1").iterdir()) or config.platform == "ensemble"
        found[config.name] = config
    whole = found.pop("plan")
    steps = [each.model_name for each in whole.ensemble_scheduling.step] or list(found)
    assert set(steps) == set(found)
    assert bool(whole.parameters["plan"].string_value) == early
