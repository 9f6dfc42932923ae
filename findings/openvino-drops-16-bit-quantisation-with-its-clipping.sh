#!/bin/sh
# openvino 2026.4.1, CPU: a pair of QuantizeLinear and DequantizeLinear of 16 bits is removed, and its clipping too.
#
# The pair saturates at the ends of its range, here at 4. With int8 and uint8 OpenVINO keeps it. With int16 and uint16
# it takes the pair for rounding alone, so that 64 stays 64, without a word, even with INFERENCE_PRECISION_HINT f32.
# Below, onnx's reference comes first, OpenVINO second. One would expect what is beyond the range to saturate with any
# type.
#
# Known: openvinotoolkit/openvino#32719 brought such a removal for GPUs, and openvinotoolkit/openvino#35902, closed,
# proposed a Clamp in place of the pair.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    openvino==2026.4.1 onnx==1.23.2 protobuf==7.36.2 numpy==2.4.6
cat > "$folder/ask.py" <<'PYTHON'
import numpy as np
import onnx
import openvino
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


def seen(kind, scale):
    node = helper.make_node
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["d"]),
             node("Relu", ["d"], ["y"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy"]
    held = [numpy_helper.from_array(np.float32(scale), "s"), numpy_helper.from_array(kind(0), "z")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "model.onnx")
    call = openvino.compile_model("model.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    data = np.array([1, 8, 64], np.float32)
    answers = ReferenceEvaluator(model).run(None, {"x": data})[0], call([data])[0]
    return [np.round(each).tolist() for each in answers]


for kind in (np.int8, np.uint8, np.int16, np.uint16):
    print(kind.__name__, *seen(kind, 4 / np.iinfo(kind).max))
PYTHON
cd "$folder"
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
case "$said" in
    "int8 [1.0, 4.0, 4.0] [1.0, 4.0, 4.0]
uint8 [1.0, 4.0, 4.0] [1.0, 4.0, 4.0]
int16 [1.0, 4.0, 4.0] [1.0, 8.0, 64.0]
uint16 [1.0, 4.0, 4.0] [1.0, 8.0, 64.0]") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
