"""``tiercut blocks``: where a model may be cut, and what lies between."""

from __future__ import annotations

import json as writer
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tiercut.cli import arguments as given
from tiercut.cli.console import console

if TYPE_CHECKING:
    from rich.table import Table

    from tiercut.profiling import Block, LoadedModel

__all__ = ["BlockRule", "blocks"]


class BlockRule(StrEnum):
    """How partition points are found."""

    all = "all"
    scission = "scission"


def blocks(
    model: given.Model,
    rule: Annotated[BlockRule, typer.Option(help="all: every place; scission: fewer, by its counter.")] = BlockRule.all,
    input_size: given.InputSize = None,
    trust_model: given.TrustModel = False,
    json: given.Json = False,
) -> None:
    """List the blocks of a model: the pieces that may not be cut."""
    from tiercut.profiling import find_blocks, load_model, start_framework

    size = given.axis_sizes(input_size)
    start_framework()
    loaded = load_model(model, size=size, trust=trust_model)
    found = find_blocks(loaded.model.graph, rule.value)
    if json:
        rows = [_row(block) for block in found]
        typer.echo(writer.dumps({"model": loaded.title, "rule": rule.value, "blocks": rows}, indent=2))
    else:
        console().print(_table(loaded, rule, found))


def _row(block: Block) -> dict[str, object]:
    return {
        "name": block.name,
        "layers": list(block.layers),
        "output_bytes": block.output_bytes,
        "parameter_bytes": block.parameter_bytes,
        "flops": block.flops,
    }


def _table(loaded: LoadedModel, rule: BlockRule, found: tuple[Block, ...]) -> Table:
    from tiercut import units
    from tiercut.report import SafeTable

    input_bytes = loaded.model.graph.input.nbytes
    smaller = [each.output_bytes < input_bytes for each in found[:-1]] + [False]
    parameters, flops = sum(each.parameter_bytes for each in found), sum(each.flops for each in found)
    table = SafeTable(
        title=f"{loaded.title}: {_counted(len(found), 'block')} (rule {rule.value}), "
        f"{_counted(loaded.layers, 'layer')}\ninput {units.format_bytes(input_bytes)}, "
        f"parameters {units.format_bytes(parameters)}, {_operations(flops)} floating-point operations",
        title_style="bold",
        caption="* less than the input leaves this block" if any(smaller) else None,
    )
    for name, side in (("#", "right"), ("ends after", "left"), ("layers", "left"), ("output", "right"),
                       ("", "left"), ("parameters", "right"), ("operations", "right"), ("share", "right")):  # fmt: skip
        table.add_column(name, justify=side, overflow="fold")
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
        )
    return table


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
