"""Temperature scaling: confidences that mean what they say, fitted for every branch by itself.

Guo et al., "On Calibration of Modern Neural Networks", 2017, section 4.2. The samples that temperatures are fitted to
are held out of the training split: fitted to the profile split they would flatter the rates that are recorded there,
and fitted to what the weights were fitted to they would find the network surer than it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tiercut.errors import QuestionError
from tiercut.profiling.data.datasets import Split
from tiercut.profiling.exits.exits import ExitModel
from tiercut.profiling.exits.heads import scoring_layer

__all__ = ["calibrate", "fit_temperature"]

_SPAN = np.log(20.0)


def calibrate(exits: ExitModel, held: Split, *, batch: int = 64) -> list[float | None]:
    """Divide the scores of every branch by its temperature, inside of the layer that makes them.

    No answer changes, only the confidence of the branch, and so which samples leave at which threshold.

    Parameters
    ----------
    exits
        The trained model; the weights of its last layers change.
    held
        Samples that nothing was fitted to and nothing will be recorded on.

    Returns
    -------
    list
        The temperature of each of N branches, None where a block has none.

    Raises
    ------
    QuestionError
        If there are no samples, or a branch has more than a softmax after its scores.
    """
    if not len(held):
        raise QuestionError("temperatures are fitted to samples held out of the training: give held_out, such as 0.1")
    outputs = exits.model.predict(held.images, batch_size=batch, verbose=0)
    temperatures: list[float | None] = [None] * len(exits.blocks)
    for block, scores in zip(exits.present, outputs if isinstance(outputs, list) else [outputs], strict=True):
        branch = exits.branches[block]
        assert branch is not None
        found = fit_temperature(scores, held.labels)
        layer = scoring_layer(exits.backbone.inputs[0], branch.output)
        layer.set_weights([each / np.float32(found) for each in layer.get_weights()])
        temperatures[block] = found
    return temperatures


def fit_temperature(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Return the temperature, between 1/20 and 20, under which the labels are likeliest.

    Parameters
    ----------
    probabilities
        float[samples, classes] of a softmax; their logarithms are its scores up to a constant.
    labels
        int64[samples].
    """
    from scipy.optimize import minimize_scalar

    scores = np.log(np.maximum(probabilities.astype(np.float64), 1e-38))
    own = scores[np.arange(len(labels)), labels]

    def loss(log_temperature: float) -> float:
        heat = np.exp(log_temperature)
        return float(np.mean(np.logaddexp.reduce(scores / heat, axis=1) - own / heat))

    return float(np.exp(minimize_scalar(loss, bounds=(-_SPAN, _SPAN), method="bounded").x))
