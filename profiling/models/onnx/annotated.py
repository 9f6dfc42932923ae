"""Plans for others: a network whose nodes say which partition they are of, as ONNX Runtime and Olive read it.

ONNX Runtime assigns nodes to devices of one machine by an annotation on each (``layer_ann``) and a session setting
that names the annotations of each device. Olive's pass SplitModel takes a model apart by the first part of the names of
its nodes, and a list of these with the number of the piece, in the model's own metadata.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tiercut import documents
from tiercut.errors import QuestionError
from tiercut.profiling.models.blocks import Block, Rule, find_blocks
from tiercut.profiling.models.onnx.graph_onnx import OnnxModel, load_onnx
from tiercut.profiling.models.onnx.options import NO_ONNX_OPTIONS, OnnxOptions

__all__ = ["LAYER_SETTING", "Marked", "annotate_file", "annotated", "layer_setting", "split_assignments"]

LAYER_SETTING = "session.layer_assignment_settings"
"""The session setting of ONNX Runtime that maps annotations to devices."""

_ANNOTATION = "layer_ann"
_SPLITS = "split_assignments"
_IR_WITH_METADATA = 10


def annotated(model: OnnxModel, blocks: Sequence[Block], partition: Sequence[int]) -> Any:
    """Return the network, folded, with the partition of each node as its annotation and at the head of its name.

    What a piece would make for itself (constants that were not folded, what is made of recurrent state) belongs to the
    first partition that reads it.

    Parameters
    ----------
    model
        The network.
    blocks
        Its N blocks.
    partition
        The last block of each partition, 1-based and rising; the last is N.

    Raises
    ------
    QuestionError
        If the partition is not one of these blocks.
    """
    import onnx

    if list(partition) != sorted(set(partition)) or not partition or partition[-1] != len(blocks):
        shown = ", ".join(map(str, partition))
        raise QuestionError(
            f"the plan's partition ({shown}) is none of the {len(blocks)} blocks of this network; give "
            "the options that it was profiled with, and a plan that runs all of it"
        )
    steps, ends = model.graph.steps, [blocks[last - 1].end for last in partition]
    made = {
        step.name: next(number for number, end in enumerate(ends) if place <= end) for place, step in enumerate(steps)
        if place <= ends[-1]
    }  # fmt: skip
    part = _parts(model, made)
    copy = onnx.ModelProto()
    copy.CopyFrom(model.wiring.model)
    copy.ir_version = max(copy.ir_version, _IR_WITH_METADATA)
    for place, node in enumerate(copy.graph.node):
        label = _label(part[place])
        node.name = f"{label}/{node.op_type}_{place}"
        del node.metadata_props[:]
        node.metadata_props.add(key=_ANNOTATION, value=label)
    for value in copy.graph.output:
        seen = model.seen[value.name]
        if seen.dtype:
            kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(seen.dtype))
            value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, kind, seen.sizes))
    kept = [each for each in copy.metadata_props if each.key != _SPLITS]
    del copy.metadata_props[:]
    copy.metadata_props.extend(kept)
    copy.metadata_props.add(key=_SPLITS, value=split_assignments(len(partition)))
    return copy


def _parts(model: OnnxModel, made: Mapping[str, int]) -> list[int]:
    """Return the partition of every node: that of what it makes, of what it needs, or of who first reads it."""
    wiring = model.wiring
    found: list[int | None] = []
    known = dict(made)
    for node, reads in zip(wiring.nodes, wiring.reads, strict=True):
        own = [made[name] for name in node.output if name in made]
        before = [known[name] for name in reads if name in known and name in wiring.of_data]
        of_data = any(name in wiring.of_data for name in node.output)
        found.append(max(own) if own else max(before, default=0) if of_data else None)
        if found[-1] is not None:
            known.update(dict.fromkeys(node.output, found[-1]))
    readers: dict[str, int] = {}
    for place in reversed(range(len(found))):
        if found[place] is None:
            found[place] = min((readers[name] for name in wiring.nodes[place].output if name in readers), default=0)
        for name in wiring.reads[place]:
            readers[name] = min(readers.get(name, found[place] or 0), found[place] or 0)
    return [each or 0 for each in found]


def _label(part: int) -> str:
    return f"partition{part + 1}"


def split_assignments(count: int) -> str:
    """Return the list that Olive's pass SplitModel takes, for so many partitions."""
    return ";".join(f"{_label(part)}={part}" for part in range(count))


def layer_setting(devices: Sequence[str]) -> str:
    """Return the value of `LAYER_SETTING` for the device of each partition, such as ``cpu(=partition1)``."""
    by_device: dict[str, list[str]] = {}
    for part, device in enumerate(devices):
        by_device.setdefault(device, []).append(f"={_label(part)}")
    return "; ".join(f"{device}({', '.join(parts)})" for device, parts in by_device.items())


@dataclass(frozen=True, slots=True)
class Marked:
    """What others take to read the partitions that stand in a file: the settings of ONNX Runtime, and Olive's."""

    layers: str
    splits: str


def annotate_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    partition: Sequence[int],
    devices: Sequence[str],
    options: OnnxOptions = NO_ONNX_OPTIONS,
) -> Marked:
    """Write a network with the partitions of a plan, whole or not at all; see `annotated` and `layer_setting`.

    Raises
    ------
    QuestionError, InputError
        As `annotated` and `tiercut.profiling.models.onnx.graph_onnx.load_onnx`; or if it cannot be written.
    """
    model = load_onnx(Path(source), options)
    rule: Rule = "explicit" if options.cuts else "all"
    blocks = find_blocks(model.graph, rule, cuts=options.cuts or (), tensors=options.most_tensors)
    made = annotated(model, blocks, partition)
    documents.write_whole(target, lambda stream: stream.write(made.SerializeToString()))
    return Marked(layer_setting(devices), split_assignments(len(partition)))
