"""A partition as a predictor of KServe: ``python -m tiercut.offloader.deployment.kserve_server BUNDLE``.

An InferenceGraph hands the answer of one step to the next as it is. So answers have the form of requests: ``instances``
holds a tensor each, and what became of the frame stands beside them.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.offloader.bundles.manifest import TensorSpec, load_bundle
from tiercut.offloader.bundles.stage import StageRunner
from tiercut.offloader.deployment.kserve import GOES_ON
from tiercut.offloader.protocol.tensors import DATATYPES

__all__ = ["Predictor", "main"]


class Predictor:
    """A bundle that answers dictionaries.

    Parameters
    ----------
    folder
        Its bundle.
    """

    def __init__(self, folder: Path) -> None:
        self.bundle = load_bundle(folder)
        self._run = StageRunner(folder, self.bundle)
        self._run.warm_up()

    def __call__(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what becomes of a frame: its tensors, whether it goes on, and its exit and entropy.

        Raises
        ------
        QuestionError
            If the tensors are not those that the bundle takes.
        """
        given = {str(each.get("name")): each for each in _instances(request)}
        ended = self._run({spec.name: _taken(spec, given.get(spec.name)) for spec in self.bundle.inputs})
        answer: dict[str, Any] = {
            "instances": [
                {
                    "name": name,
                    "datatype": DATATYPES[numbers.dtype.name],
                    "shape": list(numbers.shape),
                    "data": numbers.ravel().tolist(),
                }
                for name, numbers in ended.tensors.items()
            ],
            GOES_ON: "no" if ended.leaves else "yes",
        }
        if ended.exit is not None:
            answer["exit"] = ended.exit
        if ended.entropy is not None:
            answer["entropy"] = ended.entropy
        return answer


def _instances(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = request.get("instances")
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise QuestionError("expected 'instances': a list with an object of name, datatype, shape and data each")
    return found


def _taken(spec: TensorSpec, given: Mapping[str, Any] | None) -> NDArray[Any]:
    if given is None:
        raise QuestionError(f"there is no tensor '{spec.name}' among the instances")
    said = given.get("datatype"), given.get("shape")
    wanted = DATATYPES[spec.dtype], spec.shape
    if said != wanted:
        raise QuestionError(f"tensor '{spec.name}': expected {wanted[0]} of {wanted[1]}, got {said[0]} of {said[1]}")
    data = given.get("data")
    if not isinstance(data, list) or len(data) != math.prod(spec.shape):
        raise QuestionError(f"tensor '{spec.name}': expected {math.prod(spec.shape)} numbers in one list")
    try:
        return np.array(data, dtype=spec.dtype).reshape(spec.shape)
    except (TypeError, ValueError) as error:
        raise QuestionError(f"tensor '{spec.name}': {error}") from None


def main(arguments: list[str] | None = None) -> None:
    """Serve a bundle until the process is ended; needs the package kserve."""
    from kserve import Model, ModelServer, model_server  # type: ignore[import-not-found, unused-ignore]
    from kserve.errors import InvalidInput  # type: ignore[import-not-found, unused-ignore]

    parser = argparse.ArgumentParser(parents=[model_server.parser], description=__doc__)
    parser.add_argument("bundle", type=Path)
    given = parser.parse_args(arguments)

    class Served(Model):  # type: ignore[misc, unused-ignore]
        """The bundle as KServe calls it."""

        def __init__(self) -> None:
            super().__init__(given.model_name)
            self._predictor = Predictor(given.bundle)
            self.ready = True

        def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
            """Answer a request of version 1 of the protocol."""
            del headers, response_headers
            try:
                return self._predictor(payload)
            except QuestionError as error:
                raise InvalidInput(str(error)) from None

    ModelServer().start([Served()])


if __name__ == "__main__":
    main()
