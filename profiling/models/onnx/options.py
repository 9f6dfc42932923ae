"""What can be said of an ONNX file that it does not say itself: sizes, constants, state, cuts, what runs it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from tiercut.errors import QuestionError
from tiercut.option_fields import flags_of, option

__all__ = ["NO_ONNX_OPTIONS", "OnnxOptions", "is_onnx"]

_PANEL = "Of an ONNX file"


def is_onnx(name: str) -> bool:
    """Return whether a model's name is that of an ONNX file."""
    return name.lower().endswith(".onnx")


def _sizes(flag: str, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the sizes of inputs that ``NAME=1x3x224x224`` write; a scalar has none."""
    found = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        sides = [] if value in ("", "scalar") else value.lower().split("x")
        if not equals or not name or not all(side.isdecimal() and int(side) for side in sides):
            raise QuestionError(f"{flag} is written NAME=1x3x224x224, a size of 1 or more for each axis, not '{text}'")
        found[name] = tuple(map(int, sides))
    return found


def _constants(flag: str, texts: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Return the numbers that ``NAME=16000`` or ``NAME=0.5,0.5`` write."""
    found = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        try:
            numbers = tuple(_number(each) for each in value.split(","))
        except ValueError:
            numbers = ()
        if not equals or not name or not numbers:
            raise QuestionError(f"{flag} is written NAME=NUMBER, or NAME=NUMBER,NUMBER,..., not '{text}'")
        found[name] = numbers
    return found


def _number(text: str) -> float:
    if re.fullmatch(r"[+-]?\d+", text.strip()):
        return int(text)
    if text.strip().casefold() in ("true", "false"):
        return text.strip().casefold() == "true"
    return float(text)


def _names(flag: str, text: str) -> tuple[str, ...]:
    names = tuple(each.strip() for each in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise QuestionError(f"{flag} is written as names with commas between, each once, not '{text}'")
    return names


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """What is said of an ONNX file.

    Parameters
    ----------
    sizes
        The sizes of inputs by name, one for each axis; those that the file leaves open must be named.
    constants
        Numbers for inputs that are bound to them, and so are none any more.
    state
        Inputs that are recurrent state, and outputs that are the state after them; they stay with their pieces.
    tensors
        How many tensors may cross a cut, 1 to 4.
    cuts
        Tensors after which it is cut; empty: wherever it can be.
    exits
        Outputs that are classifiers, in the order in which samples come to them; the last is the end of the network.
    data
        Samples that the exits are measured on, a ``.npz`` file.
    provider
        The execution provider of ONNX Runtime, with ``ExecutionProvider`` or without; None: the processor.
    """

    sizes: Mapping[str, tuple[int, ...]] = option(
        None,
        flag="--input",
        many=True,
        metavar="NAME=1x3x224x224",
        help="Sizes of an input.",
        panel=_PANEL,
        read=_sizes,
    )
    constants: Mapping[str, tuple[float, ...]] = option(
        None,
        flag="--bind",
        many=True,
        metavar="NAME=NUMBER",
        help="Make an input a constant.",
        panel=_PANEL,
        read=_constants,
    )
    state: tuple[str, ...] | None = option(
        None, metavar="NAME,...", help="Recurrent state, which stays with its piece.", panel=_PANEL, read=_names
    )
    tensors: int | None = option(
        None, type=int, least=1, help="Most tensors that cross a cut, to 4.", show_default="1", panel=_PANEL
    )
    cuts: tuple[str, ...] | None = option(
        None,
        flag="--cut",
        many=True,
        metavar="TENSOR",
        help="Cut there alone.",
        panel=_PANEL,
        read=lambda _, names: tuple(names),
    )
    exits: tuple[str, ...] | None = option(
        None, metavar="OUTPUT,...", help="Outputs that are classifiers, in order.", panel=_PANEL, read=_names
    )
    data: str | None = option(None, metavar="FILE.npz", help="Samples that exits are measured on.", panel=_PANEL)
    provider: str | None = option(
        None, metavar="cpu|cuda|...", help="Execution provider of ONNX Runtime.", show_default="cpu", panel=_PANEL
    )

    def __post_init__(self) -> None:
        for name in ("sizes", "constants"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, {})
        if not 1 <= self.most_tensors <= 4:
            raise QuestionError(f"--tensors: 1 to 4 tensors may cross a cut, not {self.tensors}")
        if self.exits is not None and len(self.exits) < 2:
            raise QuestionError("--exits names two outputs or more, in the order in which samples come to them")
        if self.data is not None and self.exits is None:
            raise QuestionError("--data is what exits are measured on: name them with --exits OUTPUT,OUTPUT")
        if both := sorted(set(self.sizes) & set(self.constants)):
            raise QuestionError(f"input '{both[0]}' is bound to a constant and given a size; leave --input out for it")

    @property
    def most_tensors(self) -> int:
        """How many tensors may cross a cut."""
        return 1 if self.tensors is None else self.tensors

    @property
    def given(self) -> tuple[str, ...]:
        """The flags that were given."""
        flag = flags_of(OnnxOptions)
        return tuple(flag(each.name) for each in fields(self) if getattr(self, each.name))

    def command_line(self) -> list[str]:
        """Return the flags that mean these options."""
        found = [f"--input={name}={'x'.join(map(str, sizes)) or 'scalar'}" for name, sizes in self.sizes.items()]
        found += [f"--bind={name}={','.join(map(str, each))}" for name, each in self.constants.items()]
        found += [f"--state={','.join(self.state)}"] if self.state else []
        found += [f"--tensors={self.tensors}"] if self.tensors is not None else []
        found += [f"--cut={name}" for name in self.cuts or ()]
        found += [f"--exits={','.join(self.exits)}"] if self.exits else []
        found += [f"--data={self.data}"] if self.data else []
        return found + ([f"--provider={self.provider}"] if self.provider else [])


NO_ONNX_OPTIONS = OnnxOptions()
