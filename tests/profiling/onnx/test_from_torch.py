"""PyTorch models: exported for the batch that is timed, cut, and recorded as ONNX files are."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tiercut.errors import QuestionError
from tiercut.profiling.models.loader import load_model, runs_on_onnx
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.record import campaign
from tiercut.profiling.record.settings import profile_stem
from tiercut.profiling.record.worker import record_here

SOURCE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.SiLU())
        self.body = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x)
        x = torch.relu(self.body(x) + x)
        return self.head(x.mean((2, 3)).view(x.shape[0], -1))


def net():
    torch.manual_seed(0)
    return Net(), torch.zeros(1, 3, 16, 16)


def alone():
    return Net()


def odd():
    return Net(), [1, 2]
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "torch_net_for_tests.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    yield "torch_net_for_tests"
    sys.modules.pop("torch_net_for_tests", None)


def test_a_module_that_imports_torch_and_no_keras_needs_no_keras(module: str, tmp_path: Path) -> None:
    (tmp_path / "both_for_tests.py").write_text("import keras\nimport torch\ndef net(): ...\n")
    assert runs_on_onnx(f"{module}:net")
    assert not runs_on_onnx("both_for_tests:net")
    assert not runs_on_onnx("resnet20")
    assert profile_stem(f"{module}:net") == "net"


def test_a_pytorch_model_is_cut_with_the_names_of_its_modules(module: str, shell_call: Any) -> None:
    pytest.importorskip("torch")
    status, out, err = shell_call("blocks", f"{module}:net", "--json")
    assert status == 0, err
    made = json.loads(out)
    assert made["model"] == "net"
    assert made["blocks"][0]["module"].startswith("stem")
    assert made["blocks"][0]["output_bytes"] == 8 * 256 * 4


@pytest.mark.filterwarnings("ignore::tiercut.errors.TiercutWarning")
def test_a_pytorch_model_is_recorded_for_every_batch(
    module: str, shell_call: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(campaign.Worker, "record", lambda _, *given, **named: record_here(*given, **named))
    quick = ("--runs", "3", "--limit", "5 s")
    status, _, err = shell_call("profile", f"{module}:net", "--batch", "4", *quick, "--output", tmp_path / "net.json")
    assert status == 0, err
    profile = load_profile(tmp_path / "net.json")
    assert (profile.batch, profile.input_bytes) == (4, 4 * 3 * 256 * 4)
    assert profile.devices["local"].backend == "onnxruntime"


def test_a_model_without_an_example_is_refused(module: str) -> None:
    pytest.importorskip("torch")
    with pytest.raises(QuestionError, match="let it return the model and an example of its input"):
        load_model(f"{module}:alone")
    with pytest.raises(QuestionError, match="the example must be a tensor or a tuple of tensors, not list"):
        load_model(f"{module}:odd")
