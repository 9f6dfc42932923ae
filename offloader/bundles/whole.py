"""A whole network as a bundle (``tiercut.whole/1``), of which an agent runs whatever blocks it is told to.

`split_whole` writes one for each node. What runs of it is a `Range`: a partition of a plan, of which the agent makes an
ordinary bundle, so that pieces, exits and codecs are those that `tiercut split` would have written.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pydantic import Field

from tiercut import documents
from tiercut.documents import Document, Key
from tiercut.errors import InputError, QuestionError, TiercutWarning
from tiercut.offloader.bundles.manifest import PieceFile, TensorSpec, check_file, path_faults, sha256_of
from tiercut.offloader.bundles.split import check_parity, check_plan, folder_name, open_bundles, write_bundle
from tiercut.offloader.bundles.uncut import entry_tensors
from tiercut.optimizer import Plan
from tiercut.profiling import (
    CutNetwork,
    OnnxModel,
    OnnxOptions,
    PieceTensor,
    open_cut,
    piece_tensor,
    start_for,
    write_piece,
)

__all__ = ["NAME", "RANGE", "Range", "Whole", "WholeNetwork", "load_whole", "range_of", "split_whole"]

FORMAT: Literal["tiercut.whole/1"] = "tiercut.whole/1"
RANGE: Literal["tiercut.range/1"] = "tiercut.range/1"
NAME = "whole.json"

_LARGEST = 8 << 20
_NETWORK = "network"


class Whole(Document):
    """A network that an agent holds in one piece."""

    format: Literal["tiercut.whole/1"] = FORMAT
    model: str = Field(min_length=1, description="what the profile calls the network")
    node: str
    blocks: list[str] = Field(min_length=1, description="names of its blocks")
    exits: list[str] = Field(description="outputs that are classifiers, in order; empty: it has no exits")
    tensors: int = Field(ge=1, le=4, description="how many tensors cross a cut at most")
    most_bytes: int = Field(ge=0, description="bytes of the tensors of a message at most, wherever it is cut")
    inputs: list[TensorSpec] = Field(min_length=1, description="what comes in")
    file: PieceFile

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield what is wrong with where its file lies."""
        yield from ((("file", "path"), fault) for fault in path_faults(self.file))


class Range(Document):
    """A partition of a plan, as an agent is told to run it: what `tiercut split` needs to know, and who comes next."""

    format: Literal["tiercut.range/1"] = RANGE
    partition: list[int] = Field(min_length=1, description="last block of each partition, 1-based")
    placement: list[str] = Field(min_length=1)
    exits: list[int] = Field(min_length=1)
    threshold: float | None = None
    thresholds: list[float] | None = None
    codecs: list[str | None] = Field(default_factory=list)
    input_codec: str | None = None
    stage: int = Field(ge=1, description="which partition it is, from 1")
    next: str | None = Field(default=None, description="HOST:PORT of the next one's agent; null for the last")
    onward: dict[str, Any] | None = Field(default=None, description="links to there, where they are shaped")
    home: dict[str, Any] | None = Field(default=None, description="links to the destination, where they are shaped")

    def faults(self) -> Iterable[tuple[Key, str]]:
        """Yield what is wrong between keys."""
        if sorted(set(self.partition)) != self.partition or self.partition[0] < 1:
            yield ("partition",), "expected rising blocks from 1"
        if len(self.placement) != len(self.partition):
            yield ("placement",), f"expected a node for each of {len(self.partition)} partitions"
        if self.stage > len(self.partition):
            yield ("stage",), f"there are {len(self.partition)} partitions"
        if (self.next is None) != (self.stage == len(self.partition)):
            yield ("next",), "null exactly for the last partition"
        if sorted(set(self.exits)) != self.exits or self.exits[0] < 1 or self.exits[-1] != self.partition[-1]:
            yield ("exits",), "expected rising blocks, of which the last ends the last partition"
        if self.thresholds is not None and len(self.thresholds) != len(self.exits) - 1:
            yield ("thresholds",), f"expected one for each of {len(self.exits)} exits but the last"
        if self.thresholds is None and self.threshold is None and len(self.exits) > 1:
            yield ("threshold",), "expected a number, as there are several exits"
        if len(self.codecs) != len(self.partition) - 1:
            yield ("codecs",), f"expected one, or null, for each of {len(self.partition) - 1} cuts"

    @property
    def plan(self) -> Plan:
        """The plan that it is a part of; what it costs is not known here."""
        return Plan(
            latency_s=nan,
            accuracy=None,
            threshold=self.threshold,
            thresholds=None if self.thresholds is None else tuple(self.thresholds),
            partition=tuple(self.partition),
            placement=tuple(self.placement),
            exits=tuple(self.exits),
            codecs=tuple(self.codecs),
            bytes_sent=nan,
            input_s=nan,
            stages=(),
            input_codec=self.input_codec,
        )


def range_of(
    plan: Plan,
    place: int,
    next_address: str | None,
    onward: dict[str, Any] | None = None,
    home: dict[str, Any] | None = None,
) -> Range:
    """Return a partition of a plan, 0-based, as an agent is told to run it."""
    return Range(
        partition=list(plan.partition),
        placement=list(plan.placement),
        exits=list(plan.exits),
        threshold=plan.threshold,
        thresholds=None if plan.thresholds is None else list(plan.thresholds),
        codecs=list(plan.codecs),
        input_codec=plan.input_codec,
        stage=place + 1,
        next=next_address,
        onward=onward,
        home=home,
    )


