#!/bin/sh
# pyarrow 26.0.1: a Tensor made of a big-endian numpy array holds other numbers: 1.0 becomes 4.6e-41, silently.
#
# IDX, FITS and what comes off a network have numbers in that order, and numpy keeps them so. Tensor.from_numpy takes
# their bytes as if they were in the machine's own order, and so do the sparse tensors; what is written to a stream is
# wrong for every reader. pyarrow.array and FixedShapeTensorArray refuse such an array. One would expect the error, or
# the numbers. So call astype(dtype.newbyteorder("=")) before.
#
# Known of arrays, where it was mended: apache/arrow#39129 for lists of such arrays, and apache/arrow#3648.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 numpy==2.4.6
cat > "$folder/ask.py" <<'PYTHON'
import numpy as np
import pyarrow as pa

native = np.array([[1.0, 2.0, 0.5]], np.float32)
WAYS = {
    "array": lambda given: pa.array(given[0]),
    "FixedShapeTensorArray": pa.FixedShapeTensorArray.from_numpy_ndarray,
    "Tensor": lambda given: pa.Tensor.from_numpy(given).to_numpy(),
    "Tensor written and read": lambda given: written_and_read(pa.Tensor.from_numpy(given)).to_numpy(),
    "SparseCOOTensor": lambda given: pa.SparseCOOTensor.from_dense_numpy(given).to_tensor().to_numpy(),
}


def written_and_read(tensor):
    sink = pa.BufferOutputStream()
    pa.ipc.write_tensor(tensor, sink)
    return pa.ipc.read_tensor(pa.BufferReader(sink.getvalue()))


def seen(way, given):
    try:
        found = way(given)
    except pa.lib.ArrowNotImplementedError as error:
        return error
    if not isinstance(found, np.ndarray):
        return "right"
    swapped = found.view(np.dtype(">f4"))
    return "right" if np.array_equal(found, native) else f"{found.flat[0]:.1e}, bytes {np.array_equal(swapped, native)}"


assert np.array_equal(native, native.astype(">f4"))
for name, way in WAYS.items():
    print(f"{name}: {seen(way, native)}; {seen(way, native.astype('>f4'))}")
PYTHON
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
case "$said" in
    "array: right; Byte-swapped arrays not supported
FixedShapeTensorArray: right; Byte-swapped arrays not supported
Tensor: right; 4.6e-41, bytes True
Tensor written and read: right; 4.6e-41, bytes True
SparseCOOTensor: right; 4.6e-41, bytes True") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
