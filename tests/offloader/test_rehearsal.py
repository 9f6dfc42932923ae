"""A plan that is timed at the pace of its frames before they come, and what is predicted of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tiercut.errors import QuestionError
from tiercut.offloader.bundles.manifest import load_bundle
from tiercut.offloader.bundles.split import split_plan
from tiercut.offloader.bundles.stage import StageRunner
from tiercut.offloader.local.expected import by_formula
from tiercut.offloader.local.prediction import on_links
from tiercut.offloader.local.timing import (
    Hop,
    Round,
    Rounds,
    middle,
    schedule,
    turnarounds,
    variations,
    without_waits,
)
from tiercut.offloader.rehearsal.rehearse import pace_s
from tiercut.optimizer import Plan, build_problem, decide_again
from tiercut.profiling import CutNetwork, Profile
from tiercut.topologies import Topology

SPANS = [[(1, 3), (4, 4)], [(5, 6)], [(7, 12)]]
"""The pieces of the plan: it is left after blocks 3, 4, 6 and 12."""

HOP = Hop(1e-3, 2e-3, 3e-3, 4e-3)


def rounds() -> list[Round]:
    """Return one message that left early, and two that went through, of which the second took twice as long to."""
    first = (HOP,), ((0.010,),), 0.5e-3
    through = (HOP, HOP, HOP), ((0.020, 0.001), (0.002,), (0.003,)), 0.5e-3
    twice = (HOP, HOP, HOP), ((0.030, 0.003), (0.004,), (0.006,)), 0.5e-3
    inside = Round(4, (HOP,), ((0.020, 0.002),), 0.5e-3)
    second = Round(6, (HOP, HOP), ((0.020, 0.002), (0.003,)), 0.5e-3)
    return [Round(3, *first), inside, second, Round(12, *through), Round(12, *twice)]


@given(
    st.dictionaries(st.integers(1, 30), st.floats(0, 1), min_size=1, max_size=6),
    st.integers(0, 60),
    st.integers(1, 8),
)
def test_messages_leave_at_every_exit_at_first_and_then_as_frames_do(
    weights: dict[int, float], count: int, least: int
) -> None:
    rates = {block: weight / (sum(weights.values()) or 1.0) for block, weight in weights.items()}
    leaving = schedule(rates, count, least)
    assert leaving[: len(rates)] == sorted(rates, reverse=True)
    assert Counter(leaving) == {block: max(round(count * rate), least) for block, rate in rates.items()}


def test_messages_that_leave_rarely_come_in_even_turns() -> None:
    leaving = schedule({1: 0.9, 2: 0.1}, 100, 2)[2:]
    rare = [place for place, block in enumerate(leaving) if block == 2]
    assert len(rare) == 9
    assert set(np.diff(rare)) <= {9, 10, 11, 12}


def test_the_middle_of_a_hop_is_that_of_all_that_passed_it() -> None:
    slow = Hop(1e-3, 9e-3, 3e-3, 4e-3)
    found = middle([Round(1, (HOP,), (), 0.0), Round(2, (HOP, slow), (), 0.0), Round(2, (slow, HOP), (), 0.0)])
    assert found == {1: HOP, 2: Hop(1e-3, 5.5e-3, 3e-3, 4e-3)}


def test_a_prediction_of_rounds_is_links_and_means_and_varies_as_they_did(
    plan: Plan, topology: Topology, profile: Profile
) -> None:
    problem = build_problem(topology, profile)
    links = on_links(problem, decide_again(problem, plan))
    found = links.with_rounds(SPANS, rounds())
    own = {block: seconds - links.at_exit[block] for block, seconds in found.at_exit.items()}
    device = 0.010 + 0.020, 0.010 + 0.020 + 0.002  # a hop, and pieces on average
    assert own[3] == pytest.approx(device[0] + 0.5e-3)
    assert own[4] == pytest.approx(device[1] + 0.5e-3)
    assert own[6] == pytest.approx(device[1] + 0.010 + 0.003 + 0.5e-3)
    assert own[12] == pytest.approx(device[1] + 0.020 + 0.003 + 0.0045 + 0.5e-3)
    assert [len(found.rounds_s[block]) for block in (3, 4, 6, 12)] == [5, 4, 3, 2]
    last = [seconds - links.at_exit[12] for seconds in found.rounds_s[12]]
    assert last == pytest.approx([0.0305 + 0.026, 0.0305 + 0.043])
    assert found.hops_coding_s == pytest.approx([5e-3] * 3)
    assert found.compute_s(0, {3: 1, 4: 0, 6: 0, 12: 1}) == pytest.approx(0.020 + 0.5 * 0.002)


def test_messages_of_a_stream_count_as_if_none_had_met_another() -> None:
    waited = Hop(1.5e-3, 80e-3, 90e-3, 4.5e-3)
    streamed = [Round(6, (waited, waited), ((0.016, 0.001), (0.0015,)), 70e-3, 30e-3)] * 3
    found = without_waits(streamed, rounds())
    assert [each.block for each in found] == [6, 6, 6, 3, 4, 12, 12]  # those that came alone stand for other exits
    assert found[0].hops == tuple(pytest.approx(Hop(1.5e-3, 2e-3, 3e-3, 4.5e-3)) for _ in range(2))
    assert (found[0].pieces_s, found[0].rest_s) == (streamed[0].pieces_s, 0.0)
    assert found[0].back_s == pytest.approx(0.5e-3)
    assert without_waits([], rounds()) == rounds()


def test_pieces_vary_from_message_to_message_and_not_with_how_many_there_are() -> None:
    device, gateway, cloud = variations(rounds())
    passed = [0.022, 0.022, 0.021, 0.033]  # both pieces; one message passed but the first
    shares = np.array([1.0, *(np.array(passed) / np.mean(passed))])
    assert device == pytest.approx(shares.std())
    assert gateway == pytest.approx((np.array([3, 2, 4]) / 3).std())
    assert cloud == pytest.approx(1 / 3)
    assert variations([Round(3, (HOP,), ((s,),), 0.0) for s in (0.01, 0.01)]) == (0.0,)
    assert variations([Round(3, (HOP,), ((0.01,),), 0.0)]) == (None,), "one message says nothing of others"
    assert variations([Round(3, (HOP,), ((0.01,),), 0.0), Round(4, (HOP,), ((0.01, 0.01),), 0.0)]) == (None,)


def test_a_worker_turns_from_one_message_to_the_next_that_waits_for_it() -> None:
    begins = np.arange(8) * 0.0103  # it works for 10 ms, and 0.3 ms later on the next one
    sent = np.arange(8) * 0.002
    stream = [
        Round(3, (Hop(0.0, 0.0, begun - due, 0.0),), ((0.010,),), 0.0, 0.0, due)
        for due, begun in zip(sent, begins, strict=True)
    ]
    assert turnarounds(stream, 2) == (pytest.approx(0.3e-3), None)
    assert turnarounds(stream[:4], 1) == (None,)  # too few waited
    alone = [each._replace(hops=(HOP._replace(queue=1e-4),), due_s=number) for number, each in enumerate(stream)]
    assert turnarounds(alone, 1) == (None,)


def test_messages_of_a_stream_are_sent_when_due_and_those_that_are_lost_hold_nobody_up() -> None:
    underway, sent = Rounds("token"), list[tuple[int, int]]()
    said = {"exit": 3, "sent_ns": 5, "stage1.compute_ns": 9, "stage1.piece0_ns": 7, "stage1.encode_ns": 0}
    said |= {f"stage1.{step}_ns": 0 for step in ("send", "queue", "decode")}
    bundles: list[Any] = [SimpleNamespace(stage=1, pieces=[None], blocks=(1, 3))]

    def send(tensors: object, block: int, due_ns: int) -> str:
        frame = underway.begin(due_ns, bundles)
        sent.append((block, due_ns))
        if block == 4:
            underway.lost(frame)
        elif block == 5:
            assert underway.took(frame, {"failed": "no room"}, due_ns + 20)
        else:
            assert underway.took(frame, said, due_ns + 20)
            assert underway.took(frame, said, due_ns + 90)  # a second result counts for nothing
        return frame

    found = underway.as_stream(send, [({}, block) for block in (3, 4, 5, 3)], 0.002, 9.0, inf)
    assert [block for block, _ in sent] == [3, 4, 5, 3]
    assert np.diff([due_ns for _, due_ns in sent]).tolist() == [2_000_000] * 3
    assert [each.due_s for each in found] == [sent[0][1] / 1e9, sent[3][1] / 1e9]
    assert found[0].pieces_s == ((9e-9,),)  # what the worker did beside its piece counts to that
    assert not underway.took("of another driver", said, 0)
    with pytest.raises(QuestionError, match="the agents of the stages 1 to 1 do not answer together"):
        underway.one_by_one(lambda _, due_ns: underway.begin(due_ns, bundles), [3], 0.0, 0.01, 9.0)


def test_a_rehearsal_of_rare_frames_does_not_take_as_long_as_they(
    plan: Plan, topology: Topology, profile: Profile
) -> None:
    problem = build_problem(topology, profile)
    quick = on_links(problem, decide_again(problem, plan))
    longest_s = max(quick.at_exit.values())
    assert [pace_s(quick, each) for each in (0.1, 60.0)] == [0.1, 1.0]
    slow = replace(
        quick, path=replace(quick.path, steps=tuple(step._replace(seconds=step.seconds + 9) for step in quick.steps))
    )
    assert pace_s(slow, 1e4) == pytest.approx(1.25 * max(slow.at_exit.values()))
    assert longest_s < 1 < max(slow.at_exit.values())


def test_quantiles_of_a_prediction_are_those_of_its_rounds(plan: Plan, topology: Topology, profile: Profile) -> None:
    problem = build_problem(topology, profile)
    found = on_links(problem, decide_again(problem, plan)).with_rounds(SPANS, rounds())
    said = by_formula(problem, found).latency_s
    assert said["mean"] == pytest.approx(sum(found.rates[block] * s for block, s in found.at_exit.items()))
    values, weights = [], []
    for block, rate in found.rates.items():
        for seconds in found.rounds_s[block]:
            values.append(seconds)
            weights.append(rate / len(found.rounds_s[block]))
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        figure = said[name]
        assert figure is not None
        below = sum(weight for value, weight in zip(values, weights, strict=True) if value < figure)
        assert below < share <= below + sum(w for v, w in zip(values, weights, strict=True) if v == figure) + 1e-9


def test_a_message_runs_the_pieces_until_it_leaves_and_all_that_slows_them(
    plan: Plan, cut: CutNetwork, tmp_path: Path
) -> None:
    folder = split_plan(plan, cut, tmp_path).folders[0]
    runner = StageRunner(folder, load_bundle(folder), threads=1)
    image = {each.name: np.zeros(each.shape, each.dtype) for each in runner.bundle.inputs}
    slept: list[int] = []

    def slowed(took_ns: int) -> None:
        slept.append(took_ns)

    left, took = runner.until(image, 3, slowed)
    assert (left.exit, left.leaves, len(took), len(slept)) == (3, True, 1, 1)
    assert list(left.tensors) == [runner.bundle.pieces[0].scores]
    gone, took = runner.until(image, 12, slowed)
    assert (gone.exit, gone.leaves, len(took)) == (None, False, 2)
    assert list(gone.tensors) == [each.name for each in runner.bundle.outputs]
    assert all(whole >= own for whole, own in zip(took, slept[1:], strict=True))


def test_a_message_cannot_leave_where_there_is_no_exit(plan: Plan, cut: CutNetwork, tmp_path: Path) -> None:
    folders: Sequence[Path] = split_plan(plan, cut, tmp_path).folders
    bundle = load_bundle(folders[0])
    ends = [piece.model_copy(update={"scores": None, "exit": None}) for piece in bundle.pieces]
    runner = StageRunner(folders[0], bundle.model_copy(update={"pieces": ends}), threads=1)
    image = {each.name: np.zeros(each.shape, each.dtype) for each in bundle.inputs}
    with pytest.raises(QuestionError, match="there is no exit after block 3"):
        runner.until(image, 3, lambda _: None)
