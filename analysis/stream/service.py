"""How long nodes serve: the times that the profile has for a question, their means, or drawn from p50 and p99."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np

from tiercut.errors import QuestionError
from tiercut.optimizer import build_problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.analysis.stream.question import Times
    from tiercut.optimizer import Problem, Step
    from tiercut.profiling import Device, Profile
    from tiercut.topologies import Topology

__all__ = ["Service", "lognormal_draws", "lognormal_mean", "service_of", "with_times"]

_Z99 = NormalDist().inv_cdf(0.99)


def lognormal_mean(p50: NDArray[np.float64], p99: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means of log-normal times with these quantiles; 0 where the median is 0."""
    mean: NDArray[np.float64] = p50 * np.exp(_sigma(p50, p99) ** 2 / 2)
    return mean


def lognormal_draws(
    p50: NDArray[np.float64], p99: NDArray[np.float64], normal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return log-normal times with these quantiles, from draws of a standard normal distribution."""
    drawn: NDArray[np.float64] = p50 * np.exp(_sigma(p50, p99) * normal)
    return drawn


def _sigma(p50: NDArray[np.float64], p99: NDArray[np.float64]) -> NDArray[np.float64]:
    known = (p50 > 0) & (p99 > p50)
    ratio = np.divide(p99, p50, out=np.ones_like(p50), where=known)
    sigma: NDArray[np.float64] = np.log(ratio) / _Z99
    return sigma


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """What serving takes on each node.

    Parameters
    ----------
    problem
        The tables.
    middle, high
        Tables of the medians and of the 99th percentiles, where times are drawn; else None.
    """

    problem: Problem
    middle: Problem | None = None
    high: Problem | None = None

    def spread(self, parts: Sequence[Step]) -> tuple[float, float] | None:
        """Return p50 and p99 of pieces that run one after the other; None where times are constant.

        Quantiles of pieces are added up: what slows a node slows all of a stage.
        """
        if self.middle is None or self.high is None:
            return None
        return sum(_seconds(self.middle, each) for each in parts), sum(_seconds(self.high, each) for each in parts)

    def coding(self, step: Step) -> tuple[float, float]:
        """Return the seconds to encode on the sender what a transfer carries, and to decode it on the receiver."""
        tables, block = self.problem, step.first
        sender, receiver = (tables.nodes.index(str(name)) for name in (step.node, step.to))
        if step.codec is None:
            return float(tables.encode_s[block, sender]), float(tables.decode_s[block, receiver])
        codec = tables.codecs.index(step.codec)
        encode, decode = tables.codec_encode_s[codec, block], tables.codec_decode_s[codec, block]
        return float(encode[sender]), float(decode[receiver])


def _seconds(problem: Problem, step: Step) -> float:
    """Return what the tables of a problem have for a piece."""
    table = problem.span_s if step.exits else problem.bare_s
    return float(table[problem.nodes.index(str(step.node)), step.first - 1, step.last - 1])


def service_of(problem: Problem, topology: Topology, profile: Profile, times: Times) -> Service:
    """Return what serving takes.

    Raises
    ------
    QuestionError
        If times are to be drawn, but a device that a node stands for has no p50 and p99.
    """
    if times != "drawn":
        return Service(problem)
    used = {node.device or profile.reference_device for node in topology.nodes}
    for name in sorted(used):
        device = profile.devices[name]
        if missing := [key for key in ("block_p50_s", "block_p99_s") if getattr(device, key) is None]:
            raise QuestionError(
                f"times can be drawn only from p50 and p99, and device '{name}' of profile '{profile.name}' has no "
                f"'{missing[0]}'; record it with tiercut profile, or take the times as they are (--times block)"
            )
    middle, high = (build_problem(topology, _by(profile, each)) for each in ("p50", "p99"))
    return Service(problem, middle, high)


def with_times(profile: Profile, times: Times) -> Profile:
    """Return the profile with the means of its devices in place of their times, where they are wanted and recorded."""
    return _by(profile, "mean") if times == "mean" else profile


def _by(profile: Profile, statistic: Literal["mean", "p50", "p99"]) -> Profile:
    return profile.model_copy(
        update={"devices": {name: _device_by(each, statistic) for name, each in profile.devices.items()}}
    )


def _device_by(device: Device, statistic: Literal["mean", "p50", "p99"]) -> Device:
    """Return a device with another statistic of its times; spans change by as much as the sums of their blocks."""
    blocks = getattr(device, f"block_{statistic}_s")
    branches = getattr(device, f"branch_{statistic}_s")
    if blocks is None:
        return device
    update = {"block_s": blocks, "branch_s": device.branch_s if branches is None else branches}
    if device.span_s is not None and device.block_s is not None:
        update["span_s"] = [
            [each * _ratio(device.block_s[i : i + k + 1], blocks[i : i + k + 1]) for k, each in enumerate(row)]
            for i, row in enumerate(device.span_s)
        ]
    return device.model_copy(update=update)


def _ratio(before: Sequence[float], after: Sequence[float]) -> float:
    total = sum(before)
    return sum(after) / total if total > 0 else 1.0
