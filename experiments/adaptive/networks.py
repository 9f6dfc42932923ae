"""The eight networks of this study, as ONNX files: ``python experiments/adaptive/networks.py FOLDER``.

Those of Keras Applications come without trained weights, since only times are measured. AlexNet and LeNet are not among
them and are built here, so that layers and size are those of the paper's table I. VGG19 is written as ONNX straight
away: Keras' export of it takes more than 17 GB of memory (TensorFlow's folding of constants). What is there already
stays. Needs the extras ``profiling`` and ``keras-onnx``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

__all__ = ["NETWORKS", "Network"]

FRAMES = 16


class Network(NamedTuple):
    """A network of the study.

    Parameters
    ----------
    name
        What it is called; of six, in Keras Applications too.
    pixels
        Height and width of its images.
    layers, megabytes
        What the paper's table I says of it.
    """

    name: str
    pixels: int
    layers: int
    megabytes: int

    def file(self, folder: Path) -> Path:
        """Return where its network lies."""
        return folder / f"{self.name}.onnx"

    def profile(self, folder: Path) -> Path:
        """Return where its profile lies."""
        return folder / f"{self.name}.json"

    def data(self, folder: Path) -> Path:
        """Return where its frames lie."""
        return folder / f"{self.pixels}.npz"


NETWORKS = (
    Network("MobileNet", 224, 93, 16),
    Network("VGG16", 112, 23, 527),
    Network("LeNet", 32, 11, 7),
    Network("ResNet50", 112, 177, 98),
    Network("DenseNet121", 112, 429, 31),
    Network("AlexNet", 224, 25, 110),
    Network("ResNet50V2", 112, 192, 98),
    Network("VGG19", 112, 26, 548),
)
"""In an order in which small and large ones, chains and others, take turns.

Images of 112x112 take 150 KB as float32, as those of the paper do as files, and a quarter of the arithmetic of 224x224.
AlexNet leaves nothing of less than 224, and MobileNet would be done before other work gets its turn."""


def main() -> None:
    """Make what is not there."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for network in NETWORKS:
        if not network.data(folder).exists():
            images = np.random.default_rng(0).random((FRAMES, network.pixels, network.pixels, 3), np.float32)
            np.savez(network.data(folder), images=images)
        if network.file(folder).exists():
            continue
        if network.name == "VGG19":
            write_vgg19(network.file(folder), network.pixels)
        elif network.name in BUILT:
            model = folder / f"{network.name}.keras"
            BUILT[network.name]().save(model)
            call("export", model, network.file(folder))
        else:
            size = f"{network.pixels}x{network.pixels}"
            call("export", network.name, network.file(folder), "--input-size", size)


def call(*words: object) -> None:
    """Run a command of tiercut."""
    command = [sys.executable, "-m", "tiercut", *map(str, words)]
    subprocess.run(command, check=True)


def alexnet() -> Any:
    """Return AlexNet as it is often written in Keras: 25 layers, unpadded, and 28 million weights (112 MB).

    The paper's own is not told further. Padding as in the original would give more than twice as many weights.
    """
    from keras import layers as k

    convolutions = ((96, 11, 4, True), (256, 11, 1, True), (384, 3, 1, False), (384, 3, 1, False), (256, 3, 1, True))
    found: list[Any] = []
    for width, size, stride, pools in convolutions:
        found += [k.Conv2D(width, size, strides=stride), k.Activation("relu"), *([k.MaxPooling2D()] if pools else [])]
    found.append(k.Flatten())
    for width in (4096, 4096, 1000):
        found += [k.Dense(width), k.Activation("relu"), k.Dropout(0.4)]
    return _chain("AlexNet", 224, [*found, k.Dense(17), k.Activation("softmax")])


def lenet() -> Any:
    """Return LeNet as it is often written in Keras: 11 layers, with 20 and 50 filters, and 1.6 million weights."""
    from keras import layers as k

    found: list[Any] = []
    for width in (20, 50):
        found += [k.Conv2D(width, 5, padding="same"), k.Activation("relu"), k.MaxPooling2D()]
    found += [k.Flatten(), k.Dense(500), k.Activation("relu"), k.Dense(10), k.Activation("softmax")]
    return _chain("LeNet", 32, found)


def _chain(name: str, pixels: int, layers: list[Any]) -> Any:
    import keras

    return keras.Sequential([keras.Input((pixels, pixels, 3)), *layers], name=name)


def write_vgg19(path: Path, pixels: int) -> None:
    """Write VGG19 (Simonyan and Zisserman, 2014, configuration E) as an ONNX file, for images as Keras takes them."""
    import onnx
    from onnx import helper, numpy_helper

    rng, nodes, weights, last = np.random.default_rng(0), [], [], "images"

    def add(sort: str, *shape: int, **attributes: Any) -> None:
        nonlocal last
        name, inputs = f"{sort.lower()}{len(nodes)}", [last]
        if shape:
            spread = np.sqrt(2 / np.prod(shape[1:]))
            kernel, bias = rng.standard_normal(shape, np.float32) * np.float32(spread), np.zeros(shape[0], np.float32)
            for each, values in ((f"{name}/kernel", kernel), (f"{name}/bias", bias)):
                weights.append(numpy_helper.from_array(values, each))
                inputs.append(each)
        nodes.append(helper.make_node(sort, inputs, [name], name=name, **attributes))
        last = name

    add("Transpose", perm=[0, 3, 1, 2])
    before, size = 3, pixels
    for width, count in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        for _ in range(count):
            add("Conv", width, before, 3, 3, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
            add("Relu")
            before = width
        add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        size //= 2
    add("Flatten")
    for width, inputs in ((4096, before * size * size), (4096, 4096), (1000, 4096)):
        add("Gemm", width, inputs, transB=1)
        add("Softmax" if width == 1000 else "Relu")
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("images", [1, pixels, pixels, 3]), (last, [1, 1000]))
    ]
    graph = helper.make_graph(nodes, "VGG19", ends[:1], ends[1:], weights)
    opsets = [helper.make_opsetid("", 15)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))


BUILT = {"AlexNet": alexnet, "LeNet": lenet}
"""Those that are not among Keras Applications."""


if __name__ == "__main__":
    main()
