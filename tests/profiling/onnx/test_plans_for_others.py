"""Plans as ONNX Runtime's layer assignment and Olive's SplitModel read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from support.onnx_models import residual, saved

from tiercut.errors import QuestionError
from tiercut.profiling.models.blocks import find_blocks
from tiercut.profiling.models.onnx.annotated import LAYER_SETTING, annotated, layer_setting
from tiercut.profiling.models.onnx.graph_onnx import load_onnx

ANSWER = {
    "format": "tiercut.answer/1",
    "problem": {"topology": "t", "profile": "net", "blocks": 4, "nodes": 2, "thresholds": 1, "decisions": 2},
    "solver": {"name": "labels", "exact": True, "status": "optimal", "seconds": 0.0},
    "plans": [
        {"rank": 1, "latency_s": 1.0, "accuracy": None, "threshold": None, "partition": [2, 4],
         "placement": ["phone", "cloud"], "exits": [4], "codecs": [None], "bytes_sent": 1.0, "input_s": 0.0,
         "stages": [
             {"node": "phone", "blocks": [1, 2], "reach": 1.0, "exit_rate": 0.0, "compute_s": 0.5, "result_s": 0.0,
              "send_to": "cloud", "send_bytes": 1.0, "send_s": 0.0},
             {"node": "cloud", "blocks": [3, 4], "reach": 1.0, "exit_rate": 1.0, "compute_s": 0.5, "result_s": 0.0},
         ]},
    ],
}  # fmt: skip


def _session(made: Any, settings: str | None = None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if settings is not None:
        options.add_session_config_entry(LAYER_SETTING, settings)
    return onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])


def test_every_node_says_its_partition_and_the_network_answers_as_before(tmp_path: Path) -> None:
    found = load_onnx(saved(tmp_path, residual()))
    blocks = find_blocks(found.graph)
    made = annotated(found, blocks, [2, 4])
    labels = {node.output[0]: node.metadata_props[0].value for node in made.graph.node}
    assert {labels["/stem/act/Mul_output_0"], labels["rest"]} == {"partition1"}
    assert {labels["pooled"], labels["out"]} == {"partition2"}
    assert all(node.name.startswith(f"{labels[node.output[0]]}/") for node in made.graph.node)
    assert len({node.name for node in made.graph.node}) == len(made.graph.node)
    assert [(each.key, each.value) for each in made.metadata_props][-1] == (
        "split_assignments", "partition1=0;partition2=1"
    )  # fmt: skip
    onnx.checker.check_model(made)
    data = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)
    setting = layer_setting(["cpu", "cpu"])
    assert setting == "cpu(=partition1, =partition2)"
    own = _session(made, setting).run(None, {"x": data})[0]
    np.testing.assert_allclose(own, found.run(data), rtol=1e-5)
    with pytest.raises(Exception, match=r"[Ll]ayering"):
        _session(made, "cpu(=partition1")  # so ONNX Runtime does read it
    with pytest.raises(QuestionError, match=r"the plan's partition \(2, 5\) is none of the 4 blocks"):
        annotated(found, blocks, [2, 5])


def test_a_plan_is_written_by_a_command_with_the_settings_that_others_take(
    shell_call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path, residual())
    (tmp_path / "answer.json").write_text(json.dumps(ANSWER))
    call = ("export", "net.onnx", "marked.onnx", "--plan", "answer.json")
    status, out, err = shell_call(*call, "--runs", "cloud=cuda")
    assert status == 0, err
    assert json.loads(out) == {
        LAYER_SETTING: "cpu(=partition1); cuda(=partition2)", "split_assignments": "partition1=0;partition2=1"
    }  # fmt: skip
    assert onnx.load(tmp_path / "marked.onnx").graph.node[0].metadata_props[0].key == "layer_ann"
    assert shell_call(*call, "--runs", "clout=cuda")[0] == 2
    assert shell_call(*call, "--rank", "2")[0] == 2
    assert shell_call("export", "net.onnx", "other.onnx")[0] == 2
    assert shell_call("export", "net.onnx", "other.txt", "--plan", "answer.json")[0] == 2
    status, _, err = shell_call(*call, "--tensors", "2")
    assert (status, "is none of the 5 blocks" in err) == (2, True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["answer.json", "marked.onnx", "net.onnx"]
