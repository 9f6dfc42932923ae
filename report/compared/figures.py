"""The figures of a file, by name, so that those of several files can stand side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tiercut import documents, units
from tiercut.analysis import load_answer
from tiercut.errors import InputError
from tiercut.optimizer import NEGLIGIBLE
from tiercut.profiling import SIZE_LIMIT, load_profile, recorded
from tiercut.report.rows import share_text
from tiercut.topologies import Topology, load_topology, ready_made

if TYPE_CHECKING:
    from tiercut.optimizer import Plan
    from tiercut.profiling import Profile

__all__ = ["Compared", "Figure", "Unit", "read_compared"]

Unit = Literal["s", "B", "B/s", "share", "count", "number", "text"]


_WRITTEN: Mapping[str, Callable[[float], str]] = {
    "s": units.format_seconds,
    "B": units.format_bytes,
    "B/s": units.format_bandwidth,
    "share": share_text,
    "count": lambda value: units.format_count(int(value)),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A value in its inner unit (seconds, bytes, bytes per second, shares), or text; None: the file does not say."""

    value: float | str | None
    unit: Unit = "number"

    @property
    def text(self) -> str:
        """The value as people read it."""
        if self.value is None or isinstance(self.value, str):
            return self.value or "-"
        write = _WRITTEN.get(self.unit)
        return f"{self.value:.4g}" if write is None else write(self.value)


@dataclass(frozen=True, slots=True)
class Compared:
    """A file that is compared.

    Parameters
    ----------
    name
        The file, or what is built in.
    kind
        ``answer``, ``profile``, ``topology``, ``run``, ``replay``, ``stream`` or ``sensitivity``.
    figures
        By name, in the order in which they are shown.
    """

    name: str
    kind: str
    figures: dict[str, Figure]


def read_compared(path: str | os.PathLike[str], rank: int = 1) -> Compared:
    """Return the figures of a file, or of what is built in.

    Parameters
    ----------
    path
        A JSON file as a command prints it with ``--json``, a profile, a topology, or the name of one.
    rank
        Which plan of an answer.

    Raises
    ------
    InputError
        If it cannot be read, or is nothing that can be compared.
    QuestionError
        If there is no plan of that rank.
    """
    name = os.fspath(path)
    if not Path(name).exists() and (name in ready_made() or name in recorded()):
        is_topology = name in ready_made()
    else:
        is_topology = not name.endswith(".json")
    if is_topology:
        return Compared(name, "topology", dict(_topology(load_topology(name))))
    if not Path(name).exists():
        return Compared(name, "profile", dict(_profile(load_profile(name))))
    data = documents.parse_json(documents.read_text(name, limit=SIZE_LIMIT), name)
    said = str(data.get("format", "")) if isinstance(data, dict) else ""
    kind = said[len("tiercut.") : -len("/1")] if said.startswith("tiercut.") and said.endswith("/1") else ""
    if kind in ("answer", "explanation", "why"):
        return Compared(name, "answer", dict(_answer(name, data, rank)))
    if kind == "profile":
        return Compared(name, kind, dict(_profile(load_profile(name))))
    if kind == "topology":
        return Compared(name, kind, dict(_topology(load_topology(name))))
    if kind in _RECORDS:
        return Compared(name, kind, dict(_RECORDS[kind](data)))
    known = "an answer, a profile, a topology, a run, a replay, a stream or a sensitivity"
    raise InputError(name, f"expected {known}, got {f'the format {said!r}' if said else 'no format'}")


_Figures = Iterator[tuple[str, Figure]]


def _answer(name: str, data: dict[str, Any], rank: int) -> _Figures:
    plan = load_answer(name).plan(rank)
    yield "topology", Figure(_text(data, "problem", "topology"), "text")
    yield "profile", Figure(_text(data, "problem", "profile"), "text")
    yield "plan", Figure(plan.shown, "text")
    yield "latency", Figure(plan.latency_s, "s")
    yield "accuracy", Figure(plan.accuracy, "share")
    entry: dict[str, Any] = next((each for each in _entries(data, "plans") if each.get("rank") == rank), {})
    yield "replayed accuracy", Figure(_number(entry, "replayed_accuracy"), "share")
    yield "threshold", Figure(plan.thresholds_shown, "text")
    yield "sent", Figure(plan.bytes_sent, "B")
    for measure, value in entry.get("measures", {}).items():
        yield measure, Figure(value)
    yield from _stages(plan)
    yield "plans", Figure(len(_entries(data, "plans")) or None, "count")
    yield "decisions", Figure(_number(data, "problem", "decisions"), "count")
    yield "solver", Figure(_text(data, "solver", "name"), "text")
    yield "status", Figure(_text(data, "solver", "status"), "text")
    yield "solved in", Figure(_number(data, "solver", "seconds"), "s")


def _stages(plan: Plan) -> _Figures:
    for place, stage in enumerate(plan.stages, 1):
        if stage.reach > NEGLIGIBLE:
            yield f"part {place}: reach", Figure(stage.reach, "share")
            yield f"part {place}: compute", Figure(stage.compute_s, "s")
            if stage.send_to is not None:
                yield f"part {place}: send", Figure(stage.send_s, "s")


