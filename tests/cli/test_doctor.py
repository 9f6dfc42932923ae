"""What ``tiercut doctor`` says of an installation."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

import tiercut

Call = Callable[..., tuple[int, str, str]]


def test_json_says_what_is_installed_and_where_compiled_code_is_kept(shell_call: Call) -> None:
    tiercut.solve("mobile", "resnet20-digits32", solver="exhaustive", min_accuracy=0.9)  # compiles
    status, out, err = shell_call("doctor", "--json")
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert found["format"] == "tiercut.doctor/1"
    assert found["tiercut"]["version"] == tiercut.__version__
    assert found["packages"]["numpy"] == metadata.version("numpy")
    assert Path(found["compiled_code"]["folder"]).is_dir()
    assert found["compiled_code"]["files"] > 0


def test_an_extra_that_is_missing_is_named_with_the_way_to_get_it(
    shell_call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = metadata.version

    def without(package: str) -> str:
        if package == "grpcio":
            raise metadata.PackageNotFoundError(package)
        return versions(package) if package == "numpy" else "1.0"

    declared = [
        "numpy>=2",
        'onnxruntime>=1.31; extra == "onnx"',
        "tiercut[onnx] ; extra == 'offload'",
        'grpcio>=1.71; extra == "offload"',
        'pytest>=8; extra == "test"',
    ]
    monkeypatch.setattr(metadata, "requires", lambda _: declared)
    monkeypatch.setattr(metadata, "version", without)
    extras = json.loads(shell_call("doctor", "--json")[1])["extras"]
    assert list(extras) == ["onnx", "offload"]
    assert extras["onnx"]["get_it"] is None
    assert extras["offload"]["get_it"] == "pip install 'tiercut[offload]'"
    assert extras["offload"]["packages"] == {"onnxruntime": "1.0", "grpcio": None}  # of the extra that it holds, too
    row = next(line for line in shell_call("doctor")[1].splitlines() if line.strip().startswith("offload "))
    assert row.split()[1:2] == ["grpcio"]
    assert row.rstrip().endswith("pip install 'tiercut[offload]'")


def test_tables_fit_80_columns(shell_call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = shell_call("doctor")
    assert status == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "compiled code" in out
