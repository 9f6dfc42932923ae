"""The dense tables that every solver sees; nothing here knows of YAML, Keras or networks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from tiercut.errors import InputError
from tiercut.optimizer.measures.piece_table import PieceTable
from tiercut.units import distinct_digits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.samples.leavers import Leavers
    from tiercut.optimizer.samples.recorded import Recorded
    from tiercut.topologies import Network


__all__ = ["ANYWHERE", "Estimator", "EstimatorChoice", "Problem"]

Floats: TypeAlias = "NDArray[np.float64]"

Estimator = Literal["marginal", "conditional", "nested", "replay"]
EstimatorChoice = Literal["auto", "marginal", "conditional", "nested", "replay"]

ANYWHERE = -1
"""The destination index that stands for a result that stays where it is made."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Problem:
    """One network on one topology: M nodes, N blocks, T thresholds (the Joint model, sections 2.1 to 2.3).

    Parameters
    ----------
    topology, profile
        Names, for display.
    nodes, tiers
        Name and tier of each node, M.
    source
        Index of the node where the input is born.
    destination
        Index of the node that consumes the result, or `ANYWHERE`.
    one_per_tier
        Whether at most one node of each tier may be used (Scission).
    order
        What the topology says of later partitions: ``any``, or ``forward`` for no nearer tier than the one before.
    blocks
        Name of each block, N.
    thresholds
        Normalised entropies, T, rising; ``[nan]`` where there are no exits.
    stay
        T x (N+1): share of samples that remain after block i, every branch before it evaluated; ``stay[:, 0]`` is 1.
    stay_alone
        The same with each branch evaluated by itself: ``1 - exit_rate_alone``; nan where that is not recorded.
    accuracy
        N: accuracy of each branch over all samples; nan where there is no branch or it is not known.
    branch
        N: whether a branch hangs after the block. The last one always has the backbone's own.
    span_s, bare_s
        M x N x N: seconds for blocks i..j (0-based, inclusive) with branch j, and without one; undefined for j < i.
        Indexed as arrays are, and made of arrays too; see `tiercut.optimizer.measures.piece_table.PieceTable`.
    transfer_s
        (N+1) x M x M: seconds to send the input (0) or block i's output from one node to another; inf: no path.
    result_s
        N x M: seconds to send the prediction of branch i from a node to the destination.
    payload_bytes
        N+1: bytes of the input and of each block's output.
    result_bytes
        Bytes of a prediction.
    power, price
        M: watts while computing, and dollars per second of computing; nan where the topology does not say.
    idle_power
        M: watts while a node waits and a sample is elsewhere; 0 where the topology does not say.
    workers
        M: how many frames a node works on at once.
    encode_s, decode_s
        (N+1) x M: seconds of a node to encode the input (0) or block i's output, and to decode it; `transfer_s` holds
        both.
    transfer_cost, result_cost
        (N+1) x M x M and N x M: dollars for the same transfers.
    codecs
        Names of the C codecs that the profile records.
    codec_s, codec_bytes, codec_drop, codec_cost
        C x (N+1) x M x M seconds with each codec (inf where it cannot be used), C x (N+1) bytes and fall in accuracy
        for the samples that cross, and dollars as `transfer_cost`.
    codec_encode_s, codec_decode_s
        C x (N+1) x M: as `encode_s` and `decode_s`, by each codec; 0 where it cannot be used.
    parameter_bytes, activation_bytes
        N: what a block keeps in memory, and the largest tensor in it; nan where the profile does not say.
    memory
        M: bytes; nan where the topology does not say.
    recorded
        Samples to send through plans, in place of the estimates that `stay` and `accuracy` give; None: estimate.
    leavers
        Accuracies of the samples that really leave at an exit, in place of `accuracy`; None: the formula's.
    network
        Nodes and links, to look up what crosses a link where a question is about that: a snapshot of the topology that
        the tables were made of; None where there is none.
    """

    topology: str
    profile: str
    nodes: tuple[str, ...]
    tiers: tuple[str, ...]
    source: int
    destination: int
    one_per_tier: bool
    blocks: tuple[str, ...]
    thresholds: Floats
    stay: Floats
    stay_alone: Floats
    accuracy: Floats
    branch: NDArray[np.bool_]
    span_s: PieceTable
    bare_s: PieceTable
    transfer_s: Floats
    result_s: Floats
    payload_bytes: Floats
    result_bytes: float
    power: Floats
    price: Floats
    idle_power: Floats
    workers: Floats
    encode_s: Floats
    decode_s: Floats
    transfer_cost: Floats
    result_cost: Floats
    codecs: tuple[str, ...]
    codec_s: Floats
    codec_bytes: Floats
    codec_drop: Floats
    codec_cost: Floats
    codec_encode_s: Floats
    codec_decode_s: Floats
    parameter_bytes: Floats
    activation_bytes: Floats
    memory: Floats
    recorded: Recorded | None = None
    leavers: Leavers | None = None
    network: Network | None = None
    order: Literal["any", "forward"] = "any"

    def __repr__(self) -> str:
        thresholds = f", {len(self.thresholds)} thresholds" if self.has_exits else ""
        size = f"{self.block_count} blocks, {self.node_count} nodes{thresholds}"
        return f"<Problem {self.profile} on {self.topology}: {size}>"

    def __post_init__(self) -> None:
        self._check_shapes()
        for name in ("span_s", "bare_s"):
            object.__setattr__(self, name, PieceTable.of(getattr(self, name)))
        for name in ("transfer_s", "result_s", "payload_bytes"):
            if np.any(np.isnan(array := getattr(self, name))) or np.any(array < 0):
                raise InputError(name, "holds a value that is negative or no number")
        for field in fields(self):
            if isinstance(value := getattr(self, field.name), np.ndarray):
                locked = value.view()  # the array itself stays as it is: see `tiercut.optimizer.space.Space.costs`
                locked.setflags(write=False)
                object.__setattr__(self, field.name, locked)

    def _check_shapes(self) -> None:
        m, n, t, c = len(self.nodes), len(self.blocks), len(self.thresholds), len(self.codecs)
        shapes = {
            "stay": (t, n + 1),
            "stay_alone": (t, n + 1),
            "accuracy": (n,),
            "branch": (n,),
            "span_s": (m, n, n),
            "bare_s": (m, n, n),
            "transfer_s": (n + 1, m, m),
            "result_s": (n, m),
            "payload_bytes": (n + 1,),
            "power": (m,),
            "price": (m,),
            "idle_power": (m,),
            "workers": (m,),
            "encode_s": (n + 1, m),
            "decode_s": (n + 1, m),
            "transfer_cost": (n + 1, m, m),
            "result_cost": (n, m),
            "codec_s": (c, n + 1, m, m),
            "codec_bytes": (c, n + 1),
            "codec_drop": (c, n + 1),
            "codec_cost": (c, n + 1, m, m),
            "codec_encode_s": (c, n + 1, m),
            "codec_decode_s": (c, n + 1, m),
            "parameter_bytes": (n,),
            "activation_bytes": (n,),
            "memory": (m,),
        }
        for name, wanted in shapes.items():
            if (got := getattr(self, name).shape) != wanted:
                raise InputError(name, f"expected shape {wanted}, got {got}")
        if self.leavers is not None and (got := self.leavers.one.shape) != (t, n + 1, n, 2):
            raise InputError("leavers", f"expected shape {(t, n + 1, n, 2)}, got {got}")

    @property
    def estimator(self) -> Estimator:
        """How exit rates and accuracies of a plan are known (see `tiercut.optimizer.samples.estimators`)."""
        return "replay" if self.recorded is not None else "marginal" if self.leavers is None else self.leavers.estimator

    @property
    def node_count(self) -> int:
        """Number of nodes, M."""
        return len(self.nodes)

    @property
    def block_count(self) -> int:
        """Number of blocks, N."""
        return len(self.blocks)

    @property
    def has_exits(self) -> bool:
        """Whether the profile has branches before the end, so that thresholds mean something."""
        return not np.isnan(self.thresholds[0])

    @property
    def digits(self) -> int:
        """In how many significant digits thresholds are printed: enough to tell them apart."""
        return distinct_digits(self.thresholds.tolist())

    @property
    def knows_memory(self) -> bool:
        """Whether it is known what every block keeps in memory."""
        return not bool(np.any(np.isnan(self.parameter_bytes)))

    @property
    def partition_bytes(self) -> Floats:
        """N x N: bytes that blocks i..j need on a node, their parameters and the largest activation; 0 for j < i."""
        count, largest = self.block_count, np.nan_to_num(self.activation_bytes)
        size = np.zeros((count, count))
        for first in range(count):
            rest = slice(first, None)
            size[first, first:] = np.cumsum(self.parameter_bytes[rest]) + np.maximum.accumulate(largest[rest])
        return size

    @property
    def knows_accuracy(self) -> bool:
        """Whether the accuracy of every branch is known."""
        return not bool(np.any(np.isnan(self.accuracy[self.branch])))
