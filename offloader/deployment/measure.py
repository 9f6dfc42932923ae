"""A deployment measured from outside: frames are sent to its first agent, and what they took is held against the plan.

Agents answer the call, so nothing but the first one's address is needed, whatever starts and connects them.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiercut import units
from tiercut.errors import QuestionError, TiercutError
from tiercut.offloader.agent.timings import of_stage
from tiercut.offloader.bundles.manifest import Bundle, load_bundle
from tiercut.offloader.bundles.split import Split
from tiercut.offloader.deployment.names import PORT
from tiercut.offloader.local.frames import Frames, load_frames
from tiercut.offloader.local.prediction import Predicted
from tiercut.offloader.local.result import latency_figures
from tiercut.offloader.protocol.channels import Peer, address_of, check_grpc
from tiercut.offloader.protocol.coding import coming
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import take_parameters
from tiercut.offloader.protocol.tls import Tls, load_tls

__all__ = ["Measured", "measure", "measure_command", "prediction_data"]

_WARM_UP = 5


def prediction_data(prediction: Predicted, split: Split, accuracy: float | None) -> dict[str, Any]:
    """Return what the model says of a plan as plain data.

    Keys: ``latency_s`` (mean) and ``accuracy``; by exit ``exit_rate`` and ``latency_at_exit_s``; ``stages``: the name
    of the bundle's folder, node, blocks, and ``compute_s`` of a frame that goes through all of it.
    """
    at_exit, rates = prediction.at_exit, prediction.rates
    return {
        "latency_s": sum(rates[block] * seconds for block, seconds in at_exit.items()),
        "accuracy": accuracy,
        "exit_rate": {str(block): rate for block, rate in rates.items()},
        "latency_at_exit_s": {str(block): seconds for block, seconds in at_exit.items()},
        "stages": [
            {
                "bundle": folder.name,
                "node": bundle.node,
                "blocks": list(bundle.blocks),
                "pieces": [
                    {"first": step.first, "compute_s": step.seconds}
                    for step in prediction.steps
                    if step.sort == "compute" and step.stage == place
                ],
            }
            for place, (folder, bundle) in enumerate(zip(split.folders, split.bundles, strict=True))
        ],
    }


@dataclass(frozen=True, slots=True)
class Measured:
    """What frames took, each sent after the one before it was answered; in seconds.

    Parameters
    ----------
    latency_s, exits
        Of each frame: from its call until its answer, and the block where it left (None: not said).
    compute_s
        By stage, of the frames that got there.
    right
        How many were given their right class; None where labels are not known.
    failures
        Why calls failed.
    """

    latency_s: tuple[float, ...]
    exits: tuple[int | None, ...]
    compute_s: tuple[tuple[float, ...], ...]
    right: int | None
    failures: tuple[str, ...]


def measure(
    bundles: Sequence[Bundle],
    address: str,
    frames: Frames,
    count: int,
    *,
    deadline_s: float = 60.0,
    tls: Tls | None = None,
) -> Measured:
    """Send frames to the first agent of a deployment, one after the other.

    Parameters
    ----------
    bundles
        Of the partitions in order.
    address
        HOST:PORT of the first agent.
    frames, count
        What is sent, and how many.
    deadline_s
        After which a frame has failed.
    tls
        What the channel is encrypted with.

    Raises
    ------
    QuestionError
        If the first frame is not answered.
    """
    import grpc

    first = bundles[0]
    peer = Peer(address, max(each.most_bytes for each in bundles), tls)
    coding = coming(first)
    latencies, exits, failures = list[float](), list[int | None](), list[str]()
    compute: list[list[float]] = [[] for _ in bundles]
    right = 0
    try:
        for number in range(-_WARM_UP, count):
            request = message("ModelInferRequest", model_name=first.model, id=str(number))
            coding.put(request, frames.frame(max(number, 0)))
            begun = time.perf_counter()
            try:
                answer = peer.call("ModelInfer", request, deadline_s)
            except grpc.RpcError as error:
                why: Any = error
                said = f"{address}: {why.code().name}: {why.details()}"[:300]
                if number < 0:
                    raise QuestionError(said) from None
                failures.append(said)
                continue
            took = time.perf_counter() - begun
            if number < 0:
                continue
            latencies.append(took)
            said_of = take_parameters(answer)
            exit_ = said_of.get("exit")
            # NOTE another server that stands in for the last agent names no exit: what gets there leaves there.
            exits.append(exit_ if isinstance(exit_, int) else bundles[-1].pieces[-1].exit)
            for place, each in enumerate(compute, 1):
                if (times := of_stage(said_of, place)) is not None:
                    each.append(times["compute"])
            right += _class_of(answer) == frames.label(number)
    finally:
        peer.close()
    return Measured(
        tuple(latencies),
        tuple(exits),
        tuple(tuple(each) for each in compute),
        None if frames.labels is None else right,
        tuple(failures),
    )


def _class_of(answer: Any) -> int | None:
    """Return the class of the only output of scores; None where it is none."""
    import numpy as np

    if len(answer.outputs) != 1 or answer.outputs[0].datatype != "FP32":
        return None
    return int(np.frombuffer(answer.raw_output_contents[0], np.float32).argmax())


def measure_command(folder: Path, predicted: Mapping[str, Any], arguments: Sequence[str] | None = None) -> int:
    """Measure the deployment of the bundles in a folder, print it beside its prediction, and return a status.

    Parameters
    ----------
    folder
        Where `tiercut split` wrote.
    predicted
        See `prediction_data`.
    arguments
        Of the command line; None: this process's.
    """
    parser = argparse.ArgumentParser(description=f"Measure the deployment of the bundles in {folder}.")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.npz", help="samples: images and labels")
    parser.add_argument("--agent", default=f"127.0.0.1:{PORT}", metavar="HOST:PORT", help="of the first partition")
    parser.add_argument("--frames", type=int, default=100, help="how many (100)")
    parser.add_argument("--tls", type=Path, metavar="FOLDER", help="ca.crt, and tls.crt and tls.key if agents ask")
    given = parser.parse_args(arguments)
    try:
        check_grpc()
        bundles = [load_bundle(folder / stage["bundle"]) for stage in predicted["stages"]]
        address = address_of(given.agent, what="--agent")
        tls = None if given.tls is None else load_tls(given.tls, server=False)
        frames = load_frames(given.data, bundles[0].inputs)
        found = measure(bundles, address, frames, max(given.frames, 1), tls=tls)
    except TiercutError as error:
        parser.exit(2, f"{error}\n")
    print("\n".join(_lines(found, bundles, predicted)))
    return 1 if found.failures else 0


def _lines(found: Measured, bundles: Sequence[Bundle], predicted: Mapping[str, Any]) -> list[str]:
    """Return the lines of the table."""
    rows = [("", "predicted", "measured")]
    figures = latency_figures(found.latency_s)
    rows.append(("latency, mean", _seconds(predicted["latency_s"]), _seconds(figures["mean"])))
    rows += [(f"latency, {name}", "", _seconds(figures[name])) for name in ("p50", "p95") if figures[name] is not None]
    for bundle, said, times in zip(bundles, predicted["stages"], found.compute_s, strict=True):
        first, last = bundle.blocks
        expected = _computing(said["pieces"], found.exits)
        rows.append((f"  {bundle.node} {first}-{last}", _seconds(expected), _seconds(_mean(times))))
    counts, answered = Counter(found.exits), len(found.exits)
    for block, rate in predicted["exit_rate"].items():
        share = counts[int(block)] / answered if answered else None
        rows.append((f"leave at {block}", _share(rate), _share(share)))
        there = [took for took, exit_ in zip(found.latency_s, found.exits, strict=True) if exit_ == int(block)]
        rows.append(("  latency there", _seconds(predicted["latency_at_exit_s"][block]), _seconds(_mean(there))))
    accuracy = None if found.right is None or not answered else found.right / answered
    rows.append(("accuracy", _share(predicted["accuracy"]), _share(accuracy)))
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    lines += [f"{answered} frames answered, {len(found.failures)} failed"]
    return lines + [f"  {why}" for why in found.failures[:3]]


def _computing(pieces: Sequence[Mapping[str, Any]], exits: Sequence[int | None]) -> float | None:
    """Return the predicted mean of computing in a stage, over the frames that got there; None where none did."""
    counts = [sum(exit_ is None or exit_ >= piece["first"] for exit_ in exits) for piece in pieces]
    total = sum(count * float(piece["compute_s"]) for count, piece in zip(counts, pieces, strict=True))
    return total / counts[0] if counts[0] else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else units.format_seconds(seconds)


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"
