"""Small ONNX models, built node by node, and the published ones that come inside packages."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import helper, numpy_helper  # noqa: E402

IR, OPSET = 10, 20

Sizes = Sequence[int | str | None]


def value(name: str, sizes: Sizes | None, kind: str = "float32") -> Any:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), sizes)


def weight(name: str, *sizes: int, seed: int = 0) -> Any:
    numbers = np.random.default_rng([seed, *name.encode()]).normal(size=sizes) / max(np.prod(sizes[1:]), 1) ** 0.5
    return numpy_helper.from_array(numbers.astype(np.float32), name)


def constant(name: str, numbers: Any, kind: str = "int64") -> Any:
    return numpy_helper.from_array(np.asarray(numbers, dtype=kind), name)


def model(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    weights: Sequence[Any] = (),
    *,
    opset: int = OPSET,
    domains: Sequence[tuple[str, int]] = (),
) -> Any:
    graph = helper.make_graph(nodes, "drawn", inputs, outputs, weights)
    versions = [helper.make_opsetid("", opset), *(helper.make_opsetid(*each) for each in domains)]
    return helper.make_model(graph, opset_imports=versions, ir_version=IR)


def saved(folder: Path, made: Any, name: str = "net.onnx") -> Path:
    path = folder / name
    path.write_bytes(made.SerializeToString())
    return path


def residual(*, batch: int | str | None = "n", size: int | str | None = 8) -> Any:
    """Return a stem, a residual block, a pooling and a classifier, with SiLU, a constant and an alias in it."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["/stem/conv/Conv_output_0"], pads=[1, 1, 1, 1], name="same"),
        node("Sigmoid", ["/stem/conv/Conv_output_0"], ["gate"], name="same"),
        node("Mul", ["/stem/conv/Conv_output_0", "gate"], ["/stem/act/Mul_output_0"]),
        node("Identity", ["/stem/act/Mul_output_0"], ["alias"]),
        node("Conv", ["alias", "w2"], ["inner"], pads=[1, 1, 1, 1]),
        node("Add", ["inner", "alias"], ["sum"]),
        node("Relu", ["sum"], ["rest"]),
        node("GlobalAveragePool", ["rest"], ["pooled"]),
        node("Shape", ["pooled"], ["shape"]),
        node("Gather", ["shape", "zero"], ["count"], axis=0),
        node("Concat", ["count", "minus"], ["form"], axis=0),
        node("Reshape", ["pooled", "form"], ["flat"]),
        node("Gemm", ["flat", "w3", "b3"], ["scores"], transB=1),
        node("Softmax", ["scores"], ["out"], axis=-1),
    ]
    weights = [weight("w1", 6, 3, 3, 3), weight("b1", 6), weight("w2", 6, 6, 3, 3), weight("w3", 4, 6), weight("b3", 4)]
    weights += [constant("zero", [0]), constant("minus", [-1])]
    return model(nodes, [value("x", [batch, 3, size, size])], [value("out", [batch, 4])], weights)


def with_exits() -> Any:
    """Return a chain of three dense layers with a classifier after each: logits, logits, probabilities."""
    node = helper.make_node
    nodes, weights = [], []
    before = "x"
    for number in (1, 2, 3):
        nodes += [
            node("Gemm", [before, f"w{number}"], [f"dense{number}"]),
            node("Relu", [f"dense{number}"], [f"block{number}"]),
            node("Gemm", [f"block{number}", f"c{number}"], [f"logits{number}"]),
        ]
        weights += [weight(f"w{number}", 6 if number > 1 else 4, 6), weight(f"c{number}", 6, 3)]
        before = f"block{number}"
    nodes.append(node("Softmax", ["logits3"], ["scores3"], axis=-1))
    outputs = [value("logits1", ["n", 3]), value("logits2", ["n", 3]), value("scores3", ["n", 3])]
    return model(nodes, [value("x", ["n", 4])], outputs, weights)


PUBLISHED: Mapping[str, tuple[str, str]] = {
    "320n": ("nudenet==3.4.2", "nudenet/320n.onnx"),
    "det": ("rapidocr-onnxruntime==1.4.4", "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx"),
    "cls": ("rapidocr-onnxruntime==1.4.4", "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    "rec": ("rapidocr-onnxruntime==1.4.4", "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"),
    "vad": ("silero-vad==6.2.3", "silero_vad/data/silero_vad.onnx"),
    "vad_op15": ("silero-vad==6.2.3", "silero_vad/data/silero_vad_16k_op15.onnx"),
    "vad_sequence": ("silero-vad==6.2.3", "silero_vad/data/silero_vad_16k_sequence.onnx"),
    "magika": ("magika==1.0.3", "magika/models/standard_v3_3/model.onnx"),
}
"""Published models: the package that holds each, and where in it."""

FOLDER = Path(os.environ.get("TIERCUT_WHEELS") or Path(tempfile.gettempdir()) / "tiercut-test-wheels")


def published(key: str) -> Path:
    """Return the file of a published model, from a package that is downloaded once; skip where it cannot be had."""
    package, member = PUBLISHED[key]
    target = FOLDER / Path(member).name.replace("model.onnx", "magika.onnx")
    if not target.exists():
        wheel = _wheel(package)
        if wheel is None:
            pytest.skip(f"{package} cannot be downloaded here")
        with zipfile.ZipFile(wheel) as archive:
            target.write_bytes(archive.read(member))
    return target


@cache
def _wheel(package: str) -> Path | None:
    name = package.partition("==")[0].replace("-", "_")
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not list(FOLDER.glob(f"{name}-*.whl")):
        call = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(FOLDER), package]
        subprocess.run(call, capture_output=True, check=False, timeout=300)
    return next(iter(FOLDER.glob(f"{name}-*.whl")), None)
