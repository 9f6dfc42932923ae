"""Early exits: branches hung after the blocks of a Keras classifier."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from tiercut.errors import QuestionError
from tiercut.profiling.blocks import Block, find_blocks
from tiercut.profiling.graph import layer_graph
from tiercut.profiling.pieces import build_piece

__all__ = ["Branch", "ExitModel", "Head", "attach_exits", "find_head"]

_REDUCING = ("GlobalAveragePooling", "GlobalMaxPooling", "Flatten")


@dataclass(frozen=True, slots=True)
class Head:
    """The last layers of a classifier, from its global pooling (or flattening) to its output.

    Parameters
    ----------
    after
        Name of the layer whose output it reads.
    layers
        The Keras layers, in order.
    """

    after: str
    layers: tuple[Any, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Branch:
    """A classifier hung after a block.

    Parameters
    ----------
    name
        ``exit1``, ``exit2``, ... by the number of the block.
    input, output
        The symbolic tensors at its ends: the block's output, and the probabilities of the classes.
    """

    name: str
    input: Any = field(repr=False, compare=False)
    output: Any = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ExitModel:
    """A backbone with branches.

    Parameters
    ----------
    backbone
        The functional Keras model without early exits.
    blocks
        Its N blocks; the last one ends where the classifier begins.
    branches
        The branch after each block, or None; the last one is the backbone's own classifier.
    model
        The Keras model with one output for each branch there is, in order; what is trained and saved.
    """

    backbone: Any
    blocks: tuple[Block, ...]
    branches: tuple[Branch | None, ...]
    model: Any

    @property
    def present(self) -> tuple[int, ...]:
        """The blocks that have a branch, 0-based; column k of the model's output belongs to the k-th of them."""
        return tuple(index for index, branch in enumerate(self.branches) if branch is not None)


def find_head(model: Any) -> Head:
    """Return the classifier at the end of a backbone: everything from its last global pooling or flattening on.

    Raises
    ------
    QuestionError
        If the model does not end in a chain of layers that begins so.
    """
    steps = layer_graph(model)
    layers: list[Any] = []
    step = steps[-1]
    while len(step.parents) == 1:
        layers.append(step.layer)
        before = steps[step.parents[0]]
        if type(step.layer).__name__.startswith(_REDUCING):
            return Head(before.name, tuple(layers[::-1]))
        step = before
    raise QuestionError(
        f"model '{model.name}' does not end in a global pooling or flattening and what follows it, so there is no "
        "classifier to copy for its branches"
    )


def attach_exits(
    backbone: Any, *, cuts: Sequence[str] | None = None, branches: Collection[int] | None = None
) -> ExitModel:
    """Hang branches after the blocks of a classifier.

    A branch is a copy, with weights of its own, of the backbone's last layers (see `find_head`); the last one is
    those layers themselves.

    Parameters
    ----------
    backbone
        A functional Keras classifier.
    cuts
        Names of the layers that end a block; every partition point by default.
    branches
        Blocks that get a branch, 1-based; all by default. The last block always has one.

    Raises
    ------
    QuestionError
        If the model cannot be cut there, has no classifier to copy, or a block is not there.
    """
    head = find_head(backbone)
    rule = "all" if cuts is None else "explicit"
    blocks = find_blocks(backbone, rule, cuts=cuts or (), end=head.after)  # type: ignore[arg-type]
    wanted = set(range(1, len(blocks) + 1)) if branches is None else set(branches)
    if strange := sorted(wanted - set(range(1, len(blocks) + 1))):
        raise QuestionError(f"there is no block {strange[0]} for a branch; the blocks are 1 to {len(blocks)}")
    made = [_branch(head, block, number) if number in wanted else None for number, block in enumerate(blocks, 1)]
    made[-1] = Branch(f"exit{len(blocks)}", blocks[-1].output, backbone.outputs[0])
    outputs = [branch.output for branch in made if branch is not None]
    model = build_piece(backbone.inputs[0], outputs, name=f"{backbone.name}_exits")
    return ExitModel(backbone, blocks, tuple(made), model)


def _branch(head: Head, block: Block, number: int) -> Branch:
    tensor = block.output
    for layer in head.layers:
        config = {**layer.get_config(), "name": f"exit{number}_{layer.name}"}
        tensor = type(layer).from_config(config)(tensor)
    return Branch(f"exit{number}", block.output, tensor)
