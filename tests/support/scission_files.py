"""Benchmark and network files as Scission writes them."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class LayerBenchmark:
    """What Scission pickles: a class of its main module, whose objects hold their values in ``__dict__``."""

    def __init__(self, **values: object) -> None:
        self.__dict__.update(values)


LayerBenchmark.__module__, LayerBenchmark.__qualname__ = "__main__", "LayerBenchmark"


@contextmanager
def main_class() -> Iterator[None]:
    """Let pickle find `LayerBenchmark` in ``__main__``, as it does where Scission runs."""
    main = sys.modules["__main__"]
    main.LayerBenchmark = LayerBenchmark  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del main.LayerBenchmark  # type: ignore[attr-defined]


def dat_bytes(models: Mapping[str, Sequence[Mapping[str, Any]]], protocol: int = 3) -> bytes:
    """Return the content of a ``.dat`` file: for each model, the attributes of its blocks."""
    with main_class():
        made = {model: [LayerBenchmark(**block) for block in blocks] for model, blocks in models.items()}
        return pickle.dumps(made, protocol=protocol)


def block(first: int, last: int, seconds: Any, size: Any, **more: Any) -> dict[str, Any]:
    """Return the attributes of one block."""
    known = {"model": "made", "device": "box", "input_layer": first, "output_layer": last}
    return known | {"second_prediction": seconds, "output_size": size} | more


def blocks_of(profile: Mapping[str, Any], device: str) -> list[dict[str, Any]]:
    """Return a model's blocks on one device, from a profile as its file holds it."""
    codec = next(iter(profile.get("codecs", {}).values()), None)
    made = []
    for place, (each, seconds) in enumerate(zip(profile["blocks"], profile["devices"][device]["block_s"], strict=True)):
        more = {} if codec is None else _transfer_layer(codec, device, place + 1)
        made.append(block(each["first_layer"], each["last_layer"], seconds, each["output_bytes"], **more))
    return made


def _transfer_layer(codec: Mapping[str, Any], device: str, place: int) -> dict[str, Any]:
    """Return the fields of ScissionTL, without a conversion; -1 stands for none."""
    size, encode, decode = codec["bytes"][place], codec["encode_s"][device][place], codec["decode_s"][device][place]
    names = ("tl_output_size", "downsample_time", "upsample_time", "dataconvert_time")
    return dict(zip(names, (-1,) * 4 if size is None else (size, encode, decode, 0.0), strict=True))


def write_network(path: Path, rows: Sequence[tuple[str, str, float, float]], *, spaces: bool = False) -> Path:
    """Write a network file with the line ends of Windows, padded with spaces or not."""
    comma = " , " if spaces else ","
    lines = [("source", "destination", "ping(ms)", "bandwidth(mbps)"), *rows]
    path.write_bytes("".join(comma.join(map(str, line)) + "\r\n" for line in lines).encode())
    return path