@dataclass(frozen=True, slots=True)
class WholeNetwork:
    """A whole bundle, opened: what makes bundles of its ranges.

    Parameters
    ----------
    whole
        What it says of itself.
    cut
        The network.
    """

    whole: Whole
    cut: CutNetwork

    def write(self, wanted: Range, folder: Path) -> None:
        """Write the bundle of a range into a folder that is not there yet.

        Raises
        ------
        QuestionError
            If the network cannot be cut like this.
        """
        plan = wanted.plan
        check_plan(plan, self.cut)
        write_bundle(plan, self.cut, wanted.stage - 1, folder)


def split_whole(
    plan: Plan, cut: CutNetwork, nodes: Sequence[str], output: str | os.PathLike[str]
) -> tuple[tuple[Path, ...], float]:
    """Write the whole network as a bundle for each node.

    Parameters
    ----------
    plan
        By which the written network is held against the uncut one, as `tiercut split` does.
    cut
        The network, of an ONNX file.
    nodes
        Names of the nodes.
    output
        The folder to write into; bundles that are there already are written anew.

    Returns
    -------
    folders
        In the order of the nodes.
    furthest
        By how much a number of the pieces and of the uncut network differed at most, as a share of the largest.

    Raises
    ------
    QuestionError
        If the network is not of an ONNX file, does not fit the plan, or is another one once it is written.
    InputError
        If a bundle cannot be written.
    """
    check_plan(plan, cut)
    model = cut.model
    if not isinstance(model, OnnxModel):
        raise QuestionError(
            f"{cut.title} is no ONNX file, of which alone agents can run any range of blocks; write one with tiercut "
            "export, profile it, and split that"
        )
    folder = Path(output)
    fresh = folder / ".bundles-being-written"
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        path = _written(cut, model, fresh)
        whole = _described(cut, model, path)
        furthest = _checked(plan, cut, whole, path, fresh)
        made = [folder / folder_name(place, node) for place, node in enumerate(nodes, 1)]
        for node, target in zip(nodes, made, strict=True):
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            shutil.copyfile(path, target / path.name)
            own = whole.model_copy(update={"node": node})
            (target / NAME).write_text(own.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(os.fspath(output), f"cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return tuple(made), furthest


def load_whole(folder: str | os.PathLike[str], *, threads: int | None = None) -> WholeNetwork:
    """Read a whole bundle, make sure that its network is the one that it names, and open that.

    Raises
    ------
    InputError, QuestionError
        If it is none, or the network is not what was written.
    """
    path = Path(folder)
    whole = documents.load(path / NAME, Whole, format_=FORMAT, limit=_LARGEST)
    check_file(path / whole.file.path, whole.file)
    start_for(str(path / whole.file.path), threads=threads)
    return WholeNetwork(whole, _opened(whole, path / whole.file.path))


_networks: dict[tuple[str, ...], CutNetwork] = {}
"""By the content of their files: agents of one process share what is the same, and takes seconds to open."""


def _opened(whole: Whole, path: Path) -> CutNetwork:
    key = (whole.file.sha256, whole.model, str(whole.tensors), *whole.exits, "", *whole.blocks)
    if key not in _networks:
        options = OnnxOptions(exits=tuple(whole.exits) or None, tensors=whole.tensors)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TiercutWarning)  # which was given when it was recorded
            _networks[key] = replace(open_cut(str(path), onnx=options, blocks=whole.blocks), title=whole.model)
    return _networks[key]


def _written(cut: CutNetwork, model: OnnxModel, folder: Path) -> Path:
    """Write the network in one piece, as it is cut: with constants folded, and sizes as they were chosen."""
    graph = model.graph
    ends = [end for end in cut.ends if end is not None]
    results = graph.crossing(cut.blocks[-1].end)
    return write_piece(model, graph.last_input, [*ends, *results], folder, _NETWORK).files["onnx"]


def _described(cut: CutNetwork, model: OnnxModel, path: Path) -> Whole:
    graph = model.graph
    crossing = [graph.crossing(block.end) for block in cut.blocks]
    ends = [end for end in cut.ends if end is not None]
    entering = entry_tensors(cut)
    sizes = [_bytes(entering), *(_bytes([piece_tensor(model, each) for each in places]) for places in crossing)]
    sizes += [_bytes([piece_tensor(model, end)]) for end in ends]
    return Whole(
        model=cut.title,
        node="any",
        blocks=[block.name for block in cut.blocks],
        exits=[graph.steps[end].name for end in ends],
        tensors=max(1, *(len(places) for places in crossing[:-1])) if len(crossing) > 1 else 1,
        most_bytes=max(sizes),
        inputs=[_spec(each) for each in entering],
        file=PieceFile(path=path.name, sha256=sha256_of(path), bytes=path.stat().st_size),
    )


def _bytes(tensors: Sequence[PieceTensor]) -> int:
    return sum(_spec(each).nbytes for each in tensors)


def _spec(tensor: PieceTensor) -> TensorSpec:
    return TensorSpec(name=tensor.name, dtype=tensor.dtype, shape=list(tensor.shape))


def _checked(plan: Plan, cut: CutNetwork, whole: Whole, path: Path, fresh: Path) -> float:
    """Hold what is read back, cut as the plan says, against the uncut network."""
    again = WholeNetwork(whole, _opened(whole, path))
    with TemporaryDirectory(dir=fresh) as folder:
        parts = [Path(folder) / str(place) for place in range(len(plan.partition))]
        for place, part in enumerate(parts):
            again.write(range_of(plan, place, None if place == len(parts) - 1 else "next:1"), part)
        return check_parity(cut, *open_bundles(parts))
