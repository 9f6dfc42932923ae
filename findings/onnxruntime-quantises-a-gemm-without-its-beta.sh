#!/bin/sh
# onnxruntime 1.32.0, quantize_static: the beta of a Gemm is lost, and with QGemm its alpha falls upon C too.
#
# torch.addmm is exported as a Gemm, alpha A B + beta C. QuantFormat.QDQ writes beta as 1 and puts the real one into the
# scale of C, where it cancels out; ONNX Runtime's optimisation disregards that scale, so that one file has two answers,
# both wrong. QuantFormat.QOperator writes QGemm, which has no beta, and whose alpha scales C as well, and divides C by
# neither. Below stands what C is multiplied with in the answers, without optimisation and with it: one would expect
# beta. So multiply alpha and beta into the weights before.
#
# Known in part: microsoft/onnxruntime#28130 is alpha in the optimisation of QDQ, and is mended.
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
ROWS = [{"x": rng.normal(size=(5, 8)).astype(np.float32)} for _ in range(8)]
HELD = {"w": rng.normal(size=(8, 6)).astype(np.float32), "b": 3 * rng.normal(size=6).astype(np.float32)}
LEVELS = [getattr(onnxruntime.GraphOptimizationLevel, f"ORT_{name}_ALL") for name in ("DISABLE", "ENABLE")]


class Rows(CalibrationDataReader):
    def __init__(self):
        self.left = iter(ROWS)

    def get_next(self):
        return next(self.left, None)


def written(alpha, beta):
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="gemm", alpha=alpha, beta=beta)
    sizes = {"x": [5, 8], "y": [5, 6]}
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in sizes.items()]
    held = [numpy_helper.from_array(numbers, name) for name, numbers in HELD.items()]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "float.onnx")


def factor_of_c(level, alpha):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession("whole.onnx", options, providers=["CPUExecutionProvider"])
    rest = session.run(None, ROWS[0])[0] - alpha * ROWS[0]["x"] @ HELD["w"]
    (factor,), *_ = np.linalg.lstsq(np.tile(HELD["b"], 5)[:, None], rest.ravel(), rcond=None)
    return f"{factor:.1f}"


for alpha, beta in ((1.0, 1.0), (1.0, 2.0), (2.0, 1.0)):
    written(alpha, beta)
    for kind in QuantFormat:
        quantize_static("float.onnx", "whole.onnx", Rows(), quant_format=kind)
        print(f"alpha {alpha} beta {beta} {kind.name}", *[factor_of_c(level, alpha) for level in LEVELS])
PYTHON
cd "$folder"
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
case "$said" in
    "alpha 1.0 beta 1.0 QOperator 1.0 1.0
alpha 1.0 beta 1.0 QDQ 1.0 1.0
alpha 1.0 beta 2.0 QOperator 0.5 0.5
alpha 1.0 beta 2.0 QDQ 1.0 0.5
alpha 2.0 beta 1.0 QOperator 2.0 2.0
alpha 2.0 beta 1.0 QDQ 1.0 1.0") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
