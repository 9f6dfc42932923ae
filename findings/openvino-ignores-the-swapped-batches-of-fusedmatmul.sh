#!/bin/sh
# openvino 2026.4.1: FusedMatMul's transBatchA and transBatchB are left out of account, silently.
#
# ONNX Runtime's extended optimisations write them into attention layers (a transposition of heads and positions, taken
# into the product). OpenVINO takes the operator and its transB, and ignores these two, so that the result has other
# sizes; where a Reshape follows nothing shows that: a transformer encoder that was optimised so was off by 30 % of its
# largest number. One would expect an error. So give it the graph as it was before ONNX Runtime optimised it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$folder/ask.py" <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(0)
left, right = rng.normal(size=(3, 2, 4)).astype(np.float32), rng.normal(size=(3, 2, 4)).astype(np.float32)


def seen(**attributes):
    node = helper.make_node("FusedMatMul", ["x", "w"], ["y"], domain="com.microsoft", transB=1, **attributes)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    ends[0] = helper.make_tensor_value_info("x", TensorProto.FLOAT, left.shape)
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], [numpy_helper.from_array(right, "w")])
    versions = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=versions, ir_version=10), "model.onnx")
    first = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"]).run(None, {"x": left})[0]
    second = openvino.compile_model("model.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([left])[0]
    return first.shape, second.shape, first.shape == second.shape and bool(np.allclose(first, second, atol=1e-5))


print("plain", *seen())
print("batches", *seen(transBatchA=1, transBatchB=1))
PYTHON
cd "$folder"
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>/dev/null)
printf '%s\n' "$said"
case "$said" in
    "plain (3, 2, 2) (3, 2, 2) True
batches (2, 3, 3) (3, 2, 2) False") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
