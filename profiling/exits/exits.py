"""Early exits: branches attached after the blocks of a Keras classifier."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from tiercut.errors import QuestionError
from tiercut.profiling.exits.heads import attach_head, find_head, with_probabilities
from tiercut.profiling.models.blocks import Block, find_blocks
from tiercut.profiling.models.graph import Model
from tiercut.profiling.models.graph_keras import KerasModel
from tiercut.profiling.models.keras_calls import build_piece

__all__ = [
    "Branch",
    "ExitModel",
    "attach_exits",
    "configuration",
    "read_branches",
    "recognise_exits",
    "spread_branches",
]


@dataclass(frozen=True, slots=True)
class Branch:
    """A classifier attached after a block.

    Parameters
    ----------
    name
        ``exit1``, ``exit2``, ... by the number of the block.
    end
        The step that gives the probabilities of the classes, by its place in the graph of `ExitModel.runtime`.
    output
        The same as a symbolic Keras tensor.
    """

    name: str
    end: int
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
    runtime
        The backbone and its branches as a graph that can be run in pieces.
    """

    backbone: Any
    blocks: tuple[Block, ...]
    branches: tuple[Branch | None, ...]
    model: Any
    runtime: Model

    @property
    def classes(self) -> int:
        """Number of classes that it tells apart."""
        return int(self.model.outputs[0].shape[-1])

    def scores(self, images: Any, batch: int) -> list[Any]:
        """Return the probabilities of the classes at every branch there is, float[samples, classes] each."""
        outputs = self.model.predict(images, batch_size=batch, verbose=0)
        return outputs if isinstance(outputs, list) else [outputs]

    @property
    def present(self) -> tuple[int, ...]:
        """The blocks that have a branch, 0-based; column k of the model's output belongs to the k-th of them."""
        return tuple(index for index, branch in enumerate(self.branches) if branch is not None)


def attach_exits(
    backbone: Any, *, cuts: Sequence[str] | None = None, branches: Collection[int] | Literal["all", "auto"] = "all"
) -> ExitModel:
    """Attach branches to the blocks of a classifier.

    A branch is a copy, with weights of its own, of the backbone's last layers, or a global pooling and a dense layer
    (see `tiercut.profiling.exits.heads`); the last branch is those last layers themselves. A backbone whose output is
    logits gets a softmax.

    Parameters
    ----------
    backbone
        A functional Keras classifier.
    cuts
        Names of the layers that end a block; every partition point by default.
    branches
        Blocks that get a branch, 1-based; or ``all``, or ``auto``: about ten of them (see `spread_branches`). The
        last block always has one.

    Raises
    ------
    QuestionError
        If the model cannot be cut there, is no classifier, or a block is not there.
    """
    backbone = with_probabilities(backbone)
    head = find_head(backbone)
    plain = KerasModel(backbone)
    rule = "all" if cuts is None else "explicit"
    blocks = find_blocks(plain.graph, rule, cuts=cuts or (), end=head.after)  # type: ignore[arg-type]
    folded = {number for number, block in enumerate(blocks, 1) if plain.graph.steps[block.end].output.rows > 1}
    wanted = _wanted(branches, blocks, folded)
    outputs = {
        number: attach_head(head, plain.tensor(block.end), f"exit{number}")
        for number, block in enumerate(blocks[:-1], 1)
        if number in wanted
    }
    outputs[len(blocks)] = backbone.outputs[0]
    model = build_piece(backbone.inputs[0], list(outputs.values()), name=f"{backbone.name}_exits")
    return _joined(backbone, blocks, outputs, model)


def _joined(backbone: Any, blocks: tuple[Block, ...], outputs: Mapping[int, Any], model: Any) -> ExitModel:
    """Return a backbone with branches, whose symbolic outputs are given by the number of their block."""
    runtime = KerasModel(backbone, exits=list(outputs.values()))
    ends = dict(zip(outputs, runtime.graph.exits, strict=True))
    branches = tuple(
        Branch(f"exit{number}", ends[number], outputs[number]) if number in outputs else None
        for number in range(1, len(blocks) + 1)
    )
    return ExitModel(backbone, blocks, branches, model, runtime)


