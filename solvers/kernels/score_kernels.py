"""The numba kernel that scores given decisions of a plain space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.compiled import compiled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["score_keys"]


@compiled
def score_keys(
    keys: Ints,
    most: int,
    first: Floats,
    middle: Floats,
    last: Floats,
    send: Floats,
    result: Floats,
    stay: Floats,
    accuracy: Floats,
    costs: Floats,
    accuracies: Floats,
) -> None:
    """Write the cost and accuracy of every decision of `keys` (K keys of a plain space) into the two arrays, K each."""
    for k in range(keys.shape[0]):
        key = keys[k]
        parts, lane = key[0], key[key.shape[0] - 1]
        v = key[1 + most]
        c, a, start = first[v], 0.0, 0
        for part in range(parts - 1):
            end, w = key[1 + part] - 1, key[2 + most + part]
            leave = stay[start, lane] - stay[end + 1, lane]
            c = c + stay[start, lane] * middle[v, start, end] + leave * result[end, v]
            a = a + leave * accuracy[end]
            c = c + stay[end + 1, lane] * send[end, v, w]
            start, v = end + 1, w
        end = key[parts] - 1
        costs[k] = c + stay[start, lane] * last[v, start, end] + stay[start, lane] * result[end, v]
        accuracies[k] = a + stay[start, lane] * accuracy[end]
