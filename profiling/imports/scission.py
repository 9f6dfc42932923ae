"""Benchmark files of Scission and ScissionTL, ``<tier>-<name>.dat``, as profiles.

Sources: Lockhart et al., Scission (UCC 2020), section II-C; Ahn et al., ScissionLite (2021), section 3.2. Each file
holds, for one machine, the mean time and the output size of every block of every model that was benchmarked there.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiercut.documents import read_bytes
from tiercut.errors import InputError
from tiercut.profiling.imports.pickled import CLASS, Record, read_pickled
from tiercut.profiling.profile.schema import FORMAT, Profile

__all__ = ["TIERS", "BlockTimes", "Machine", "file_name", "profiles_of", "read_benchmarks", "read_machine"]

TIERS = ("device", "edge", "cloud")
"""Tiers in the order in which Scission uses them; the first part of a file's name."""

CODEC = "transfer-layer"
SIZE_LIMIT = 2 << 20
"""Most bytes of a file: its 18 models in numpy's numbers take a tenth of that."""

_MOST_BLOCKS = 100_000
_LONGEST = 80
_TL_FIELDS = ("tl_output_size", "downsample_time", "upsample_time", "dataconvert_time")
_NONE = -1
"""What ScissionTL writes where a block has no transfer layer."""


@dataclass(frozen=True, slots=True)
class BlockTimes:
    """One block on one machine.

    Parameters
    ----------
    layers
        First and last layer, inclusive.
    seconds, output_bytes
        Mean time, and size of the output with the 128 bytes of a file header.
    codec
        Bytes, encode and decode seconds of the transfer layer behind it; None where it has none.
    """

    layers: tuple[int, int]
    seconds: float
    output_bytes: int
    codec: tuple[int, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """What one file holds: the tier and the name of a machine, and its times by model."""

    file: str
    tier: str
    name: str
    models: Mapping[str, tuple[BlockTimes, ...]]


def read_benchmarks(folder: str | os.PathLike[str], *, transfer_layer: bool = False) -> list[Machine]:
    """Return what the ``.dat`` files of a folder hold, devices first, then edges and clouds, each by name.

    Parameters
    ----------
    folder
        Where the files are.
    transfer_layer
        Whether they come from ScissionTL, and have the sizes and times of its transfer layer.

    Raises
    ------
    InputError
        If there are none, or anything in one of them is wrong; the message names the file, the model and the block.
    """
    source = os.fspath(folder)
    if not Path(folder).is_dir():
        raise InputError(source, "there is no such folder")
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix == ".dat")
    if not paths:
        raise InputError(source, "holds no .dat file; Scission names them <tier>-<name>.dat, such as edge-box.dat")
    machines = [read_machine(path, transfer_layer=transfer_layer) for path in paths]
    taken: dict[str, str] = {}
    for machine in machines:
        if machine.name in taken:
            both = f"{taken[machine.name]} and {machine.file}"
            raise InputError(source, f"{both} are both called '{machine.name}'; rename one, here and in the network")
        taken[machine.name] = machine.file
    return sorted(machines, key=lambda each: (TIERS.index(each.tier), each.name))


def read_machine(path: Path, *, transfer_layer: bool = False) -> Machine:
    """Return what one ``.dat`` file holds; `read_benchmarks` says what for and what is refused."""
    tier, dash, name = path.stem.partition("-")
    if tier not in TIERS or not dash or not name.strip():
        raise InputError(
            os.fspath(path),
            f"its name is not <tier>-<name>.dat with a tier of {', '.join(TIERS)}, such as edge-box.dat",
        )
    data = read_bytes(path, limit=SIZE_LIMIT)
    try:
        models = dict(_models(read_pickled(data), transfer_layer))
    except ValueError as error:
        raise InputError(os.fspath(path), f"is no benchmark file of Scission, or is damaged: {error}") from None
    except RecursionError:
        raise InputError(os.fspath(path), "is nested too deeply") from None
    return Machine(path.name, tier, name.strip(), models)


def _models(value: object, transfer_layer: bool) -> Iterator[tuple[str, tuple[BlockTimes, ...]]]:
    if not isinstance(value, dict) or not value:
        raise ValueError("it holds no dictionary of models")
    left = _MOST_BLOCKS
    for model, records in value.items():
        if not model or not model.isprintable() or len(model) > _LONGEST:
            raise ValueError("a model's name is empty, too long or not printable")
        if not isinstance(records, list) or not records or not all(isinstance(each, Record) for each in records):
            raise ValueError(f"model '{model}' has no list of objects of {CLASS}")
        left -= len(records)
        if left < 0:
            raise ValueError(f"it has more than {_MOST_BLOCKS:,} blocks")
        yield model, tuple(_blocks(model, records, transfer_layer))


def _blocks(model: str, records: Sequence[Record], transfer_layer: bool) -> Iterator[BlockTimes]:
    after = None
    for place, record in enumerate(records, 1):
        try:
            block = _block(record.fields or {}, transfer_layer)
        except ValueError as error:
            raise ValueError(f"model '{model}', block {place}: {error}") from None
        if block.layers[1] < block.layers[0]:
            raise ValueError(f"model '{model}', block {place}: ends before it begins, layers {_span(block.layers)}")
        if after is not None and block.layers[0] != after + 1:
            raise ValueError(
                f"model '{model}', block {place}: layer {block.layers[0]} does not follow on layer {after}"
            )
        after = block.layers[1]
        yield block


