"""What help shows below a command: two calls of it that a reader can begin with."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["EXAMPLES", "examples_text"]

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "solve": (
        "tiercut solve mobile resnet20-digits32 --min-accuracy 0.9",
        "tiercut solve iot resnet20-digits32 --bandwidth raspberry-micro='2 Mb/s' --json",
    ),
    "rank": (
        "tiercut rank mobile resnet20-digits32 --min-accuracy 0.9 --top 10",
        "tiercut rank iot resnet20-digits32 --exclude raspberry --csv plans.csv",
    ),
    "frontier": (
        "tiercut frontier mobile resnet20-digits32 --plot frontier.png",
        "tiercut frontier iot resnet20-digits32 --over latency,accuracy,bytes --points 9",
    ),
    "explain": (
        "tiercut explain iot resnet20-digits32 --partition 5,6 --placement micro,local --threshold 0.7",
        "tiercut explain mobile resnet20-digits32 --min-accuracy 0.9 --why",
    ),
    "replay": (
        "tiercut replay iot resnet20-digits32 --partition 5,8 --placement micro,local --threshold 0.8",
        "tiercut replay iot resnet20-digits32 plan.json --rank 2 --plot latencies.png",
    ),
    "simulate": (
        "tiercut simulate iot resnet20-digits32 --partition 5 --placement micro --rate '60 fps' --queue 4",
        "tiercut simulate iot resnet20-digits32 --plan plan.json --rate '60 fps' --arrivals poisson",
    ),
    "sensitivity": (
        "tiercut sensitivity mobile resnet20-digits32 --grid grid.yaml --min-accuracy 0.95",
        "tiercut sensitivity --measured latencies.csv --plot gains.png",
    ),
    "compare": (
        "tiercut compare mobile iot",
        "tiercut compare now.json slower.json --all",
    ),
    "report": (
        "tiercut report mobile resnet20-digits32 -o report.html --min-accuracy 0.9",
        "tiercut report network.yaml profile.json --no-changes --with run.json",
    ),
    "sweep": (
        "tiercut sweep sweep.yaml --output out/",
        "tiercut sweep sweep.yaml --output out/ --redo --workers 2",
    ),
    "show": (
        "tiercut show mobile --payload '20 KB'",
        "tiercut show resnet20-digits32 --plot profile.png",
    ),
    "doctor": ("tiercut doctor", "tiercut doctor --json"),
    "schema": ("tiercut schema topology > topology.schema.json", "tiercut schema query"),
    "blocks": (
        "tiercut blocks MobileNetV2 --rule scission",
        "tiercut blocks detector.onnx --input images=1x3x320x320 --tensors 2",
    ),
    "listen": ("tiercut listen --address 0.0.0.0", "tiercut listen --address 0.0.0.0 --port 5055 --once"),
    "measure-link": (
        "tiercut measure-link pi.local",
        "tiercut measure-link pi.local --topology home.yaml --here laptop --there pi",
    ),
    "profile": (
        "tiercut profile MobileNetV2 --device pi",
        "tiercut profile detector.onnx --tensors 2 --limit '15 s' --output detector.json",
    ),
    "export": (
        "tiercut export resnet20.keras resnet20.onnx",
        "tiercut export net.onnx marked.onnx --plan plan.json",
    ),
    "train": (
        "tiercut train resnet20 --dataset digits32",
        "tiercut train resnet20 --dataset digits32 --plan plan.json --output tuned.keras",
    ),
    "codec": (
        "tiercut codec insert model.keras conv3_block1_out layered.keras",
        "tiercut codec train layered.keras --dataset photos.npz --output retrained.keras",
    ),
    "deploy": (
        "tiercut deploy resnet20 digits32 three-tiers --min-accuracy '98 %'",
        "tiercut deploy net.keras cifar10 edge.yaml --max-latency '80 ms' -o deployed",
    ),
    "split": (
        "tiercut split plan.json digits-onnx bundles/",
        "tiercut split plan.json digits-onnx agents/ --whole",
    ),
    "agent": (
        "tiercut agent bundles/2-cloud --listen 127.0.0.1:8002",
        "tiercut agent bundles/1-camera --listen 127.0.0.1:8001 --next 127.0.0.1:8002",
    ),
    "run": (
        "tiercut run plan.json digits-onnx --data digits-onnx --local --retime",
        "tiercut run plan.json digits-onnx --data digits-onnx --agent camera=127.0.0.1:8001",
    ),
    "merge": (
        "tiercut merge pi.json server.json --output both.json",
        "tiercut merge resnet20-digits32 pi.json --output both.json",
    ),
    "import": (
        "tiercut import scission benchmarks/ network.csv --output out/",
        "tiercut import links home.yaml --here laptop --there pi --iperf3 iperf3.json --ping ping.txt",
    ),
}
"""By command; what is named in them beside files of the reader comes with the package."""


def examples_text(command: str) -> str | None:
    """Return the examples of a command as the end of its help, each a paragraph; None where there are none."""
    found = EXAMPLES.get(command)
    return None if found is None else "\n\n".join(["Examples:", *found])
