"""Which pieces are timed, and what a profile says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.timing import pieces_timed
from tiercut.profiling.timing.pieces_timed import Key, Times, device_record, pieces_of, time_pieces
from tiercut.profiling.timing.spans import ALL_TIMED, TILED_BRANCHES, all_spans, needed_spans
from tiercut.profiling.timing.timing import P99_RUNS, Effort, Runs


def _times(seconds: float, runs: int = 7) -> Times:
    return Times(runs=runs, mean=seconds + 0.1, p25=seconds - 0.1, p50=seconds, p99=seconds + 0.9, iqr=0.01)


@pytest.fixture
def two_blocks() -> dict[Key, Times]:
    return {
        ("blocks", 0, 0): _times(1),
        ("blocks", 1, 1): _times(2),
        ("branch", 1, 1): _times(3),
        ("span", 0, 1): _times(5),
        ("span", 1, 1): _times(6),
        **{("encode", place, place): _times(10 + place) for place in range(3)},
        **{("decode", place, place): _times(20 + place) for place in range(3)},
    }


def test_times_stand_where_the_profile_wants_them(two_blocks: dict[Key, Times]) -> None:
    record = device_record(two_blocks, 2)
    assert record["block_s"] == [1, 2]
    assert record["branch_s"] == [None, 3]
    assert record["span_s"] == [[1, 5], [6]]
    assert record["encode_s"] == [10, 11, 12]
    assert record["decode_s"] == [20, 21, 22]
    assert (record["whole_model_s"], record["statistic"], record["runs"]) == (5, "p50", 7)


def test_the_other_statistics_stand_beside_the_one_that_counts(two_blocks: dict[Key, Times]) -> None:
    enough = {key: replace(times, runs=P99_RUNS) for key, times in two_blocks.items()}
    record = device_record(enough, 2, statistic="p99")
    assert record["block_s"] == record["block_p99_s"] == [1.9, 2.9]
    assert record["block_p50_s"] == [1, 2]
    assert record["block_mean_s"] == [1.1, 2.1]
    assert record["branch_iqr_s"] == [None, 0.01]
    assert record["span_s"] == [[1.9, 5.9], [6.9]]


def test_a_p99_of_fewer_runs_than_it_takes_is_not_recorded(two_blocks: dict[Key, Times]) -> None:
    times = {key: replace(each, runs=P99_RUNS) for key, each in two_blocks.items()}
    assert "whole_model_p99_s" in device_record(times, 2)
    times["decode", 2, 2] = replace(times["decode", 2, 2], runs=P99_RUNS - 1)
    record = device_record(times, 2)
    assert not [key for key in record if "p99" in key]
    assert (record["runs"], record["block_p50_s"]) == (661, [1, 2])


def cut(network: Any, branches: list[int]) -> CutNetwork:
    """A backbone with branches after some of its blocks."""
    from tiercut.profiling.exits.exits import attach_exits

    exits = attach_exits(network.model, cuts=network.cuts, branches=branches)
    ends = tuple(branch and branch.end for branch in exits.branches)
    return CutNetwork("Tiny", "explicit", exits.runtime, exits.blocks, ends)


def test_of_few_blocks_every_span_is_timed_with_its_branch_and_each_block_without_it_too() -> None:
    pieces = pieces_of(3, [0, 2])
    assert [key for key in pieces if key[0] == "span"] == [
        ("span", 0, 0), ("span", 2, 2), ("span", 1, 2), ("span", 0, 2),
    ]  # fmt: skip
    assert [key[1:] for key in pieces if key[0] == "blocks"] == [(0, 0), (1, 1), (2, 2), (0, 1)]


def test_of_many_blocks_branches_are_timed_with_their_block_and_at_the_end_of_the_whole() -> None:
    pieces = pieces_of(9, range(9), also=[(2, 5)])
    ends = {key[1:] for key in pieces if key[0] == "span"}
    assert ends == {(block, block) for block in range(9)} | {(0, 8), (2, 5)}
    assert {key[1:] for key in pieces if key[0] == "blocks"} == set(needed_spans(9)) - {(0, 8)}


@pytest.mark.parametrize("count", [1, 2, 6, 7, 30])
def test_a_network_without_branches_is_timed_in_the_pieces_that_its_spans_need(count: int) -> None:
    assert sorted(pieces_of(count, [])) == [("blocks", *span) for span in needed_spans(count)]


def test_spans_of_many_blocks_end_in_their_branch_whatever_was_timed() -> None:
    count, branch = 9, 0.25
    times: dict[Key, Times] = {
        key: _times(key[2] - key[1] + 1 + (branch if key[0] == "span" else 0)) for key in pieces_of(count, [3, 8])
    }
    times |= {("branch", block, block): _times(branch) for block in (3, 8)}
    record = device_record(times, count)
    assert record["span_method"] == TILED_BRANCHES
    for first, last in all_spans(count):
        longer = branch if last in (3, 8) else 0
        assert record["span_s"][first][last - first] == pytest.approx(last - first + 1 + longer)
    assert record["whole_model_s"] == 9.25


def test_every_block_span_and_tensor_of_a_network_with_branches_is_timed(tiny: Callable[..., Any]) -> None:
    built: list[tuple[int, int]] = []
    measured = time_pieces(
        cut(tiny(), [1, 3]),
        Effort(runs=3, least=3, burst=3),
        building=lambda done, most: built.append((done, most)),
    )
    record = device_record(measured.times, 3)
    assert (record["span_method"], [len(row) for row in record["span_s"]]) == (ALL_TIMED, [3, 2, 1])
    assert [branch is None for branch in record["branch_s"]] == [False, True, False]
    assert len(record["encode_s"]) == len(record["decode_s"]) == 4
    assert min(record["block_s"] + record["encode_s"] + record["decode_s"] + [record["whole_model_s"]]) > 0
    assert record["block_s"][1] == record["span_s"][1][0]
    assert 0 < record["runs"] <= 3
    assert built[-1] == (8, 8)


def test_a_branch_is_what_it_adds_to_its_block_and_never_less_than_nothing(
    tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(calls: dict[Key, object], *_: object, **__: object) -> dict[Key, Runs]:
        seconds = {key: Runs(np.array([1.0, 2.0, 3.0])) for key in calls}
        seconds["span", 0, 0] = Runs(np.array([1.5, 2.5, 3.5]))
        seconds["span", 1, 1] = Runs(np.array([0.5, 1.5, 2.5]))
        return seconds

    monkeypatch.setattr(pieces_timed, "time_calls", timed)
    times = time_pieces(cut(tiny(), [1, 2, 3]), Effort()).times
    assert (times["branch", 0, 0].p50, times["branch", 0, 0].mean) == (0.5, 0.5)
    assert (times["branch", 1, 1].p50, times["branch", 1, 1].p99) == (0, 0)


def test_the_runs_of_a_branch_count_too_which_both_its_calls_must_have_undisturbed() -> None:
    waited = np.array([0.0, 0.0, 0.5, 0.0])
    taken: dict[Key, Runs] = {
        ("blocks", 0, 0): Runs(np.ones(4), waited),
        ("span", 0, 0): Runs(np.ones(4), waited[::-1]),
    }
    assert pieces_timed._fewest([], taken) == 3
    assert pieces_timed._fewest([0], taken) == 2
