#!/bin/sh
# openvino 2026.4.1: FusedMatMul's transBatchA and transBatchB are left out of account, silently.
#
# ONNX Runtime's extended optimisations write them where axes are transposed before a product, as heads and positions
# are in attention layers. OpenVINO takes the operator and its transB, and ignores these two, so that the result has
# other sizes and other numbers. One would expect an error. So give it the graph as it was before ONNX Runtime optimised
# it.
#
# That graph is valid ONNX. The operator that comes of it lies in ONNX Runtime's own domain, com.microsoft, which onnx's
# checker does not know and so cannot judge: numpy's product is the witness for both files, ONNX Runtime (first) and
# OpenVINO (second) are held against it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    openvino==2026.4.1 onnx==1.23.2 protobuf==7.36.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$folder/ask.py" <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper

rng = np.random.default_rng(0)
data = {name: rng.normal(size=(3, 2, 4)).astype(np.float32) for name in "ab"}
orders = {"a": (1, 0, 2), "b": (1, 2, 0)}
wanted = data["a"].transpose(orders["a"]) @ data["b"].transpose(orders["b"])

nodes = [helper.make_node("Transpose", [name], [name * 2], perm=order) for name, order in orders.items()]
nodes.append(helper.make_node("MatMul", ["aa", "bb"], ["y"]))
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3, 2, 4]) for name in data]
result = helper.make_tensor_value_info("y", TensorProto.FLOAT, wanted.shape)
graph = helper.make_graph(nodes, "g", ends, [result])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, "plain.onnx")

options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
options.optimized_model_filepath = "fused.onnx"
onnxruntime.InferenceSession("plain.onnx", options, providers=["CPUExecutionProvider"])
for node in onnx.load("fused.onnx").graph.node:
    print(node.op_type, *sorted(each.name for each in node.attribute if each.name.startswith("trans") and each.i))


def as_numpy(found):
    return found.shape, found.shape == wanted.shape and bool(np.allclose(found, wanted, atol=1e-5))


print("numpy", wanted.shape)
for file in ("plain", "fused"):
    session = onnxruntime.InferenceSession(f"{file}.onnx", providers=["CPUExecutionProvider"])
    call = openvino.compile_model(f"{file}.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    print(file, *as_numpy(session.run(None, data)[0]), *as_numpy(call(data)[0]))
PYTHON
cd "$folder"
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
case "$said" in
    "FusedMatMul transB transBatchA transBatchB
numpy (2, 3, 3)
plain (2, 3, 3) True (2, 3, 3) True
fused (2, 3, 3) True (3, 2, 2) False") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
