"""A plan in KServe: an InferenceService for each partition, and an InferenceGraph that follows a frame through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tiercut.offloader.bundles.manifest import Bundle
from tiercut.offloader.deployment.names import image_of, stage_name, title_name
from tiercut.offloader.deployment.yaml_text import yaml_text

__all__ = ["GOES_ON", "kserve_text"]

GOES_ON = "goes_on"
"""What a partition says of a frame: ``yes`` where the next one is to be asked."""

_CONDITION = f'[@this].#({GOES_ON}=="yes")'
"""Found in an answer whose frame goes on. Without it the graph stops, and answers what the step before has."""


def kserve_text(bundles: Sequence[Bundle]) -> str:
    """Return the manifests; the graph's condition of every step is that the frame did not leave at an exit before."""
    documents: list[dict[str, Any]] = []
    for bundle in bundles:
        name = stage_name(bundle)
        container = {
            "name": "kserve-container",
            "image": image_of(bundle),
            "imagePullPolicy": "IfNotPresent",
            "command": ["python", "-m", "tiercut.offloader.deployment.kserve_server"],
            "args": ["/bundle", f"--model_name={name}"],
        }
        documents.append(
            {
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "metadata": {"name": name},
                "spec": {"predictor": {"nodeSelector": {"tiercut/stage": name}, "containers": [container]}},
            }
        )
    steps = [
        {"name": stage_name(bundle), "serviceName": stage_name(bundle)}
        | ({} if place == 0 else {"data": "$response", "condition": _CONDITION})
        for place, bundle in enumerate(bundles)
    ]
    documents.append(
        {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "InferenceGraph",
            "metadata": {"name": title_name(bundles[0])},
            "spec": {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}},
        }
    )
    return yaml_text(
        documents,
        "A service for each partition, whose image also holds kserve (build with --build-arg TIERCUT='tiercut[offload] "
        "kserve'),\nand a graph that asks the next one where a frame goes on. Version 1 of KServe's protocol, as graphs"
        " speak it:\n"
        '  {"instances": [{"name": ..., "datatype": "FP32", "shape": [...], "data": [...]}]}, an entry for each tensor',
    )
