#!/bin/sh
# torch 2.14.1, onnxscript 0.7.2: a convolution in bfloat16 is exported by default as a file that ONNX does not allow.
#
# torch.onnx.export(dynamo=True) writes opset 20 unless it is told otherwise, and Conv takes bfloat16 from opset 22 on.
# The export says nothing; onnx's checker with full_check and ONNX Runtime refuse the file for the type of its input.
# The same call with opset_version=22 writes a valid one, for which ONNX Runtime only lacks a kernel on CPUs. One would
# expect that opset, or an error.
#
# pip's default index gives torch with CUDA on x86 Linux: this environment takes 5.6 GB. No GPU is used.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch==2.14.1 onnxscript==0.7.2 onnx_ir==1.1.0 onnx==1.23.2 protobuf==7.36.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$folder/ask.py" <<'PYTHON'
import warnings

import onnx
import onnxruntime
import torch

warnings.filterwarnings("ignore")
network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()).bfloat16().eval()
example = torch.zeros(1, 3, 8, 8, dtype=torch.bfloat16)


def checked(model):
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.shape_inference.InferenceError as error:
        return "unsupported type" if "unsupported type: tensor(bfloat16)" in str(error) else str(error)
    return "valid"


def loaded(path):
    try:
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:
        return str(error).split(" : ")[2]
    return "loads"


def asked(**options):
    torch.onnx.export(network, (example,), "net.onnx", dynamo=True, verbose=False, **options)
    model = onnx.load("net.onnx")
    return f"{model.opset_import[0].version}: {checked(model)}, {loaded('net.onnx')}"


print("default", asked())
print("asked for", asked(opset_version=22))
PYTHON
cd "$folder"
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
case "$said" in
    "default 20: unsupported type, INVALID_GRAPH
asked for 22: valid, NOT_IMPLEMENTED") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
