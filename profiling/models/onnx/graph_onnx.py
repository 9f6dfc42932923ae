"""An ONNX model as a graph that can be run in pieces by ONNX Runtime."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tiercut.errors import InputError, QuestionError, TiercutError, TiercutWarning, unknown_name
from tiercut.profiling.models.blocks import find_blocks
from tiercut.profiling.models.graph import Framework, Graph, Piece, Step, Tensor, joined_values, tensors_of
from tiercut.profiling.models.onnx.architecture import architecture
from tiercut.profiling.models.onnx.folding import Seen, folded, numbers_for, seen_in_a_run
from tiercut.profiling.models.onnx.nodes import held_bytes, is_light, label, tensor_bytes
from tiercut.profiling.models.onnx.operations import is_uncounted, node_operations
from tiercut.profiling.models.onnx.options import NO_ONNX_OPTIONS, OnnxOptions
from tiercut.profiling.models.onnx.orders import orders
from tiercut.profiling.models.onnx.pieces import Extracted, extract
from tiercut.profiling.models.onnx.reading import Source, read_onnx, with_state_outputs
from tiercut.profiling.models.onnx.sessions import Level, onnx_framework, open_session, refused
from tiercut.profiling.models.onnx.wiring import Wiring

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["OnnxModel", "load_onnx"]

log = logging.getLogger(__name__)


def load_onnx(
    path: Path, options: OnnxOptions = NO_ONNX_OPTIONS, *, batch: int | None = None, exits: Sequence[str] = ()
) -> OnnxModel:
    """Return the model in a file, ready to be cut.

    Parameters
    ----------
    path
        The file.
    options
        What it does not say itself.
    batch
        Samples in one call.
    exits
        Outputs that end its exits, in the order in which samples come to them; the last is the end of the network.

    Raises
    ------
    InputError, QuestionError
        As `tiercut.profiling.models.onnx.reading.read_onnx`; or if ONNX Runtime does not take it, a cut is asked for
        where there is no tensor, or nothing in it depends on its inputs.

    Warns
    -----
    TiercutWarning
        Names the operators whose operations are not counted.
    """
    source = read_onnx(path, options, batch=batch, exits=exits)
    model = folded(source)
    seen = seen_in_a_run(source, model)
    source = with_state_outputs(source, {name: (seen[name].dtype, seen[name].sizes) for name in source.outputs})
    if clash := sorted(set(exits) & set(source.state_outputs)):
        raise QuestionError(f"output '{clash[0]}' is state, so it is no exit; name the state with --state")
    wiring = Wiring(model, tuple(each.name for each in source.inputs), tuple(each.name for each in source.state))
    found = OnnxModel(source, wiring, seen, exits=tuple(exits), provider=options.provider)
    for name in options.cuts or ():
        found.check_cut(name)
    found.choose_order(options.most_tensors)
    return found


class OnnxModel:
    """An ONNX model behind `tiercut.profiling.models.graph.Model`; its tensors are numpy arrays.

    Parameters
    ----------
    source
        The file, as it was read.
    wiring
        Its graph, folded.
    seen
        Types and sizes of all tensors.
    exits
        Outputs that end its exits; the last is the end of the network.
    provider
        Execution provider of ONNX Runtime.
    level
        How far ONNX Runtime may change a piece before it runs it.
    """

    def __init__(
        self,
        source: Source,
        wiring: Wiring,
        seen: Mapping[str, Seen],
        *,
        exits: Sequence[str] = (),
        provider: str | None = None,
        level: Level = "all",
    ) -> None:
        self.source, self.wiring, self.seen = source, wiring, dict(seen)
        self._exits, self._provider, self.level = tuple(exits), provider, level
        sent = self._sent(name for name in source.outputs if name not in self._exits[:-1])
        self._results = self._with_data(sent)
        self._order: list[int] | None = None
        self._whole: Any = None

    def _sent(self, names: Iterable[str]) -> list[str]:
        """Return the outputs that are tensors of numbers; warn of the others, or refuse them."""
        listed = list(names)
        found = [name for name in listed if self.seen[name].dtype]
        if lost := [name for name in dict.fromkeys((*self._exits, *listed)) if not self.seen[name].dtype]:
            why = (
                f"the output {', '.join(map(repr, lost))} is no tensor of numbers that numpy has (but a sequence, a "
                "map, text or bfloat16, say)"
            )
            remedy = "let it end in such a tensor, of skl2onnx by options={'zipmap': False}"
            if not found or not set(lost).isdisjoint(self._exits):
                raise InputError(self.source.path, f"{why}: {remedy}")
            warnings.warn(
                TiercutWarning(f"{self.source.path}: {why}; it is not sent, nor timed what it alone needs", remedy),
                stacklevel=4,
            )
        return found

    def _with_data(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the outputs that depend on data; warn of the others."""
        listed = list(names)
        found = tuple(name for name in listed if name in self.wiring.of_data)
        if not found:
            raise QuestionError(f"{self.source.path}: no output depends on the inputs that take data")
        if constant := [name for name in listed if name not in found]:
            warnings.warn(
                TiercutWarning(
                    f"{self.source.path}: the output {', '.join(constant)} depends on no input that takes data",
                    "it is not sent",
                ),
                stacklevel=4,
            )
        return found

    @cached_property
    def _main(self) -> list[int]:
        """The nodes that lead from the data to results and exits, in the order of the file."""
        ends = [*self._results, *self._exits]
        return [
            place
            for place in self.wiring.leading_to(ends)[0]
            if any(name in self.wiring.of_data for name in self.wiring.nodes[place].output)
        ]

    def choose_order(self, tensors: int) -> None:
        """Put the nodes into the order in which the largest block is smallest, of those that are tried.

        Parameters
        ----------
        tensors
            How many tensors may cross a cut.

        Warns
        -----
        TiercutWarning
            Names the operators whose operations are not counted.
        """
        made = {place: self._bytes_made(place) for place in self._main}
        tried = orders(self.wiring.parents(self._main), made)
        if tensors == 1:  # where one tensor crosses, it does so in every order
            tried = tried[:1]
        self._order = min(tried, key=lambda order: _largest(self._graph(order), tensors))
        self.__dict__.pop("graph", None)
        self._warn_of_uncounted()

    def _bytes_made(self, place: int) -> int:
        kinds = [self.seen[name] for name in self.wiring.nodes[place].output if name in self.seen]
        return sum(math.prod(each.sizes) * np.dtype(each.dtype).itemsize for each in kinds if each.dtype)

    def _warn_of_uncounted(self) -> None:
        kinds = dict.fromkeys(label(self.wiring.nodes[place]) for place in self._main if self._is_uncounted(place))
        if kinds:
            warnings.warn(
                TiercutWarning(
                    f"{self.source.path}: the operations of {', '.join(kinds)} are not counted",
                    "the times are measured all the same",
                ),
                stacklevel=3,
            )

    def _is_uncounted(self, place: int) -> bool:
        return is_uncounted(self.wiring.nodes[place])

    @cached_property
    def graph(self) -> Graph:
        """Its steps, each a tensor, in the order that was chosen."""
        return self._graph(self._order or self._main)

    def _graph(self, order: Sequence[int]) -> Graph:
        steps = [
            Step(entry.name, "Input", (), self._tensor(entry.name), cuttable=self._crosses(entry.name))
            for entry in self.source.inputs
        ]
        at = {step.name: place for place, step in enumerate(steps)}
        needed = self._needed
        known, counted = set[str](), set[int]()
        for index, place in enumerate(order, start=len(steps)):
            node = self.wiring.nodes[place]
            names = [name for name in node.output if name in needed]
            weights = self.wiring.weights_of(place) - known
            known |= weights
            holders = {place, *self.wiring.constants_of(place)} - counted
            counted |= holders
            held = sum(held_bytes(self.wiring.nodes[each]) for each in holders)
            parents = tuple(dict.fromkeys(at[name] for name in self.wiring.reads[place] if name in at))
            for name in names:
                first = name == names[0]
                steps.append(
                    Step(
                        name=name,
                        kind=label(node),
                        parents=parents if first else (at[names[0]],),
                        output=self._tensor(name),
                        index=index,
                        parameter_bytes=held + sum(map(self._weight_bytes, weights)) if first else 0,
                        flops=self._operations(place) if first else 0,
                        cuttable=self._crosses(name),
                        last=name == names[-1],
                        light=len(names) == 1 and is_light(node),
                        state_bytes=sum(map(self._state_bytes, self.wiring.state_of(place))) if first else 0,
                    )
                )
                at[name] = len(steps) - 1
        exits = self._exits
        return Graph(
            name=Path(self.source.path).stem,
            steps=tuple(steps),
            inputs=tuple(range(len(self.source.inputs))),
            outputs=tuple(at[name] for name in self._results),
            exits=tuple(at[name] for name in exits),
            batch=self.source.batch,
        )

    def _crosses(self, name: str) -> bool:
        """Return whether a tensor can be sent: as numbers that numpy has, and as many of them in every call."""
        return bool(self.seen[name].dtype) and not self.seen[name].varies

    @cached_property
    def _needed(self) -> frozenset[str]:
        """The tensors that some node reads, or that are results or exits."""
        read = {name for place in self._main for name in self.wiring.reads[place]}
        return frozenset((read | set(self._results) | set(self._exits)) & self.wiring.of_data)

    def _tensor(self, name: str) -> Tensor:
        seen = self.seen[name]
        if not seen.sizes or not seen.dtype:
            return Tensor(name, (), seen.dtype or "uint8")
        first, *others = seen.sizes
        if first % self.source.batch == 0 and first:
            return Tensor(name, (None, *others), seen.dtype, rows=first // self.source.batch)
        numbers = math.prod(seen.sizes)
        return Tensor(name, (None, -(-numbers // self.source.batch)), seen.dtype)

    def _operations(self, place: int) -> int:
        return node_operations(self.wiring.nodes[place], self._all_sizes) // self.source.batch

    @cached_property
    def _all_sizes(self) -> Mapping[str, Sequence[int]]:
        weights = {name: tuple(getattr(each, "dims", ())) for name, each in self.wiring.weights.items()}
        return weights | {name: each.sizes for name, each in self.seen.items()}

    def _weight_bytes(self, name: str) -> int:
        weight = self.wiring.weights[name]
        return tensor_bytes(getattr(weight, "values", weight))

    def _state_bytes(self, name: str) -> int:
        entry = next(each for each in self.source.state if each.name == name)
        return math.prod(entry.sizes) * np.dtype(entry.dtype).itemsize // self.source.batch

    @property
    def fingerprint(self) -> str:
        """See `tiercut.profiling.models.onnx.architecture.architecture`."""
        return architecture(self.source)

    @property
    def framework(self) -> Framework:
        """ONNX Runtime with its provider, onnx, numpy and Python."""
        return onnx_framework(self._provider)

    @property
    def state(self) -> Mapping[str, NDArray[Any]]:
        """The recurrent state that calls begin with, by the names of its inputs."""
        return {each.name: np.zeros(each.sizes, dtype=each.dtype) for each in self.source.state}

    def compile_piece(self, start: int, end: int, *, batch: int = 1, jit: bool = False) -> Piece:
        """See `tiercut.profiling.models.graph.Model.compile_piece`."""
        if batch != self.source.batch:
            raise QuestionError(f"{self.source.path} was loaded for batches of {self.source.batch}, not {batch}")
        if jit:
            raise QuestionError("ONNX Runtime compiles every piece as it is; leave out --jit-compile")
        graph = self.graph
        taken = [graph.steps[each].name for each in graph.crossing(start)]
        ends = (end,) if end in graph.exits[:-1] else graph.crossing(end)
        wanted = [graph.steps[each].name for each in ends]
        piece = self.extracted(start, wanted)
        session = self._session(piece.model)
        run, made = session.run, list(piece.made)
        state = {name: self.state[name] for name in piece.state}
        entering = {each.name for each in session.get_inputs()}
        places = [(place, name) for place, name in enumerate(taken) if name in entering]
        through = {name: taken.index(name) for name in wanted if name in taken}

        def call(values: Any) -> Any:
            tensors = tensors_of(values)
            found = run(made, {name: tensors[place] for place, name in places} | state)
            if not through:
                return joined_values(found)
            fresh = iter(found)
            return joined_values([tensors[through[name]] if name in through else next(fresh) for name in wanted])

        return call

    def extracted(self, start: int, wanted: Sequence[str]) -> Extracted:
        """Return what leads from the tensors that cross after a step to others as a model of its own."""
        graph = self.graph
        return extract(
            self.wiring,
            self.seen,
            [graph.steps[each].name for each in graph.crossing(start)],
            wanted,
            state_outputs=self.source.state_outputs,
            main=frozenset(self._main),
            first=start == graph.last_input,
        )

    def _session(self, model: Any) -> Any:
        try:
            return open_session(model, level=self.level, provider=self._provider)
        except TiercutError:
            raise
        except Exception as error:  # what compiled code raises is of every kind
            raise refused(self.source.path, error) from None

    def run(self, values: Any) -> Any:
        """Return what the published model makes of its inputs, as ONNX Runtime runs it."""
        if self._whole is None:
            self._whole = self._session(self.source.published)
        graph = self.graph
        taken = [graph.steps[each].name for each in graph.crossing(graph.last_input)]
        feed = dict(zip(taken, tensors_of(values), strict=True)) | dict(self.state)
        feed |= {each.name: numbers_for(each) for each in self.source.inputs if each.name not in feed}
        wanted = [graph.steps[each].name for each in sorted(graph.outputs)]
        return joined_values(self._whole.run(wanted, feed))

    def predict(self, outputs: Sequence[str], data: NDArray[Any], batch: int) -> list[NDArray[Any]]:
        """Return what the published model makes of samples, each output by itself.

        Parameters
        ----------
        outputs
            Names of outputs.
        data
            What its input takes, [samples, ...].
        batch
            Samples in one call, where their number is free in the file.
        """
        if self._whole is None:
            self._whole = self._session(self.source.published)
        if self.source.batch_is_free:
            try:
                return self._predict(outputs, data, batch)
            except Exception as error:  # exporters write the batch of their example into a free axis' networks
                log.info("%s takes no batches of %d: %s", self.source.path, batch, error)
        return self._predict(outputs, data, self.source.inputs[0].sizes[0])

    def _predict(self, outputs: Sequence[str], data: NDArray[Any], rows: int) -> list[NDArray[Any]]:
        (entry,) = self.source.inputs
        found: list[list[NDArray[Any]]] = []
        for begin in range(0, len(data), rows):
            part = data[begin : begin + rows]
            padded = np.concatenate([part, np.repeat(part[-1:], rows - len(part), axis=0)])
            made = self._whole.run(list(outputs), {entry.name: padded} | dict(self.state))
            found.append([each[: len(part)] for each in made])
        return [np.concatenate(each) for each in zip(*found, strict=True)]

    def to_tensor(self, numbers: NDArray[Any]) -> Any:
        """Return numbers as they are handed to ONNX Runtime."""
        return np.ascontiguousarray(numbers)

    def to_numbers(self, tensor: Any) -> NDArray[Any]:
        """Return the numbers in a tensor."""
        return np.asarray(tensor)

    def check_cut(self, name: str) -> None:
        """Refuse to cut after something that is no tensor of the graph that is cut.

        Raises
        ------
        QuestionError
            Says what it is: a weight, a tensor inside an If or a loop, one that folding did away with, or nothing.
        """
        known = [each for place in self._main for each in self.wiring.nodes[place].output if each in self._needed]
        if name in known:
            return
        published = self.source.published.graph
        if name in {each.name for each in (*published.initializer, *self.wiring.model.graph.initializer)}:
            why = "is a weight, which no data runs through"
        elif name in {entry.name for entry in self.source.inputs}:
            why = "is an input, before which there is nothing"
        elif name in {each for node in published.node for each in _inside(node)}:
            why = "is inside an If, Loop or Scan, which runs as a whole"
        elif name in {each for node in published.node for each in node.output}:
            why = "is no longer there once constants, shapes and aliases are folded; tiercut blocks lists what is"
        else:
            raise QuestionError(f"--cut: {_nearest(name, known)}")
        raise QuestionError(f"--cut: there is no cut after '{name}': it {why}")

    def with_level(self, level: Level) -> OnnxModel:
        """Return the same model whose pieces are changed less, or more, before they run."""
        found = copy(self)
        found.level, found._whole = level, None
        return found


def _nearest(name: str, known: Sequence[str]) -> str:
    """Return a message for the name of a tensor that is not there; of hundreds only the nearest is named."""
    text = unknown_name("tensor", name, known)
    return text if len(known) <= 20 else f"{text.partition(' (known: ')[0]}; tiercut blocks lists them"


def _inside(node: Any) -> Iterable[str]:
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            for each in body.node:
                yield from each.output
                yield from _inside(each)


def _largest(graph: Graph, tensors: int) -> tuple[float, int]:
    """Return the share of the operations that the largest block has, and how many blocks there are less."""
    blocks = find_blocks(graph, tensors=tensors)
    whole = sum(block.flops for block in blocks) or 1
    return round(max(block.flops for block in blocks) / whole, 6), -len(blocks)