def _profile(profile: Profile) -> _Figures:
    yield "model", Figure(profile.model, "text")
    yield "data set", Figure(profile.dataset or None, "text")
    yield "blocks", Figure(profile.block_count, "count")
    yield "input", Figure(float(profile.input_bytes), "B")
    outputs = [block.output_bytes for block in profile.blocks if block.output_bytes is not None]
    yield "smallest output", Figure(min(outputs, default=None), "B")
    sizes = [block.parameter_bytes for block in profile.blocks]
    yield "parameters", Figure(sum(each or 0 for each in sizes) if None not in sizes else None, "B")
    final = profile.exits.accuracy[-1] if profile.exits is not None else profile.accuracy
    yield "accuracy", Figure(final, "share")
    branches = 0 if profile.exits is None else sum(each is not None for each in profile.exits.accuracy)
    yield "exits", Figure(branches, "count")
    yield "thresholds", Figure(0 if profile.exits is None else len(profile.exits.thresholds), "count")
    yield "samples", Figure(profile.samples, "count")
    for name, device in profile.devices.items():
        whole = sum(device.block_s) if device.block_s is not None else (device.span_s or [[0.0]])[0][-1]
        yield f"{name}: all blocks", Figure(whole, "s")
        yield f"{name}: uncut", Figure(device.whole_model_s, "s")
    for name, codec in profile.codecs.items():
        yield f"codec {name}: bytes", Figure(sum(each or 0.0 for each in codec.bytes), "B")


def _topology(topology: Topology) -> _Figures:
    yield "name", Figure(topology.name, "text")
    yield "nodes", Figure(len(topology.nodes), "count")
    yield "source", Figure(topology.source, "text")
    yield "destination", Figure(topology.destination, "text")
    yield "forwarding", Figure(topology.forwarding, "text")
    for node in topology.nodes:
        yield f"{node.name}: slowdown", Figure(node.slowdown)
        if node.device is not None:
            yield f"{node.name}: device", Figure(node.device, "text")
        if node.memory is not None:
            yield f"{node.name}: memory", Figure(node.memory, "B")
    for link, name in zip(topology.links, topology.network.link_names, strict=True):
        yield f"{name}: bandwidth", Figure(link.bandwidth, "B/s")
        yield f"{name}: latency", Figure(link.latency, "s")


_LATENCIES = ("mean", "p50", "p95", "p99")


def _run(data: dict[str, Any]) -> _Figures:
    for name in ("frames", "answered", "failed", "same_as_uncut"):
        yield name.replace("_", " "), Figure(_number(data, name), "count")
    for name in _LATENCIES:
        yield f"{name} latency", Figure(_number(data, "measured", "latency_s", name), "s")
        yield f"{name}, predicted", Figure(_number(data, "predicted", "latency_s", name), "s")
    measured, predicted = (_number(data, side, "latency_s", "mean") for side in ("measured", "predicted"))
    error = None if measured is None or not predicted else measured / predicted - 1.0
    yield "measured over predicted", Figure(None if error is None else f"{error:+.2%}", "text")
    yield "accuracy", Figure(_number(data, "measured", "accuracy"), "share")
    yield "accuracy, predicted", Figure(_number(data, "predicted", "accuracy"), "share")
    yield "runtime", Figure(_text(data, "runtime"), "text")


def _replay(data: dict[str, Any]) -> _Figures:
    yield "samples", Figure(_number(data, "samples"), "count")
    yield "split", Figure(_text(data, "split"), "text")
    for name in _LATENCIES:
        key = "mean_s" if name == "mean" else f"{name}_s"
        yield f"{name} latency", Figure(_first(data, ("latency", name), ("latency", key)), "s")
    yield "latency by the model", Figure(_number(data, "model", "latency_s"), "s")
    for name in ("value", "low", "high"):
        yield "accuracy" if name == "value" else f"accuracy, {name}", Figure(_number(data, "accuracy", name), "share")
    yield "accuracy by the model", Figure(_number(data, "model", "accuracy"), "share")


def _stream(data: dict[str, Any]) -> _Figures:
    for name in ("frames", "done", "dropped", "in_flight"):
        yield name.replace("_", " "), Figure(_number(data, name), "count")
    yield "verdict", Figure(_text(data, "verdict"), "text")
    yield "sustainable rate (fps)", Figure(_number(data, "sustainable_rate"))
    for name in _LATENCIES:
        yield f"{name} latency", Figure(_number(data, "latency_s", name), "s")
    yield "accuracy", Figure(_number(data, "accuracy"), "share")
    for server in _entries(data, "servers"):
        name = str(server.get("node") or server.get("link"))
        yield f"{name}: busy", Figure(_number(server, "utilisation"), "share")
        yield f"{name}: mean wait", Figure(_number(server, "wait_s"), "s")


def _sensitivity(data: dict[str, Any]) -> _Figures:
    yield "combinations", Figure(_number(data, "combinations"), "count")
    for place, each in enumerate(_entries(data, "top"), 1):
        named = each.get("cut", each.get("plan"))
        yield f"among the best, {place}", Figure(f"{named}: {share_text(_number(each, 'share'))}", "text")
    for each in _entries(data, "gains"):
        yield f"gain, {each.get('condition')} {each.get('value')}", Figure(_number(each, "gain"), "share")


_RECORDS: dict[str, Callable[[dict[str, Any]], _Figures]] = {
    "run": _run,
    "replay": _replay,
    "stream": _stream,
    "sensitivity": _sensitivity,
}


def _at(data: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _entries(data: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the objects that a file lists under a key; what is damaged there says nothing."""
    found = data.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _number(data: Any, *keys: str) -> float | None:
    found = _at(data, keys)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _first(data: Any, *paths: Sequence[str]) -> float | None:
    return next((found for path in paths if (found := _number(data, *path)) is not None), None)


def _text(data: Any, *keys: str) -> str | None:
    found = _at(data, keys)
    return found if isinstance(found, str) else None
