#!/bin/sh
# openvino 2026.4.1: keep_aspect_ratio_policy, exclude_outside and antialias of ONNX's Resize are ignored.
#
# keep_aspect_ratio_policy decides about the size of the result: of 4 x 8 that is to be 8 x 8 at most, ONNX makes 4 x 8,
# and OpenVINO 8 x 8. exclude_outside (cubic, as TensorFlow does it) and antialias (as PIL does it) decide about the
# numbers, and OpenVINO's are those of a Resize without them. Below, onnx's reference comes first, ONNX Runtime second,
# OpenVINO third. One would expect the same numbers, or an error, as for what else OpenVINO cannot do.
#
# Known in part: openvinotoolkit/openvino#35893 is open for antialias in cubic mode.
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
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

data = np.arange(32, dtype=np.float32).reshape(1, 1, 4, 8)


def seen(sizes, result, **said):
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], axes=[2, 3], **said)
    shapes = {"x": data.shape, "y": (1, 1, *result)}
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    held = [numpy_helper.from_array(np.array(sizes, np.int64), "sizes")]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "model.onnx")
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    call = openvino.compile_model("model.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answers = (ReferenceEvaluator(model).run(None, {"x": data})[0], session.run(None, {"x": data})[0], call([data])[0])
    return [f"{each.shape[2:]} {each.flat[0]:.3f}" for each in answers]


print("not_larger", *seen([8, 8], (4, 8), mode="nearest", keep_aspect_ratio_policy="not_larger"))
print("not_smaller", *seen([8, 8], (8, 16), mode="nearest", keep_aspect_ratio_policy="not_smaller"))
for given in (0, 1):
    print("exclude_outside", given, *seen([2, 4], (2, 4), mode="cubic", exclude_outside=given))
for given in (0, 1):
    print("antialias", given, *seen([2, 4], (2, 4), mode="linear", antialias=given))
PYTHON
cd "$folder"
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
case "$said" in
    "not_larger (4, 8) 0.000 (4, 8) 0.000 (8, 8) 0.000
not_smaller (8, 16) 0.000 (8, 16) 0.000 (8, 8) 0.000
exclude_outside 0 (2, 4) 3.656 (2, 4) 3.656 (2, 4) 3.656
exclude_outside 1 (2, 4) 3.343 (2, 4) 3.343 (2, 4) 3.656
antialias 0 (2, 4) 4.500 (2, 4) 4.500 (2, 4) 4.500
antialias 1 (2, 4) 5.625 (2, 4) 5.625 (2, 4) 4.500") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
