"""What is recorded: a network cut into blocks, and what its exits are measured on where it has any."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tiercut.errors import QuestionError
from tiercut.profiling.exits.exit_files import has_exits, load_exits
from tiercut.profiling.exits.onnx_exits import OnnxNetwork, class_count, exit_ends, open_exits
from tiercut.profiling.exits.trainer import Network, Training, data_of, new_network, origin_of
from tiercut.profiling.models.blocks import Rule, find_blocks, joined_blocks
from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.models.graph import sizes_of_axes
from tiercut.profiling.models.loader import load_model
from tiercut.profiling.models.onnx.graph_onnx import OnnxModel
from tiercut.profiling.models.onnx.options import NO_ONNX_OPTIONS, OnnxOptions
from tiercut.profiling.record.settings import Settings, check_settings, subject_kind

__all__ = ["Subject", "open_cut", "open_subject"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A network to record.

    Parameters
    ----------
    cut
        The network in its blocks, with or without branches.
    origin
        Where it comes from, as text; with exits it says all that its training depends on.
    network
        The network with its exits and the data that they are measured on; None without exits.
    trained
        False where the exits have yet to be trained: their times are known already, what they do is not.
    """

    cut: CutNetwork
    origin: str
    network: Network | OnnxNetwork | None = None
    trained: bool = True


def open_subject(name: str, settings: Settings) -> Subject:
    """Load what a name means, or build it; the framework must have been started.

    Parameters
    ----------
    name
        See `tiercut.profiling.models.loader.load_model`; with a data set, a backbone of
        `tiercut.profiling.models.backbones`.
    settings
        Rule, size, weights, data set and seed.

    Raises
    ------
    QuestionError
        If a name is unknown, or a setting cannot count for the network.
    InputError
        If a file cannot be read, or the data set is not the one that the network was trained on.
    """
    check_settings(name, settings)
    kind = subject_kind(name, settings.dataset)
    if kind in ("plain", "onnx"):
        return _plain(name, settings)
    network = _trained(name, settings) if kind == "trained" else _to_train(name, settings)
    exits = network.exits
    ends = tuple(None if branch is None else branch.end for branch in exits.branches)
    before = (
        origin_of(network, Training(schedule=settings.schedule)) if network.record is None else network.record.origin
    )
    return Subject(
        cut=CutNetwork(network.title, "explicit", exits.runtime, exits.blocks, ends),
        origin=f"{before}; exits recorded on {len(network.data.profile)} others",
        network=network,
        trained=kind == "trained",
    )


def open_cut(
    name: str,
    *,
    onnx: OnnxOptions = NO_ONNX_OPTIONS,
    size: Sequence[int] | None = None,
    weights: str | None = None,
    trust: bool = False,
    blocks: Sequence[str] = (),
) -> CutNetwork:
    """Return a network cut as it was recorded, with the branches that it has; the framework must have been started.

    Parameters
    ----------
    name
        See `tiercut.profiling.models.loader.load_model`; also a file that `tiercut.train_network` wrote.
    onnx, size, weights, trust
        With what it was recorded.
    blocks
        The names of the blocks that it was recorded with.

    Raises
    ------
    QuestionError, InputError
        If there is no such network, it has other blocks, or an exit is no classifier.
    """
    if name.endswith(".keras") and has_exits(name):
        exits, record = load_exits(name, trust=trust)
        ends = tuple(None if branch is None else branch.end for branch in exits.branches)
        cut = CutNetwork(record.title, "explicit", exits.runtime, exits.blocks, ends)
    else:
        loaded = load_model(name, size=size, weights=weights, trust=trust, onnx=onnx)
        rule: Rule = "explicit" if onnx.cuts else "all"
        found = find_blocks(loaded.model.graph, rule, cuts=onnx.cuts or (), tensors=onnx.most_tensors)
        if onnx.exits and isinstance(loaded.model, OnnxModel):
            class_count(loaded.model, onnx.exits)
        ends = exit_ends(loaded.model.graph, found) if onnx.exits else ()
        cut = CutNetwork(loaded.title, rule, loaded.model, found, ends)
        kept = {block.end for block in found if block.name in set(blocks)}
        if not ends and 0 < len(kept) == len(blocks) < len(found):  # cuts at which pieces did not agree were dropped
            cut = replace(cut, blocks=joined_blocks(loaded.model.graph, found, kept))
    own = [block.name for block in cut.blocks]
    if blocks and own != list(blocks):
        raise QuestionError(
            f"'{name}' is not what was recorded: it has {len(own)} blocks that end with {_some(own)}, recorded are "
            f"{len(blocks)} that end with {_some(blocks)}; name the model that was profiled, with the same options"
        )
    return cut


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _plain(name: str, settings: Settings) -> Subject:
    from tiercut import __version__

    onnx = settings.onnx
    loaded = load_model(
        name,
        size=settings.size,
        weights=settings.weights,
        trust=settings.trust,
        onnx=onnx,
        batch=settings.batch,
        runtime=settings.runtime,
    )
    rule: Rule = "explicit" if onnx.cuts else settings.rule or "all"
    blocks = find_blocks(loaded.model.graph, rule, cuts=onnx.cuts or (), tensors=onnx.most_tensors)
    cut = CutNetwork(loaded.title, rule, loaded.model, blocks)
    if onnx.exits is not None and onnx.data is not None and isinstance(loaded.model, OnnxModel):
        network = open_exits(loaded.title, loaded.model, onnx.exits, blocks, Path(onnx.data))
        origin = (
            f"exits recorded by tiercut {__version__} on {len(network.data.profile)} samples of {network.data.name}"
        )
        return Subject(replace(cut, ends=network.exits.ends), origin, network)
    return Subject(cut, f"recorded by tiercut {__version__}")


def _trained(path: str, settings: Settings) -> Network:
    exits, record = load_exits(path, trust=settings.trust)
    return Network(record.title, exits, data_of(exits, record, settings.dataset, os.fspath(path)), record)


def _to_train(name: str, settings: Settings) -> Network:
    assert settings.dataset is not None
    size = None if settings.size is None else sizes_of_axes(settings.size, 2)
    return new_network(name, settings.dataset, seed=settings.schedule.seed, size=size)  # type: ignore[arg-type]
