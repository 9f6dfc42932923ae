#!/bin/sh
# onnxconverter-common 1.16.0: float16 with keep_io_types writes a file that does not load if nodes have no names.
#
# Names of nodes are optional, and some exporters write none. convert_float_to_float16(keep_io_types=True) calls the
# Cast between an input and a node after both: two nodes without a name that read one input get two casts of one name,
# which ONNX Runtime refuses. With names the same model loads. One would expect names that differ. So name nodes first.
#
# Known: microsoft/onnxconverter-common#259 is open with the same message. ONNX Runtime mended the copy that it ships
# (microsoft/onnxruntime#27469); that one is asked below too.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    onnxconverter-common==1.16.0 onnx==1.23.2 protobuf==7.36.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$folder/ask.py" <<'PYTHON'
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxconverter_common import float16
from onnxruntime.transformers import float16 as mended


def loads(converter, *names):
    kinds = ("Relu", "Neg")
    nodes = [helper.make_node(kind, ["x"], [kind], name=name) for kind, name in zip(kinds, names, strict=True)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", *kinds)]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    half = converter.convert_float_to_float16(model, keep_io_types=True)
    try:
        onnxruntime.InferenceSession(half.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception as error:
        return str(error).rpartition("Error: ")[2]
    return "loads"


print("named:", loads(float16, "a", "b"))
print("without names:", loads(float16, "", ""))
print("without names, ONNX Runtime's copy:", loads(mended, "", ""))
PYTHON
cd "$folder"
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
case "$said" in
    "named: loads
without names: two nodes with same node name (x_cast_to_).
without names, ONNX Runtime's copy: loads") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
