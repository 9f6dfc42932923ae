"""Where the time of a frame went, as parameters that travel with it: whole nanoseconds by stage."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["STEPS", "came_by", "named", "of_piece", "of_stage"]

STEPS = ("send", "queue", "decode", "compute", "encode")
"""What is timed in each stage: on the way there, waiting for a worker, bytes to tensors, pieces, tensors to bytes."""


def named(stage: int, step: str) -> str:
    """Return the parameter that holds a time of a stage, 1-based."""
    return f"stage{stage}.{step}_ns"


def came_by(stage: int) -> str:
    """Return the parameter that says how a frame came to a stage: its place in `TRANSPORTS`."""
    return f"stage{stage}.by"


def of_piece(stage: int, place: int) -> str:
    """Return the parameter that holds what a piece, 0-based, of a stage, 1-based, took in a message that warms up."""
    return f"stage{stage}.piece{place}_ns"


def of_stage(parameters: Mapping[str, str | int | bool], stage: int) -> dict[str, float] | None:
    """Return the seconds of a stage by step, or None where the frame did not get there."""
    found = {step: parameters.get(named(stage, step)) for step in STEPS}
    if found["compute"] is None:
        return None
    return {step: float(value) / 1e9 for step, value in found.items() if isinstance(value, int)}
