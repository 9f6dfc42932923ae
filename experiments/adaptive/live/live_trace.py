"""What happens in the study of live plans, as files that the command line reads."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["DEADLINE_S", "NETWORK", "RATE", "SECONDS", "TRACE", "write_inputs"]

NETWORK, RATE, SECONDS, DEADLINE_S = "digits-onnx", 16.0, 66.0, 2.0
LINK = "bandwidth(camera-gateway)"
TRACE: tuple[tuple[float, dict[str, object]], ...] = (
    (8, {LINK: "0.8 Mb/s"}),
    (16, {LINK: "8 Mb/s"}),
    (22, {"slowdown(gateway)": 64}),
    (30, {"slowdown(gateway)": 8}),
    (35, {LINK: "0.4 Mb/s"}),
    (41, {LINK: "8 Mb/s"}),
    (46, {"down": ["gateway"]}),
    (50, {"down": []}),
    (55, {"down": ["camera-gateway"]}),
    (60, {"down": []}),
)
"""Seconds, and what changes then."""

GRID = {LINK: ["8 Mb/s", "0.8 Mb/s"], "slowdown(gateway)": [8, 40], "down": ["gateway"]}


TOPOLOGY = {
    "format": "tiercut.topology/1",
    "name": "live",
    "source": "camera",
    "nodes": [
        {"name": "camera", "slowdown": 90.0},
        {"name": "gateway", "slowdown": 8.0},
        {"name": "cloud", "slowdown": 4.0},
    ],
    "links": [
        {"between": ["camera", "gateway"], "bandwidth": "8 Mb/s", "latency": "1 ms"},
        {"between": ["gateway", "cloud"], "bandwidth": "8 Mb/s", "latency": "2 ms"},
    ],
}
"""Machines and links where a gateway pays as long as its link is good."""


def write_inputs(folder: Path, scale: float) -> None:
    """Write topology.json, grid.yaml and disturb.yaml; JSON is YAML.

    Parameters
    ----------
    folder
        Where.
    scale
        What all times of the trace are multiplied by.
    """
    disturbances = [{"at": f"{scale * at:.9g} s", "conditions": change} for at, change in TRACE]
    made = {
        "topology.json": TOPOLOGY,
        "grid.yaml": {"format": "tiercut.grid/1", "conditions": GRID},
        "disturb.yaml": {"format": "tiercut.disturbances/1", "disturbances": disturbances},
    }
    for name, data in made.items():
        (folder / name).write_text(json.dumps(data), encoding="utf-8")
