"""A plan with early exits in NVIDIA's Triton: pieces are called one after the other until a frame leaves.

This file is copied into a model repository and runs in Triton's Python backend, where there is no tiercut. Of the plan
it reads the parameter ``plan`` of its config.pbtxt.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

__all__ = ["TritonPythonModel"]

_SUM = 5e-3


class TritonPythonModel:
    """What Triton's Python backend calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the plan."""
        config = json.loads(args["model_config"])
        self.steps = json.loads(config["parameters"]["plan"]["string_value"])["steps"]

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer requests, each with one frame."""
        return [self._answered(request) for request in requests]

    def _answered(self, request: Any) -> Any:
        import triton_python_backend_utils as backend  # type: ignore[import-not-found, unused-ignore]

        held = {each.name(): each for each in request.inputs()}
        for step in self.steps:
            call = backend.InferenceRequest(
                model_name=step["model"],
                inputs=[held[name] for name in step["inputs"]],
                requested_output_names=step["outputs"],
            )
            answer = call.exec()
            if answer.has_error():
                return backend.InferenceResponse(error=answer.error())
            for name in step["outputs"]:
                held[name] = backend.get_output_tensor_by_name(answer, name)
            if step["scores"] is None:
                continue
            scores = _numbers(held[step["scores"]])
            entropy = normalised_entropy(scores)
            if step["threshold"] is None or float(entropy) < step["threshold"]:
                return backend.InferenceResponse(
                    output_tensors=[
                        backend.Tensor("scores", scores),
                        backend.Tensor("exit", np.array([step["exit"]], np.int64)),
                        backend.Tensor("entropy", np.array([entropy], np.float32)),
                    ]
                )
        return backend.InferenceResponse(error=backend.TritonError("the plan has no last exit"))


def _numbers(tensor: Any) -> Any:
    """Return the numbers of a tensor, wherever Triton holds it."""
    if tensor.is_cpu():
        return tensor.as_numpy()
    from torch.utils.dlpack import from_dlpack

    return from_dlpack(tensor.to_dlpack()).cpu().numpy()


def normalised_entropy(scores: Any) -> np.float32:
    """Return the entropy of the class probabilities over ln(classes); scores are these, or logits."""
    exact = np.asarray(scores, np.float64).reshape(-1)
    if not np.isfinite(exact).all():
        raise ValueError("scores are no numbers")
    if exact.min() >= 0 and abs(exact.sum() - 1) <= _SUM:
        shares = exact / exact.sum()
    elif exact.min() >= 0 and exact.max() <= 1:
        raise ValueError("scores are no probabilities of classes: they lie in 0..1 but do not sum to 1")
    else:
        shares = np.exp(exact - exact.max())
        shares /= shares.sum()
    there = shares[shares > 0]
    return np.float32(np.clip(-(there * np.log(there)).sum() / np.log(len(shares)), 0.0, 1.0))
