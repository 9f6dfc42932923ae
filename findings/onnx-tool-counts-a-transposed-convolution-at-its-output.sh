#!/bin/sh
# onnx-tool 1.0.1: a transposed convolution is counted as if each number of its output took a whole kernel.
#
# It does the products of the convolution that it mirrors: every number of the input meets the kernel once. onnx-tool
# multiplies the numbers of the output by the weights of one channel of the input: too many by about the square of the
# stride, 1024 times for an upsampling by 32 as in FCN, and by the share of output channels to input channels. So a
# decoder seems to be where all the time goes. Below stand multiply-adds as onnx-tool counts them of the convolution
# that is mirrored and of the transposed one, and what is right for both. One would expect the same number thrice.
#
# Known: ThanatosShinji/onnx-tool#32 tells of it, and is open since 2023.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    onnx-tool==1.0.1 onnx==1.23.2 protobuf==7.36.2 numpy==2.4.6
cat > "$folder/ask.py" <<'PYTHON'
import numpy as np
import onnx
import onnx_tool
from onnx import TensorProto, helper, numpy_helper


def counted(kind, stride, given, result, weights):
    node = helper.make_node(kind, ["x", "w"], ["y"], strides=[stride, stride])
    sizes = {"x": given, "y": result}
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in sizes.items()]
    held = [numpy_helper.from_array(np.zeros(weights, np.float32), "w")]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    found = onnx_tool.Model(model, {"verbose": False}).graph
    found.shape_infer({"x": np.zeros(given, np.float32)})
    found.profile()
    return int(np.ravel(found.macs)[0])


def both(many, few, stride):
    """Count both ways between `many` channels of 5 x 5 and `few` channels of more."""
    size = 4 * stride + 3
    small, large, weights = [1, many, 5, 5], [1, few, size, size], (many, few, 3, 3)
    down = counted("Conv", stride, large, small, weights)
    return down, counted("ConvTranspose", stride, small, large, weights), 5 * 5 * many * few * 3 * 3


print("stride 1, 4 to 4 channels", *both(4, 4, 1))
print("stride 2, 4 to 4 channels", *both(4, 4, 2))
print("stride 2, 2 to 8 channels", *both(2, 8, 2))
print("stride 2, 8 to 2 channels", *both(8, 2, 2))
PYTHON
cd "$folder"
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
case "$said" in
    "stride 1, 4 to 4 channels 3600 7056 3600
stride 2, 4 to 4 channels 3600 17424 3600
stride 2, 2 to 8 channels 3600 69696 3600
stride 2, 8 to 2 channels 3600 4356 3600") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
