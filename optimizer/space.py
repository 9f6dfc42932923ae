"""Which decisions a question admits, as the tables that every solver reads.

A plan is a path over *states* (blocks done, level): the level says which share of the samples is still being
processed. A step runs blocks i..j on a node, perhaps evaluates a branch there (an *option*), and moves on. All rules
for exits differ only in the table of levels:

=========  ================================================  =============================================
rule       levels                                            options at a cut
=========  ================================================  =============================================
cuts       one for each block: every branch before was seen  the branch
final      one                                               no branch
free       one for each block: that of the last exit used    no branch; the branch, and on, or to another node
per exit   one for each distinct share that has left; with   the branch at each threshold (free: or none)
           accuracies given the exit before, one for each
           exit and threshold: that which let most leave
=========  ================================================  =============================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from tiercut.errors import QuestionError, unknown_name
from tiercut.memory import check_room
from tiercut.optimizer.measures.piece_table import PieceTable
from tiercut.optimizer.measures.tables import check_known, unlocked
from tiercut.optimizer.plan import NEGLIGIBLE
from tiercut.optimizer.spaces.allowed import anything, is_anything
from tiercut.optimizer.spaces.decisions import count_decisions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiercut.optimizer.measures.tables import Measure
    from tiercut.optimizer.plan import Decision
    from tiercut.optimizer.problem import Estimator, Floats, Problem

    Ints = NDArray[np.int64]
    Shorts = NDArray[np.int32]
    Bools = NDArray[np.bool_]

__all__ = [
    "NEVER",
    "PLAIN",
    "Costs",
    "Exits",
    "Order",
    "Space",
    "admits",
    "make_space",
    "plain_part",
    "without_idle_ends",
    "without_repeats",
]

Exits = Literal["cuts", "final", "free"]
Order = Literal["any", "forward"]

PLAIN = -1
"""The codec choice at a cut that uses no codec."""

NEVER = -2
"""What stands where a codec choice is none for the input (see `Space.input_codecs`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """The tables of one measure, fitted to a space; W codec choices at a cut.

    ``first`` W x M; ``span`` and ``bare`` M x N x N, no arrays but a `PieceTable`, with the branch of the last block
    and without; ``send`` W x N x M x M; ``result`` N x M. A piece that may not be is infinite. The rest says how terms
    count, as in `tiercut.optimizer.measures.tables.Measure`.
    """

    first: Floats
    span: PieceTable
    bare: PieceTable
    send: Floats
    result: Floats
    whole: bool = False
    once: bool = False
    tail: float | None = None
    spread: float = 0.0
    others: tuple[Costs, ...] = ()

    def weigh(self, shares: Floats) -> Floats:
        """Return what terms count that shares of the samples meet (see `Measure.tail`)."""
        return shares if self.tail is None else (shares > self.tail).astype(float)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Space:
    """The admitted decisions of a problem; N blocks, M nodes; L, Q, O, W as in the glossary of ``docs/design.md``.

    Parameters
    ----------
    problem
        The tables.
    exits, order, per_exit
        The rules asked for.
    threshold_indices
        L indices into the problem's thresholds: plans of different indices do not mix. One alone where thresholds have
        no effect, or where each exit has its own.
    stay
        Q x L: share of samples that remain at a level; the first is 1.
    option_exit, option_threshold
        O: whether the branch is evaluated, and with which threshold where each exit has its own (else -1).
    jump
        Q x N x O: the level after block j of a cut there with an option; -1 where there is none such.
    inside
        Whether an exit may stand inside a partition.
    can_end
        N: whether the plan may end with the block.
    accuracy
        N: of each branch; 0 where it is not known, so that sums stay numbers.
    group, rank
        M: nodes of one group exclude each other; ranks never fall along a plan.
    linked
        M x M: whether there is a path from one node to another.
    codec_choices
        W: codec that a cut may use, or the input (see `input_codecs`); `PLAIN` for none.
    allowed
        M x N x N: whether a node may run blocks i..j; nobody writes into it.
    furthest
        M x N: the last block (0-based) of a partition that begins with block i on a node. `allowed` holds it for
        pieces; with exits inside, a partition has several.
    required
        R x G: sets of groups, of each of which every plan must use one.
    fewest, most
        Numbers of partitions.
    """

    problem: Problem
    exits: Exits
    order: Order
    per_exit: bool
    threshold_indices: Ints
    stay: Floats
    option_exit: Bools
    option_threshold: Ints
    jump: Shorts
    inside: bool
    can_end: Bools
    accuracy: Floats
    group: Ints
    rank: Ints
    linked: Bools
    codec_choices: Ints
    allowed: Bools
    furthest: Ints
    required: Bools
    fewest: int
    most: int

    @property
    def plain(self) -> bool:
        """Whether this is the Joint model's or Scission's own space: one threshold, no codecs, nothing forbidden."""
        if self.estimator != "marginal":
            return False
        few = (
            not self.per_exit
            and not self.inside
            and len(self.codec_choices) == 1
            and int(self.codec_choices[0]) == PLAIN
        )
        free = len(self.required) == 0 and self.fewest <= 1 and is_anything(self.allowed)
        return few and free

    @property
    def estimator(self) -> Estimator:
        """How exit rates and accuracies are known."""
        return self.problem.estimator

    def accuracies(self, place: int) -> Floats:
        """Return the accuracy of the samples that leave, at one of the threshold indices: R x N x P.

        R and P are 1 where it does not matter which branch a sample met before; else R is Q, the levels, and P one for
        each threshold that the exit may have (where there is one for all, one), and a last one for the last exit.
        """
        leavers = self.problem.leavers
        if leavers is None:
            return self.accuracy[None, :, None].copy()
        return np.nan_to_num(leavers.each if self.per_exit else leavers.one[self.threshold_indices[place]])

    @property
    def knows_accuracy(self) -> bool:
        """Whether the accuracy of every exit that a plan may use is known."""
        return not bool(np.any(np.isnan(self.problem.accuracy[self.can_end])))

    @property
    def can_cut(self) -> Bools:
        """N: whether a partition that is not the last may end with the block."""
        return np.asarray((self.jump >= 0).any(axis=(0, 2)))

    @property
    def decisions(self) -> int:
        """Number of decisions that exits, order and one_partition_per admit, before bounds, as an exact integer."""
        return count_decisions(self)

    def costs(self, measure: Measure) -> Costs:
        """Return the tables of a measure as they apply to the plans of this space.

        Raises
        ------
        QuestionError
            If a node that may run a part has no value of it.
        """
        return self._costs(measure, {})

    def _costs(self, measure: Measure, fitted: dict[int, PieceTable]) -> Costs:
        """Return the tables of a measure; ``fitted`` has those of pieces by what they were, as many links share one."""
        # Where every piece ends with a branch nobody reads what one without takes.
        span_s, bare_s = measure.span, measure.span if self.option_exit.all() else measure.bare
        for table in (span_s, bare_s):
            if id(table) not in fitted:
                mine = table if isinstance(table, PieceTable) else unlocked(table)
                fits = PieceTable.of(mine if is_anything(self.allowed) else np.where(self.allowed, mine, np.inf))
                fitted[id(table)] = fits
        span, bare = fitted[id(span_s)], fitted[id(bare_s)]
        plain = self.codec_choices.tolist() == [PLAIN]
        send = [measure.send if choice == PLAIN else self._coded(measure, choice) for choice in self.codec_choices]
        if measure.unknown:
            check_known(self.problem, measure, np.asarray(np.isnan(np.triu(span)).any(axis=(1, 2))))
            span, bare = (PieceTable.of(np.nan_to_num(each, nan=0.0, posinf=np.inf)) for each in (span, bare))
        weighed = measure.whole, measure.once, measure.tail, measure.spread
        others = tuple(self._costs(each, fitted) for each in measure.others)
        sends = unlocked(measure.send)[None] if plain else np.stack(send)  # each may take megabytes, and no one writes
        return Costs(self._first(measure), span, bare, sends, measure.result.copy(), *weighed, others)

    def _coded(self, measure: Measure, codec: int) -> Floats:
        usable = np.isfinite(self.problem.codec_s[codec, 1:])
        return np.where(usable, measure.codec_send[codec], np.inf)

    def _first(self, measure: Measure) -> Floats:
        """Return W x M: what bringing the input to a node costs by each codec choice."""
        used = self.input_codecs
        first: Floats = np.where(used == PLAIN, measure.first, np.inf)
        for codec in set(used.ravel().tolist()) - {PLAIN, NEVER}:
            first = np.where(used == codec, measure.codec_first[codec], first)
        return first

    @property
    def input_codecs(self) -> Ints:
        """W x M: what encodes the input on its way to a first node by each codec choice; `NEVER`: there is none such.

        On the source itself nothing is encoded, which is one choice and not several. A codec that every cut must use is
        used for the input too where the profile records it for the input; else the input is sent as it is.
        """
        problem, forced = self.problem, len(self.codec_choices) == 1
        used = np.full((len(self.codec_choices), problem.node_count), PLAIN)
        for choice, codec in enumerate(self.codec_choices.tolist()):
            if codec == PLAIN:
                continue
            seconds = problem.codec_s[codec, 0, problem.source]
            if np.isfinite(seconds[problem.source]):  # it is recorded for the input
                used[choice] = np.where(np.isfinite(seconds), codec, NEVER)
                used[choice, problem.source] = PLAIN if forced else NEVER
            elif not forced:
                used[choice] = NEVER
        return used

    def input_codec(self, choice: int, node: int) -> int | None:
        """Return what encodes the input on its way to a first node by a codec choice that there is."""
        codec, source = int(self.codec_choices[choice]), self.problem.source
        used = codec != PLAIN and node != source and np.isfinite(self.problem.codec_s[codec, 0, source, node])
        return codec if used else None

    @property
    def input_choices(self) -> Ints:
        """M: in how many ways the input may come to a first node."""
        count: Ints = np.maximum((self.input_codecs != NEVER).sum(axis=0), 1)
        return count

    @property
    def input_drops(self) -> Floats:
        """W x M: fall in accuracy by what encodes the input, as `input_codecs`."""
        used = self.input_codecs
        drops = np.zeros(used.shape)
        for codec in set(used.ravel().tolist()) - {PLAIN, NEVER}:
            drops[used == codec] = self.problem.codec_drop[codec, 0]
        return drops

    @property
    def drops(self) -> Floats:
        """W x N: fall in accuracy of the samples that cross the cut after a block by each codec choice."""
        plain = np.zeros(self.problem.block_count)
        return np.stack(
            [plain if choice == PLAIN else self.problem.codec_drop[choice, 1:] for choice in self.codec_choices]
        )


def make_space(
    problem: Problem,
    *,
    exits: Exits | None = None,
    order: Order | None = None,
    per_exit: bool = False,
    codec: str = "none",
) -> Space:
    """Return the decisions of `problem` that a question admits.

    Parameters
    ----------
    problem
        The tables.
    exits
        Where exits may stand; by default ``cuts`` where the profile has exits, else ``final``.
    order
        ``any`` or ``forward``; by default what the topology says.
    per_exit
        Whether each exit takes a threshold of its own.
    codec
        ``none``, ``auto`` (each cut takes what is best) or the name of a codec, which every cut then uses.

    Raises
    ------
    QuestionError
        If exits are wanted of a profile that has none, or a codec that it does not record.
    """
    exits, order = exits or ("cuts" if problem.has_exits else "final"), order or problem.order
    if not problem.has_exits and (exits != "final" or per_exit):
        wanted = "a threshold for each exit needs" if per_exit else f"exits '{exits}' need"
        raise QuestionError(f"{wanted} the key 'exits', which profile '{problem.profile}' does not have")
    if exits == "final":  # where everybody stays to the end, all estimators say the same
        problem = replace(problem, recorded=None, leavers=None)
    nodes = problem.node_count
    group = _indices(problem.tiers) if problem.one_per_tier else np.arange(nodes)
    ends = np.zeros(problem.block_count, bool)
    ends[-1] = True
    space = Space(
        problem=problem,
        exits=exits,
        order=order,
        per_exit=per_exit and exits != "final",
        threshold_indices=np.arange(1),
        stay=np.ones((1, 1)),
        option_exit=np.zeros(1, bool),
        option_threshold=np.full(1, -1),
        jump=np.zeros((1, problem.block_count, 1), np.int32),
        inside=exits == "free",
        can_end=ends if exits == "final" else problem.branch.copy(),
        accuracy=np.nan_to_num(problem.accuracy),
        group=group,
        rank=_indices(problem.tiers) if order == "forward" else np.zeros(nodes, np.int64),
        linked=np.isfinite(problem.transfer_s[0]),
        codec_choices=_codec_choices(problem, codec),
        allowed=anything((nodes, problem.block_count, problem.block_count)),
        furthest=np.full((nodes, problem.block_count), problem.block_count - 1, np.int64),
        required=np.empty((0, len(set(group.tolist()))), bool),
        fewest=1,
        most=min(len(set(group.tolist())), problem.block_count),
    )
    levels = _one_level if exits == "final" else _levels_per_exit if per_exit else _levels_per_block
    space = levels(space)
    return replace(space, most=min(space.most, int(space.can_cut.sum()) + 1))


def plain_part(space: Space) -> Space | None:
    """Return the part of a space with exits at cuts (or only at the end), one threshold, no codecs, marginal estimates.

    None where the space is no more than that already, or has no such part because every cut must use a codec.
    """
    estimated = space.estimator != "marginal"
    more = space.inside or space.per_exit or len(space.codec_choices) > 1 or estimated
    if PLAIN not in space.codec_choices.tolist() or not more:
        return None
    exits: Exits = "final" if space.exits == "final" else "cuts"
    problem = replace(space.problem, recorded=None, leavers=None) if estimated else space.problem
    part = make_space(problem, exits=exits, order=space.order)
    if exits == "cuts" and not space.per_exit:  # where each exit has its own, there is one index for all thresholds
        part = replace(
            part,
            threshold_indices=space.threshold_indices,
            stay=np.ascontiguousarray(part.stay[:, space.threshold_indices]),
        )
    rules = {"allowed": space.allowed, "furthest": space.furthest, "required": space.required, "fewest": space.fewest}
    ends = part.can_end & space.can_end
    return replace(part, can_end=ends, most=min(part.most, space.most), **rules)  # type: ignore[arg-type]


def admits(space: Space, decision: Decision) -> bool:
    """Return whether a plan with exits at its cuts, or only at its end, finds an option at every cut, and may end."""
    level, thresholds = 0, decision.thresholds or (-1,) * len(decision.partition)
    for block, threshold in zip(decision.partition[:-1], thresholds, strict=False):
        fits = (space.option_exit == (block in decision.exits)) & (space.option_threshold == threshold)
        ahead = space.jump[level, block - 1, fits]
        if not (ahead >= 0).any():
            return False
        level = int(ahead.max())
    return bool(space.can_end[decision.partition[-1] - 1])


def _codec_choices(problem: Problem, codec: str) -> Ints:
    if codec in ("none", "auto"):
        return np.array([PLAIN, *(range(len(problem.codecs)) if codec == "auto" else ())], np.int64)
    if codec not in problem.codecs:
        raise QuestionError(unknown_name("codec", codec, ("none", "auto", *problem.codecs)))
    return np.array([problem.codecs.index(codec)], np.int64)


def _one_level(space: Space) -> Space:
    """No sample leaves before the end."""
    space.jump[:, -1] = -1
    return space


def _levels_per_block(space: Space) -> Space:
    """Level i: every branch up to block i was there (cuts), or the last exit used is i (free)."""
    problem, count = space.problem, space.problem.block_count
    free = space.exits == "free"
    jump = np.full((count + 1, count, 2 if free else 1), -1, np.int32)
    for level in range(count):
        ahead = np.arange(level, count - 1)
        jump[level, ahead, -1] = np.where(problem.branch[ahead], ahead + 1, -1)
        if free:
            jump[level, ahead, 0] = level
    return replace(
        space,
        threshold_indices=np.arange(len(problem.thresholds)),
        stay=np.array(problem.stay.T, order="C"),
        option_exit=np.array([False, True] if free else [True]),
        option_threshold=np.full(jump.shape[2], -1),
        jump=jump,
    )


def _levels_per_exit(space: Space) -> Space:
    """One level for each distinct share that may have left: the largest so far of the exits used, at their thresholds.

    With one threshold for all, the share that has left is the largest over *every* branch so far, used or not; so equal
    thresholds here need not give the same plan the same figures.
    """
    problem, count = space.problem, space.problem.block_count
    free = space.exits == "free"
    alone = problem.stay_alone
    if np.isnan(alone).any():
        raise QuestionError(
            f"a threshold for each exit needs the key 'exits.exit_rate_alone', which profile '{problem.profile}' does "
            "not have: 'exit_rate' does not say which samples leave where the branches before had other thresholds"
        )
    if problem.leavers is None:
        shares, place = np.unique(-alone[:, 1:], return_inverse=True)
        level_of = place.reshape(alone.shape[0], count) + (shares[0] != -1.0)
        stay = -shares if shares[0] == -1.0 else np.concatenate([[1.0], -shares])
    else:  # who left at which exit makes a difference: a level for each exit and threshold, as rows of `Leavers.each`
        what = f"the tables of {len(alone)} thresholds for each of {count:,} exits, by the exit before"
        check_room(4.0 * (1 + len(alone) * count) * count * (len(alone) + 1) * 8, what)
        level_of = 1 + np.arange(alone[:, 1:].size).reshape(alone.shape[0], count)
        stay = np.concatenate([[1.0], alone[:, 1:].ravel()])
    count_thresholds, levels = len(problem.thresholds), np.arange(len(stay))[:, None]
    jump = np.full((len(stay), count, count_thresholds + free), -1, np.int32)
    for block in np.flatnonzero(problem.branch[:-1]):
        ahead = level_of[None, :, block]
        jump[:, block, int(free) :] = np.where(stay[ahead] < stay[levels], ahead, levels)
    if free:
        jump[:, :-1, 0] = np.arange(len(stay))[:, None]
    return replace(
        space,
        stay=stay[:, None].copy(),
        option_exit=np.array([False] * free + [True] * count_thresholds),
        option_threshold=np.array([-1] * free + list(range(count_thresholds))),
        jump=jump,
    )


def _indices(names: tuple[str, ...]) -> Ints:
    order = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return np.array([order[name] for name in names], np.int64)


def without_idle_ends(space: Space) -> Iterator[Space]:
    """Yield the parts of a space, one for each threshold index, without the plans that go on where no sample is left.

    Every plan of the space that has no idle end is in one of the parts (in each, where thresholds have no effect on
    it), and each of the other plans has the measures of one of them.
    """
    for place, index in enumerate(space.threshold_indices):
        left = space.stay[:, place] > NEGLIGIBLE
        jump = np.where((space.jump >= 0) & left[space.jump], space.jump, -1)
        part = replace(
            space, threshold_indices=np.array([index]), stay=np.ascontiguousarray(space.stay[:, [place]]), jump=jump
        )
        yield replace(part, most=min(space.most, int(part.can_cut.sum()) + 1))


def without_repeats(space: Space) -> Space:
    """Return a space without options that lead where the one before does: a threshold at which as many have left.

    What comes of such an option equals what comes of the one before, and is later among equals.
    """
    jump, evaluated = space.jump, space.option_exit
    if len(evaluated) == 1:
        return space
    same = (jump[:, :, 1:] == jump[:, :, :-1]) & (evaluated[1:] == evaluated[:-1])
    return replace(space, jump=np.ascontiguousarray(np.where(np.pad(same, ((0, 0), (0, 0), (1, 0))), -1, jump)))
