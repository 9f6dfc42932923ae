#!/bin/sh
# openvino 2026.4.1: weights of bfloat16 or float8 in an ONNX file's int32_data are read as whole numbers, silently.
#
# ONNX lets such weights stand as raw bytes, or as bit patterns in int32_data, which is what onnx.helper.make_tensor
# writes unless it is told otherwise. OpenVINO reads the first rightly, and takes the patterns for values: 1.0 in
# bfloat16 (0x3F80) becomes 16256, 0.25 in float8 (0x28) becomes 40. float16 is right both ways. One would expect the
# same numbers both ways.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    openvino==2026.4.1 onnx==1.23.2 protobuf==7.36.2 numpy==2.4.6 ml_dtypes==0.6.0
cat > "$folder/ask.py" <<'PYTHON'
import ml_dtypes
import numpy as np
import onnx
import openvino
from onnx import TensorProto, helper

NUMPY = {"FLOAT16": np.float16, "BFLOAT16": ml_dtypes.bfloat16, "FLOAT8E4M3FN": ml_dtypes.float8_e4m3fn}


def seen(kind, raw):
    numbers = [0.25, 1.0]
    held = np.array(numbers, NUMPY[kind]).tobytes() if raw else numbers
    weights = helper.make_tensor("w", getattr(TensorProto, kind), [2], held, raw=raw)
    nodes = [helper.make_node("Cast", ["w"], ["c"], to=TensorProto.FLOAT), helper.make_node("Add", ["x", "c"], ["y"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "model.onnx")
    call = openvino.compile_model("model.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return call([np.zeros(2, np.float32)])[0].tolist()


for kind in NUMPY:
    print(kind, seen(kind, raw=True), seen(kind, raw=False))
PYTHON
cd "$folder"
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
case "$said" in
    "FLOAT16 [0.25, 1.0] [0.25, 1.0]
BFLOAT16 [0.25, 1.0] [16000.0, 16256.0]
FLOAT8E4M3FN [0.25, 1.0] [40.0, 56.0]") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