def _wanted(branches: Collection[int] | str, blocks: Sequence[Block], folded: Collection[int]) -> set[int]:
    """Return the blocks that get a branch, 1-based; none where a sample has several rows of the batch's axis."""
    everywhere = set(range(1, len(blocks) + 1))
    if isinstance(branches, str):
        if branches not in ("all", "auto"):
            raise QuestionError(f"branches are all, auto, or numbers of blocks, not '{branches}'")
        return (everywhere if branches == "all" else spread_branches(blocks)) - set(folded)
    if strange := sorted(set(branches) - everywhere):
        raise QuestionError(f"there is no block {strange[0]} for a branch; the blocks are 1 to {len(blocks)}")
    if unread := sorted(set(branches) & set(folded)):
        raise QuestionError(f"no branch can read block {unread[0]}: parts of a sample are folded into its batch axis")
    return set(branches)


def spread_branches(blocks: Sequence[Block], most: int = 10) -> set[int]:
    """Return blocks after which branches are worth having, 1-based: evenly spread over the work.

    A step ends where at least 1/`most` of the network's floating-point operations have been done since the step
    before; closer branches would be evaluated on nearly the same features. From there until the next step ends, the
    block with the least output has the branch, since plans may cut where branches are. The last block always has one.
    """
    share = sum(block.flops for block in blocks) / most
    starts, since = [], 0.0
    for place, block in enumerate(blocks):
        since += block.flops
        if since >= share > 0:
            starts.append(place)
            since = 0.0
    last = len(blocks) - 1
    steps = [range(first, after) for first, after in pairwise([*(start for start in starts if start < last), last])]
    return {min(step, key=lambda place: blocks[place].output_bytes) + 1 for step in steps} | {len(blocks)}


def read_branches(text: str) -> Literal["all", "auto"] | tuple[int, ...]:
    """Return what ``all``, ``auto`` or ``1,3,5`` means for `attach_exits`.

    Raises
    ------
    QuestionError
        If it is none of these.
    """
    if text in ("all", "auto"):
        return text  # type: ignore[return-value]
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise QuestionError(
            f"branches are written all, auto, or as numbers of blocks such as 1,3,5, not '{text}'"
        ) from None


def recognise_exits(model: Any, cuts: Sequence[str], branches: Sequence[int]) -> ExitModel:
    """Return a Keras model of several outputs as what it is: a backbone with branches.

    Parameters
    ----------
    model
        A functional model with one output for each branch, in order.
    cuts
        Names of the layers that end its N blocks, in order.
    branches
        The blocks that have a branch, 1-based and rising; the last one is N.

    Raises
    ------
    QuestionError
        If the model has no such layers or outputs.
    """
    import keras

    if len(model.outputs) != len(branches) or list(branches) != sorted(set(branches)) or branches[-1] != len(cuts):
        raise QuestionError(
            f"model '{model.name}' has {len(model.outputs)} outputs and {len(cuts)} blocks, which does not go with "
            f"branches after blocks {', '.join(map(str, branches))}"
        )
    backbone = keras.Model(model.inputs[0], model.outputs[-1], name=model.name.removesuffix("_exits"))
    blocks = find_blocks(KerasModel(backbone).graph, "explicit", cuts=cuts[:-1], end=cuts[-1])
    return _joined(backbone, blocks, dict(zip(branches, model.outputs, strict=True)), model)


def configuration(exits: ExitModel, branches: Sequence[int], *, fresh: bool = False) -> ExitModel:
    """Return the network that a plan needs: the backbone up to the last of some blocks, with their branches alone.

    Its layers are new ones, so that training it leaves the model it comes from as it is.

    Parameters
    ----------
    exits
        The backbone with its branches; those of `branches` must be among them.
    branches
        Blocks, 1-based and rising: the P of the Joint model, or the exits of a plan.
    fresh
        Whether it begins with weights of its own, in place of those of `exits`.

    Raises
    ------
    QuestionError
        If there are none, they do not rise, or one has no branch.
    """
    import keras

    present = [index + 1 for index in exits.present]
    if not branches or list(branches) != sorted(set(branches)):
        raise QuestionError(f"a configuration names its exits as rising numbers of blocks, not {list(branches)}")
    if strange := [number for number in branches if number not in present]:
        known = ", ".join(map(str, present))
        raise QuestionError(f"there is no branch after block {strange[0]}; there are branches after {known}")
    outputs = [branch.output for index in branches if (branch := exits.branches[index - 1])]
    piece = build_piece(exits.backbone.inputs[0], outputs, name=f"{exits.backbone.name}_exits")
    copy = keras.models.clone_model(piece)
    if not fresh:
        copy.set_weights(piece.get_weights())
    return recognise_exits(copy, [block.name for block in exits.blocks[: branches[-1]]], branches)
