"""``tiercut blocks``: where a model may be cut, and what lies between."""

from __future__ import annotations

import json as writer
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import console
from tiercut.cli.groups import Shown, grouped
from tiercut.errors import QuestionError
from tiercut.profiling import OnnxOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from tiercut.profiling import Block, LoadedModel
    from tiercut.report import SafeTable

__all__ = ["BlockRule", "blocks"]


class BlockRule(StrEnum):
    """How partition points are found."""

    all = "all"
    scission = "scission"


@grouped
def blocks(
    model: given.Model,
    onnx: Annotated[OnnxOptions, Shown(leave_out=("provider", "data"))],
    rule: Annotated[BlockRule, typer.Option(help="all: every place; scission: fewer, by its counter.")] = BlockRule.all,
    input_size: given.InputSize = None,
    trust_model: given.TrustModel = False,
    json: given.Json = False,
) -> None:
    """List the blocks of a model: the pieces that may not be cut; of a network with exits also its branches."""
    from tiercut.profiling import Settings, check_settings, has_exits, is_onnx, start_for

    size = given.axis_sizes(input_size)
    with_exits = not is_onnx(model) and has_exits(model)
    if with_exits and (size is not None or rule is not BlockRule.all):
        raise QuestionError(f"'{model}' has exits and keeps its blocks and size: leave --rule and --input-size out")
    settings = (
        Settings(rule="scission", size=size, onnx=onnx)
        if rule is BlockRule.scission
        else Settings(size=size, onnx=onnx)
    )
    check_settings(model, settings, listing=True)
    start_for(model)
    listed = _with_exits(model, trust_model) if with_exits else _plain(model, rule, size, trust_model, onnx)
    if json:
        typer.echo(writer.dumps(listed.to_data(), indent=2))
    else:
        console().print(_table(listed))


@dataclass(frozen=True, slots=True)
class _Listed:
    """What is listed: a model, its blocks by a rule, and the name of the branch after each, where any has one."""

    loaded: LoadedModel
    rule: str
    blocks: tuple[Block, ...]
    branches: tuple[str | None, ...] = ()

    @property
    def names_tensors(self) -> bool:
        """Whether tensors have names of their own."""
        return self.loaded.model.framework.backend == "onnxruntime"

    def to_data(self) -> dict[str, object]:
        """Return the object that ``--json`` prints."""
        rows = [_row(block, self.names_tensors) for block in self.blocks]
        for row, branch in zip(rows, self.branches, strict=False):
            row["branch"] = branch
        return {"model": self.loaded.title, "rule": self.rule, "blocks": rows}


def _plain(model: str, rule: BlockRule, size: tuple[int, ...] | None, trust: bool, onnx: OnnxOptions) -> _Listed:
    from tiercut.profiling import exit_ends, find_blocks, load_model

    loaded = load_model(model, size=size, trust=trust, onnx=onnx)
    cuts = onnx.cuts or ()
    found = find_blocks(loaded.model.graph, "explicit" if cuts else rule.value, cuts=cuts, tensors=onnx.most_tensors)
    branches: tuple[str | None, ...] = ()
    if onnx.exits is not None:
        steps = loaded.model.graph.steps
        branches = tuple(None if end is None else steps[end].name for end in exit_ends(loaded.model.graph, found))
    return _Listed(loaded, "explicit" if cuts else rule.value, found, branches)


def _with_exits(model: str, trust: bool) -> _Listed:
    from tiercut.profiling import LoadedModel, load_exits

    exits, record = load_exits(model, trust=trust)
    loaded = LoadedModel(record.title, exits.runtime, len(exits.model.layers))
    branches = tuple(None if branch is None else branch.name for branch in exits.branches)
    return _Listed(loaded, "explicit", exits.blocks, branches)


def _row(block: Block, names_tensors: bool) -> dict[str, object]:
    from tiercut.profiling import common_module

    found: dict[str, object] = {
        "name": block.name,
        "layers": list(block.layers),
        "output_bytes": block.output_bytes,
        "parameter_bytes": block.parameter_bytes,
        "flops": block.flops,
    }
    if names_tensors or len(block.outputs) > 1:
        found["tensors"] = [
            {"name": each.name, "bytes": each.nbytes, "dtype": each.dtype, "shape": [*each.sizes()]}
            for each in block.outputs
        ]
    if names_tensors:
        found |= {"module": common_module(block.layers), "state_bytes": block.state_bytes}
    return found


def _table(listed: _Listed) -> Table:
    from tiercut import units
    from tiercut.profiling import common_module
    from tiercut.report import SafeTable

    loaded, found, branches = listed.loaded, listed.blocks, listed.branches
    input_bytes = sum(each.nbytes for each in loaded.model.graph.entries)
    smaller = [each.output_bytes < input_bytes for each in found[:-1]] + [False]
    parameters, flops = sum(each.parameter_bytes for each in found), sum(each.flops for each in found)
    table = SafeTable(
        title=f"{loaded.title}: {_counted(len(found), 'block')} (rule {listed.rule}), "
        f"{_counted(loaded.layers, 'layer')}\ninput {units.format_bytes(input_bytes)}, "
        f"parameters {units.format_bytes(parameters)}, {_operations(flops)} floating-point operations",
        title_style="bold",
        caption="* less than the input leaves this block" if any(smaller) else None,
    )
    modules = [common_module(block.layers) for block in found] if listed.names_tensors else []
    several = any(len(block.outputs) > 1 for block in found)
    beside = [("branch", branches), ("tensors", several), ("module", any(modules))]
    _add_columns(table, [name for name, shown in beside if shown])
    for number, block in enumerate(found, 1):
        table.add_row(
            str(number),
            block.name,
            _places(block),
            units.format_bytes(block.output_bytes),
            "*" if smaller[number - 1] else "",
            units.format_bytes(block.parameter_bytes) if block.parameter_bytes else "-",
            _operations(block.flops) if block.flops else "-",
            f"{block.flops / flops:.1%}" if block.flops else "-",
            *([branches[number - 1] or "-"] if branches else []),
            *([str(len(block.outputs))] if several else []),
            *([modules[number - 1] or "-"] if any(modules) else []),
        )
    return table


_SPARE = {"layers": 1, "module": 2, "parameters": 3, "operations": 4, "share": 5}
"""Columns that give way on a narrow terminal, in this order."""

_WORDS = ("ends after", "layers", "", "branch", "module")


def _add_columns(table: SafeTable, beside: Sequence[str]) -> None:
    for name in ("#", "ends after", "layers", "output", "", "parameters", "operations", "share", *beside):
        side: Literal["left", "right"] = "left" if name in _WORDS else "right"
        if name in _SPARE:
            table.add_spare_column(_SPARE[name], name, justify=side, overflow="fold")
        else:
            table.add_column(name, justify=side, overflow="fold")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _places(block: Block) -> str:
    """Return the places of a block's layers, 0-based as in a profile, and how many they are."""
    if block.first_layer == block.last_layer:
        return str(block.first_layer)
    return f"{block.first_layer}-{block.last_layer} ({len(block.layers)})"


def _operations(count: float) -> str:
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count:g}"