def _block(fields: Mapping[str, object], transfer_layer: bool) -> BlockTimes:
    layers = _whole(fields, "input_layer"), _whole(fields, "output_layer")
    codec = _codec(fields) if transfer_layer else None
    return BlockTimes(layers, _number(fields, "second_prediction"), _whole(fields, "output_size"), codec)


def _codec(fields: Mapping[str, object]) -> tuple[int, float, float] | None:
    values = [_number(fields, key, least=_NONE) for key in _TL_FIELDS]
    if any(value < 0 for value in values):
        return None
    size, down, up, convert = values
    return int(size), down + convert, up + convert


def _number(fields: Mapping[str, object], key: str, least: float = 0) -> float:
    if key not in fields:
        hint = "; files without it come from Scission: 'tiercut import scission'" if key in _TL_FIELDS else ""
        raise ValueError(f"'{key}' is missing{hint}")
    value = fields[key]
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < 2**63:
        raise ValueError(f"'{key}' is not a finite number")
    if value < least:
        raise ValueError(f"'{key}' is {value:g}, less than {least:g}")
    return float(value)


def _whole(fields: Mapping[str, object], key: str) -> int:
    value = _number(fields, key)
    if value != math.floor(value):
        raise ValueError(f"'{key}' is {value:g}, not a whole number")
    return int(value)


def _span(layers: tuple[int, int]) -> str:
    return str(layers[0]) if layers[0] == layers[1] else f"{layers[0]}-{layers[1]}"


def profiles_of(machines: Sequence[Machine], input_bytes: float, *, source: str) -> list[Profile]:
    """Return a profile for each model, with the times of every machine that has it.

    Parameters
    ----------
    machines
        From `read_benchmarks`.
    input_bytes
        Size of the input, which the files do not hold.
    source
        What to call them in an error: the folder.

    Raises
    ------
    InputError
        If two machines cut a model into different blocks; the message says which block differs first.
    """
    models = dict.fromkeys(model for machine in machines for model in machine.models)
    return [
        _profile(model, [each for each in machines if model in each.models], input_bytes, source) for model in models
    ]


def _profile(model: str, machines: Sequence[Machine], input_bytes: float, source: str) -> Profile:
    first = machines[0].models[model]
    for machine in machines[1:]:
        _same_blocks(model, machines[0], machine, source)
    coded = any(block.codec for block in first)
    data: dict[str, Any] = {
        "format": FORMAT,
        "model": model,
        "origin": f"imported from benchmark files of {'ScissionTL' if coded else 'Scission'}: "
        + ", ".join(machine.file for machine in machines),
        "input_bytes": input_bytes,
        "blocks": [
            {
                "name": f"layer{'' if block.layers[0] == block.layers[1] else 's'} {_span(block.layers)}",
                "first_layer": block.layers[0],
                "last_layer": block.layers[1],
                "output_bytes": block.output_bytes,
            }
            for block in first
        ],
        "devices": {
            machine.name: {"statistic": "mean", "block_s": [block.seconds for block in machine.models[model]]}
            for machine in machines
        },
    }
    if coded:
        data["codecs"] = {CODEC: _codec_data(model, machines)}
    return Profile.from_data(data, source=f"{source}: {model}")


def _codec_data(model: str, machines: Sequence[Machine]) -> dict[str, Any]:
    def times(which: int) -> dict[str, list[float | None]]:
        return {
            machine.name: [None, *(block.codec[which] if block.codec else None for block in machine.models[model])]
            for machine in machines
        }

    first = machines[0].models[model]
    return {
        "bytes": [None, *(block.codec[0] if block.codec else None for block in first)],
        "encode_s": times(1),
        "decode_s": times(2),
    }


def _same_blocks(model: str, one: Machine, other: Machine, source: str) -> None:
    """Refuse two machines whose benchmarks of a model are of different blocks."""
    ours, theirs = one.models[model], other.models[model]
    for place, (a, b) in enumerate(zip(ours, theirs, strict=False), 1):
        if _shape(a) != _shape(b):
            said = f"block {place} is {_described(a)} in {one.file}, but {_described(b)} in {other.file}"
            break
    else:
        if len(ours) == len(theirs):
            return
        said = f"{one.file} has {len(ours)} blocks, {other.file} {len(theirs)}"
    raise InputError(
        source, f"model '{model}': {said}; benchmark it on both with the same version of Scission and Keras"
    )


def _shape(block: BlockTimes) -> tuple[Any, ...]:
    return block.layers, block.output_bytes, block.codec and block.codec[0]


def _described(block: BlockTimes) -> str:
    coded = f" ({block.codec[0]:,} through the transfer layer)" if block.codec else ""
    plural = "" if block.layers[0] == block.layers[1] else "s"
    return f"layer{plural} {_span(block.layers)} with {block.output_bytes:,} bytes{coded}"


def file_name(model: str) -> str:
    """Return the name of the file for the profile of a model."""
    return re.sub(r"[^\w.+-]+", "_", model).lstrip(".") or "model"
