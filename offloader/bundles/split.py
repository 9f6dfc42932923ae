"""A plan and its network as bundles: a folder for each partition, checked against the uncut network."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import InputError, QuestionError
from tiercut.offloader.bundles.manifest import FORMAT, NAME, Bundle, load_bundle, sha256_of
from tiercut.offloader.bundles.stage import Runtime, StageRunner
from tiercut.offloader.bundles.uncut import Uncut, entry_tensors
from tiercut.offloader.protocol.coding import Coding, coming
from tiercut.optimizer import Plan, exit_limits
from tiercut.profiling import CutNetwork, PieceTensor, form_of, piece_tensor, read_codec, usual_layout, write_piece

__all__ = ["Split", "check_parity", "check_plan", "folder_name", "open_bundles", "split_plan", "write_bundle"]

_ROUNDING = 1e-4
_FRAMES = 4
Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Split:
    """What was written.

    Parameters
    ----------
    folders
        The bundle of each partition, in order.
    bundles
        What stands in each.
    furthest
        By how much a number of the pieces and of the uncut network differed at most, as a share of the largest.
    """

    folders: tuple[Path, ...]
    bundles: tuple[Bundle, ...]
    furthest: float


def split_plan(plan: Plan, cut: CutNetwork, output: str | os.PathLike[str]) -> Split:
    """Write a bundle for each partition of a plan, and check that the pieces together answer as the uncut network.

    Parameters
    ----------
    plan
        The plan. What codecs change is no part of the parity: the pieces are compared without them, and with them only
        where nothing is lost.
    cut
        The network with the blocks, and the branches, that the plan was made for.
    output
        The folder to write into; bundles that are there already are written anew.

    Raises
    ------
    QuestionError
        If plan and network do not fit together, or a number that the pieces make is further than 1e-4 of the largest
        from that of the uncut network.
    InputError
        If a bundle cannot be written.
    """
    check_plan(plan, cut)
    folder = Path(output)
    fresh = folder / ".bundles-being-written"
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        names = [folder_name(place, node) for place, node in enumerate(plan.placement, 1)]
        for place, name in enumerate(names):
            write_bundle(plan, cut, place, fresh / name)
        opened = open_bundles([fresh / name for name in names])
        furthest = check_parity(cut, *opened)
        _check_codecs(cut, *opened)
        for name in names:
            shutil.rmtree(folder / name, ignore_errors=True)
            (fresh / name).rename(folder / name)
    except OSError as error:
        raise InputError(os.fspath(output), f"cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    folders = tuple(folder / name for name in names)
    return Split(folders, tuple(load_bundle(each) for each in folders), furthest)


def open_bundles(
    folders: Sequence[Path], *, threads: int | None = None, runtime: Runtime | None = None
) -> tuple[tuple[Bundle, ...], tuple[StageRunner, ...]]:
    """Return bundles and their pieces, loaded into this process."""
    bundles = tuple(load_bundle(each) for each in folders)
    pairs = zip(folders, bundles, strict=True)
    return bundles, tuple(StageRunner(*each, threads=threads, runtime=runtime) for each in pairs)


def folder_name(place: int, node: str) -> str:
    """Return the name of a bundle's folder; what a file system may not take of a node's name is left out."""
    return f"{place}-{re.sub(r'[^A-Za-z0-9._-]+', '_', node) or 'node'}"


def check_plan(plan: Plan, cut: CutNetwork) -> None:
    """Refuse a plan that a network cannot be cut for.

    Raises
    ------
    QuestionError
        Says what does not fit.
    """
    if cut.model.graph.batch not in (None, 1):
        raise QuestionError(f"agents run one frame in a call, and {cut.title} takes {cut.model.graph.batch} together")
    count = len(cut.blocks)
    if plan.partition[-1] > count:
        raise QuestionError(f"the plan runs {plan.partition[-1]} blocks, and {cut.title} has {count}")
    if not cut.ends and plan.exits != (count,):
        raise QuestionError(
            f"the plan has the exits {', '.join(map(str, plan.exits))}, and {cut.title} has none; give the network "
            "with its exits (an .onnx file with --exits, or what tiercut train wrote)"
        )
    for block in plan.exits:
        if cut.ends and cut.ends[block - 1] is None:
            raise QuestionError(f"the plan has an exit after block {block}, where {cut.title} has no branch")


def write_bundle(plan: Plan, cut: CutNetwork, place: int, folder: Path) -> None:
    """Write one partition, 0-based, into a folder that is not there yet; it is checked by whoever knows the whole."""
    folder.mkdir()
    last = plan.partition[place]
    first = plan.partition[place - 1] + 1 if place else 1
    is_last = place == len(plan.partition) - 1
    codecs = (plan.input_codec, *plan.codecs) if plan.uses_codecs else (None,) * len(plan.partition)
    start = cut.blocks[first - 1].start
    graph, model = cut.model.graph, cut.model
    pieces = []
    results: list[PieceTensor] = []
    for number, (begin, end, exit_, limit) in enumerate(_spans(plan, first, last), 1):
        goes_on = not (is_last and end == last)
        ends: list[int] = list(graph.crossing(cut.blocks[end - 1].end)) if goes_on else []
        branch = cut.ends[end - 1] if exit_ is not None and cut.ends else None
        if branch is not None:
            ends.append(branch)
        elif not goes_on:
            ends += graph.crossing(cut.blocks[end - 1].end)
        results = [] if goes_on else [piece_tensor(model, each) for each in dict.fromkeys(ends)]
        written = write_piece(model, cut.blocks[begin - 1].start, ends, folder, f"piece{number}")
        # NOTE what ends a network without exits may be a classifier in form alone: nobody said that it is one
        scores = piece_tensor(model, branch).name if branch is not None else None
        pieces.append(
            {
                "blocks": [begin, end],
                "exit": exit_,
                "threshold": limit,
                "scores": scores,
                "inputs": [_spec(each) for each in written.inputs],
                "outputs": [_spec(each) for each in written.outputs],
                "files": {
                    name: {"path": path.name, "sha256": sha256_of(path), "bytes": path.stat().st_size}
                    for name, path in written.files.items()
                },
            }
        )
    crossing = [piece_tensor(model, each) for each in graph.crossing(cut.blocks[last - 1].end)]
    entering = entry_tensors(cut) if place == 0 else [piece_tensor(model, each) for each in graph.crossing(start)]
    bundle = Bundle.model_validate(
        {
            "format": FORMAT,
            "model": cut.title,
            "stage": place + 1,
            "stages": len(plan.partition),
            "node": plan.placement[place],
            "next": None if is_last else plan.placement[place + 1],
            "blocks": [first, last],
            "inputs": [_spec(each) for each in entering],
            "outputs": [_spec(each) for each in (results if is_last else crossing)],
            "codec": None if is_last else codecs[place + 1],
            "input_codec": codecs[place],
            "layout": usual_layout(cut.framework.backend),
            "pieces": pieces,
        }
    )
    (folder / NAME).write_text(bundle.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _spans(plan: Plan, first: int, last: int) -> Iterator[tuple[int, int, int | None, float | None]]:
    """Yield first and last block, exit and threshold of each piece of a partition."""
    limits = dict(zip(plan.exits, exit_limits(plan.exits, plan.threshold, plan.thresholds), strict=True))
    begin = first
    for block in (each for each in plan.exits if first <= each <= last):
        yield begin, block, block, limits[block]
        begin = block + 1
    if begin <= last:
        yield begin, last, None, None


def _spec(tensor: PieceTensor) -> dict[str, Any]:
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}


def check_parity(cut: CutNetwork, bundles: Sequence[Bundle], runners: Sequence[StageRunner]) -> float:
    """Return by how much the chained pieces and the uncut network differ at most, at every exit; refuse too much.

    Raises
    ------
    QuestionError
        If it is more than 1e-4 of the largest number.
    """
    exits = [piece.exit for bundle in bundles for piece in bundle.pieces if piece.exit is not None and cut.ends]
    uncut, furthest = Uncut(cut, exits), 0.0
    for seed in range(_FRAMES):
        frame = _random_frame(bundles[0], seed)
        wanted = uncut.scores(frame) if cut.ends else uncut.results(frame)
        for there, here in zip(wanted, _chained(frame, bundles, runners, bool(cut.ends)), strict=True):
            largest = float(np.abs(there).max(initial=0.0)) or 1.0
            off = float(np.abs(there - here).max(initial=0.0)) / largest
            if not off <= _ROUNDING:
                raise QuestionError(
                    f"the pieces of {cut.title} do not answer as the whole does: a number differs by {off:.2g} of the "
                    f"largest, and {_ROUNDING:g} is allowed; nothing was written"
                )
            furthest = max(furthest, off)
    return furthest


def _check_codecs(cut: CutNetwork, bundles: Sequence[Bundle], runners: Sequence[StageRunner]) -> None:
    """Refuse codecs that are not for what crosses, and such as lose nothing but change an answer."""
    codecs = [bundle.input_codec for bundle in bundles]
    for bundle in bundles:
        if bundle.input_codec is None:
            continue
        forms = [form_of(each.shape, each.dtype, bundle.layout) for each in bundle.inputs]
        if not read_codec(bundle.input_codec).takes(forms):
            shown = ", ".join(map(str, forms))
            raise QuestionError(f"the codec '{bundle.input_codec}' is not for what comes to '{bundle.node}': {shown}")
    if not any(codecs):
        return
    codings = [coming(bundle) for bundle in bundles]
    frame = _random_frame(bundles[0], 0)
    found = _chained(frame, bundles, runners, bool(cut.ends), codings)
    if all(codec is None or read_codec(codec).is_exact for codec in codecs):
        for there, here in zip(_chained(frame, bundles, runners, bool(cut.ends)), found, strict=True):
            if not np.array_equal(there, here):
                raise QuestionError(f"the codecs {', '.join(map(str, codecs))} change an answer of {cut.title}")


def _random_frame(bundle: Bundle, seed: int) -> dict[str, Numbers]:
    """Return numbers in 0..1 for what comes in, and ones where numbers are whole."""
    rng = np.random.default_rng(seed)
    return {
        each.name: rng.random(each.shape, np.float32).astype(each.dtype)
        if each.dtype.startswith("float")
        else np.ones(each.shape, each.dtype)
        for each in bundle.inputs
    }


def _chained(
    frame: Mapping[str, Numbers],
    bundles: Sequence[Bundle],
    runners: Sequence[StageRunner],
    exits: bool,
    codings: Sequence[Coding] = (),
) -> list[Numbers]:
    """Return the scores of every exit, or the results, of pieces that follow each other whatever the entropy."""
    held, found = dict(frame), []
    for place, (bundle, runner) in enumerate(zip(bundles, runners, strict=True)):
        if codings:
            held = codings[place].there_and_back({each.name: held[each.name] for each in bundle.inputs})
        for piece, numbers in runner.every_piece(held):
            held |= numbers
            if exits and piece.scores is not None:
                found.append(numbers[piece.scores])
        if bundle.is_last and not exits:
            found += [held[each.name] for each in bundle.outputs]
    return found
