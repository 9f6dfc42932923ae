#!/bin/sh
# openvino 2026.4.1: MaxPool with ceil_mode from an ONNX file may get a row and a column too many, of the lowest float.
#
# ONNX leaves out windows that would start in the padding on the far side, as PyTorch does, where such files come from.
# ONNX Runtime (first below) does so, and OpenVINO (second) with AveragePool. With MaxPool OpenVINO keeps these windows,
# so that its result is larger than the file says it is, and -3.4e38 stands in what is new. One would expect the sizes
# that AveragePool has.
#
# Known: openvinotoolkit/openvino#18731 told it of OpenVINO's own operator, and was closed when models that are imported
# from PyTorch without ONNX had been mended.
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

data = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)


def seen(kind, opset):
    window = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}
    # Shape inference of older opsets counts these windows too, so that a file cannot name its result's sizes.
    sizes = {"x": [1, 1, 5, 5], "y": [1, 1, 3, 3] if opset >= 22 else [1, 1, "h", "w"]}
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in sizes.items()]
    graph = helper.make_graph([helper.make_node(kind, ["x"], ["y"], **window)], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "model.onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession("model.onnx", options, providers=["CPUExecutionProvider"])
    call = openvino.compile_model("model.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answers = session.run(None, {"x": data})[0], call([data])[0]
    return [f"{each.shape[2:]} {(each < -1e38).sum()} lowest" for each in answers]


for opset in (12, 22):
    for kind in ("AveragePool", "MaxPool"):
        print(opset, kind, *seen(kind, opset))
PYTHON
cd "$folder"
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
case "$said" in
    "12 AveragePool (3, 3) 0 lowest (3, 3) 0 lowest
12 MaxPool (3, 3) 0 lowest (4, 4) 7 lowest
22 AveragePool (3, 3) 0 lowest (3, 3) 0 lowest
22 MaxPool (3, 3) 0 lowest (4, 4) 7 lowest") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
