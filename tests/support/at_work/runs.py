"""A run that was made up: three frames over two stages, of which one leaves early, one goes through, and one fails."""

from __future__ import annotations

import tiercut
from tiercut.offloader.bundles.manifest import Bundle, Piece, PieceFile, TensorSpec
from tiercut.offloader.local.driver import Outcome
from tiercut.offloader.local.frame_times import FrameTimes, frame_times
from tiercut.offloader.local.prediction import Predicted, predicted
from tiercut.offloader.local.result import Figures, Run, StageTimes, latency_figures
from tiercut.optimizer import build_problem, decide_again

MS = 1_000_000
EARLY_MS, LATE_MS, APART_MS = 10, 40, 50


def prediction() -> Predicted:
    """Return what the model says of a plan of two stages that is left after blocks 3 and 12."""
    topology, profile = tiercut.load_topology("three-tiers"), tiercut.load_profile("digits-onnx")
    plan = tiercut.plan(
        topology, profile, partition=[4, 12], placement=["camera", "cloud"], exits=[3, 12], threshold=0.5
    )
    problem = build_problem(topology, profile)
    return predicted(problem, decide_again(problem, plan))


def outcomes() -> list[Outcome]:
    """Return what became of the frames; of each the first 1 ms is the source's, and the last is nobody's."""
    first = {"stage0.encode_ns": MS, "stage1.send_ns": MS, "stage1.decode_ns": MS, "stage1.queue_ns": MS}
    early = first | {"stage1.compute_ns": 2 * MS, "stage1.encode_ns": MS}
    late = first | {"stage1.compute_ns": 5 * MS, "stage1.encode_ns": MS, "stage2.send_ns": 10 * MS}
    late |= {"stage2.decode_ns": MS, "stage2.queue_ns": MS, "stage2.compute_ns": 9 * MS, "stage2.encode_ns": MS}
    return [
        Outcome(
            0, EARLY_MS * MS, exit=3, parameters={**early, "entropy": "0.25"}, return_s=1e-3, late_ns=MS
        ),
        Outcome(
            APART_MS * MS, (APART_MS + LATE_MS) * MS, exit=12, parameters={**late, "entropy": "0.125"}, return_s=6e-3,
            late_ns=MS,
        ),
        Outcome(2 * APART_MS * MS, 3 * APART_MS * MS, failure="no answer before its deadline"),
    ]  # fmt: skip


def bundles() -> list[Bundle]:
    """Return what the stages are made of."""
    tensor = TensorSpec(name="image", dtype="float32", shape=[1, 4])
    piece = Piece(
        blocks=[1, 1],
        inputs=[tensor],
        outputs=[tensor],
        files={"onnx": PieceFile(path="piece1.onnx", sha256="0" * 64, bytes=0)},
    )
    return [
        Bundle(
            model="digits-onnx",
            stage=stage,
            stages=2,
            node=node,
            next="cloud" if stage == 1 else None,
            blocks=blocks,
            inputs=[tensor],
            outputs=[tensor],
            pieces=[piece],
        )
        for stage, (node, blocks) in enumerate((("camera", [1, 4]), ("cloud", [5, 12])), 1)
    ]


def times(*, one_clock: bool = True) -> FrameTimes:
    """Return where the time of the frames went."""
    said = [True, False, None], [True, True, False]
    return frame_times(outcomes(), bundles(), prediction(), [3, 12, 12], *said, one_clock=one_clock)


def run() -> Run:
    """Return the run."""
    figures = Figures(latency_figures([1e-3 * EARLY_MS, 1e-3 * LATE_MS]), 0.5, {3: 0.5, 12: 0.5})
    steps: dict[str, float | None] = dict.fromkeys(
        ("encode_before", "send", "queue", "decode", "compute", "encode", "result"), 0.001
    )
    stages = tuple(
        StageTimes(node, blocks, count, 1.0, steps, {"send": 0.001, "compute": 0.001, "result": 0.001})
        for node, blocks, count in (("camera", (1, 4), 2), ("cloud", (5, 12), 1))
    )
    return Run(
        "camera 1-4 → cloud 5-12", 3, 2, 0, 2, ((2, "no answer before its deadline"),), figures, figures, True, stages,
        0.05, 0.05, "onnx", 1, True, {}, (0.01, 0.04, None), times(),
    )  # fmt: skip
