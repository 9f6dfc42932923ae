#!/bin/sh
# onnxruntime 1.32.0, quantize_static: a bias that two convolutions share is right for the first alone.
#
# Detectors share a head, weights and bias, between the levels of a pyramid. In QLinearConv a bias is whole numbers
# whose step is that of the input times that of the weights. QuantFormat.QOperator rounds a shared bias once, with the
# step of the first input, and hands it to both convolutions: where the second input is 30 times as large, so is its
# bias. QuantFormat.QDQ makes one for each. Below stands the largest error of both outputs, in parts of the largest
# number. One would expect a bias for each. So give every node a bias of its own before.
#
# Known: microsoft/onnxruntime#7982 proposed a mend in 2021 and is open.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    onnxruntime==1.32.0 onnx==1.23.2 protobuf==7.36.2 numpy==2.4.6
cat > "$folder/ask.py" <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

rng = np.random.default_rng(0)
SIZES = {"small": 1.0, "large": 30.0}
ROWS = [{n: (size * rng.normal(size=(1, 3, 8, 8))).astype(np.float32) for n, size in SIZES.items()} for _ in range(8)]


class Rows(CalibrationDataReader):
    def __init__(self):
        self.left = iter(ROWS)

    def get_next(self):
        return next(self.left, None)


def written(shared):
    weights = rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    bias = np.array([20.0, -10.0, 5.0, 15.0], np.float32)
    names = dict.fromkeys(SIZES, "bias") if shared else {name: f"bias of {name}" for name in SIZES}
    held = [numpy_helper.from_array(weights, "w")]
    held += [numpy_helper.from_array(bias, name) for name in sorted(set(names.values()))]
    nodes = [helper.make_node("Conv", [n, "w", names[n]], [f"{n} out"], name=f"head on {n}") for n in SIZES]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in SIZES]
    outs = [helper.make_tensor_value_info(f"{name} out", TensorProto.FLOAT, [1, 4, 6, 6]) for name in SIZES]
    graph = helper.make_graph(nodes, "g", ends, outs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "float.onnx")


def answers(file):
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, ROWS[0])


for shared in (False, True):
    written(shared)
    wanted = answers("float.onnx")
    for kind in QuantFormat:
        quantize_static("float.onnx", "whole.onnx", Rows(), quant_format=kind)
        errors = [float(abs(a - b).max() / abs(b).max()) for a, b in zip(answers("whole.onnx"), wanted, strict=True)]
        said = ["right" if each < 0.02 else f"{each:.1f}" for each in errors]
        print("shared" if shared else "apart", kind.name, *said)
PYTHON
cd "$folder"
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
case "$said" in
    "apart QOperator right right
apart QDQ right right
shared QOperator right 1.2
shared QDQ right right") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
