"""Keras models as ONNX files, and timed by ONNX Runtime; needs both, and tf2onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")

from tiercut.errors import QuestionError
from tiercut.profiling.models.exporting import from_keras
from tiercut.profiling.models.exporting.from_keras import export_keras
from tiercut.profiling.models.onnx.graph_onnx import load_onnx
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.record.record import record_model
from tiercut.profiling.record.settings import Settings
from tiercut.profiling.timing.timing import Effort


def _network(keras: Any) -> Any:
    entry = keras.Input((16, 16, 3), name="image")
    normal = keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0], name="normal")(entry)
    maps = keras.layers.Conv2D(4, 3, activation="relu", name="maps")(normal)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(maps)
    early = keras.layers.Dense(3, activation="softmax", name="early")(pooled)
    late = keras.layers.Dense(3, activation="softmax", name="late")(keras.layers.Dense(8, name="mid")(pooled))
    return keras.Model(entry, [early, late], name="two")


def test_exits_are_named_outputs_and_a_normalisation_keeps_its_mean(keras: Any, tmp_path: Path) -> None:
    model = _network(keras)
    export_keras(model, tmp_path / "two.onnx", outputs=["exit1", "exit2"])
    found = load_onnx(tmp_path / "two.onnx", exits=("exit1", "exit2"))
    assert ([each.name for each in found.source.inputs], found.source.outputs) == (["image"], ("exit1", "exit2"))
    data = np.random.default_rng(0).random((5, 16, 16, 3), dtype=np.float32) * 5
    for own, whole in zip(found.predict(["exit1", "exit2"], data, 5), model(data, training=False), strict=True):
        np.testing.assert_allclose(own, keras.ops.convert_to_numpy(whole), atol=1e-5)


def test_what_answers_otherwise_is_not_written(keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, other = _network(keras), _network(keras)
    write = from_keras._write
    plain = from_keras._arithmetic(other)
    plain(np.zeros((1, 16, 16, 3), np.float32))
    monkeypatch.setattr(from_keras, "_write", lambda _, path: write(plain, path))
    with pytest.raises(QuestionError, match="answers something else as an ONNX file"):
        export_keras(model, tmp_path / "wrong.onnx")
    assert not (tmp_path / "wrong.onnx").exists()


def test_what_onnx_runtime_does_not_take_is_said(keras: Any, tmp_path: Path) -> None:
    entry = keras.Input((4,), name="numbers")
    model = keras.Model(entry, keras.layers.Dense(3, activation="gelu", name="exact")(entry), name="smooth")
    with pytest.raises(QuestionError, match="'smooth' cannot be exported to ONNX: ONNX Runtime does not take"):
        export_keras(model, tmp_path / "smooth.onnx")
    assert not (tmp_path / "smooth.onnx").exists()


@pytest.mark.filterwarnings("ignore::tiercut.errors.TiercutWarning")
def test_a_keras_model_is_timed_by_onnx_runtime(keras: Any, tmp_path: Path) -> None:
    effort = Effort(runs=3, least=3, precision=1.0, burst=1)
    settings = Settings(size=(32, 32), runtime="onnx", effort=effort)
    profile = load_profile(record_model("lenet", tmp_path / "lenet.json", settings).path)
    device = profile.devices["local"]
    assert (profile.model, device.backend) == ("lenet", "onnxruntime")
    assert device.framework.startswith("onnxruntime ")
    assert profile.block_count > 3
    with pytest.raises(QuestionError, match="Keras does not run"):
        record_model("net.onnx", tmp_path, Settings(runtime="keras"))
