"""Times of all spans from the times of a few."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from tiercut.errors import QuestionError
from tiercut.profiling.timing.spans import (
    ALL_TIMED,
    FEW_BLOCKS,
    TILED,
    TILED_BRANCHES,
    all_spans,
    complete,
    draw_spans,
    needed_spans,
)


@pytest.mark.parametrize("count", [1, 2, FEW_BLOCKS])
def test_every_span_of_a_model_of_few_blocks_is_timed(count: int) -> None:
    assert set(needed_spans(count)) == set(all_spans(count))
    times = {span: float(place) for place, span in enumerate(all_spans(count))}
    rows, method = complete(times, count)
    assert method == ALL_TIMED
    assert [second for row in rows for second in row] == list(times.values())


def test_blocks_neighbours_tiles_and_the_whole_are_timed_of_a_model_of_many() -> None:
    needed = set(needed_spans(21))
    assert {(k, k) for k in range(21)} | {(k, k + 1) for k in range(20)} <= needed
    assert {(0, 3), (4, 7), (16, 19), (0, 15), (0, 20)} <= needed
    assert len(needed) == 21 + 20 + 5 + 1 + 1


def test_no_block_is_timed_in_more_than_a_handful_of_pieces() -> None:
    for count in (10, 100, 1000):
        work = sum(last - first + 1 for first, last in needed_spans(count))
        assert work <= 9 * count


def test_three_blocks_by_hand() -> None:
    # alone 3, 4 and 5 ms; 6 ms and 8 ms as pairs: joining saves 1 ms at either cut, so the three together take 10 ms
    times = {(k, k): 3.0 + k % 3 for k in range(7)}
    times |= {(k, k + 1): times[k, k] + times[k + 1, k + 1] - 1 for k in range(6)}
    times |= {(0, 3): 12.5, (0, 6): 20.0}
    rows, method = complete(times, 7)
    assert method == TILED
    assert rows[0][2] == 3 + 4 + 5 - 2
    assert rows[0][4] == 12.5 + 4 - 1, "a tile counts as it was timed"
    assert rows[0][6] == 20
    assert rows[1][1] == times[1, 2]


@settings(max_examples=40, deadline=None)
@given(st.integers(7, 40), st.data())
def test_spans_that_save_something_only_between_neighbours_come_out_exactly(count: int, data: st.DataObject) -> None:
    alone = data.draw(st.lists(st.floats(1, 100), min_size=count, max_size=count))
    saved = data.draw(st.lists(st.floats(-0.5, 0.5), min_size=count - 1, max_size=count - 1))

    def exact(first: int, last: int) -> float:
        return sum(alone[first : last + 1]) - sum(saved[first:last])

    rows, _ = complete({span: exact(*span) for span in needed_spans(count)}, count)
    for first, last in all_spans(count):
        assert rows[first][last - first] == pytest.approx(exact(first, last), rel=1e-9)


def test_a_span_takes_at_least_as_long_as_its_longest_piece() -> None:
    times = {(k, k): 1.0 for k in range(7)} | {(k, k + 1): 0.1 for k in range(6)} | {(0, 3): 1.0, (0, 6): 1.0}
    rows, _ = complete(times, 7)
    assert rows[4][2] == 1.0


def test_spans_to_check_are_drawn_among_those_that_are_not_timed_and_by_their_seed() -> None:
    drawn = draw_spans(30, 20)
    assert len(set(drawn)) == 20
    assert not set(drawn) & set(needed_spans(30))
    assert drawn == draw_spans(30, 20)
    assert drawn != draw_spans(30, 20, seed=1)
    assert draw_spans(4, 20) == ()


def test_spans_without_the_times_of_all_neighbours_are_refused() -> None:
    times = {span: 1.0 for span in needed_spans(9) if span != (3, 4)}
    with pytest.raises(QuestionError, match="blocks 4 to 5 must be timed"):
        complete(times, 9)


def test_a_span_with_its_branch_counts_as_it_was_timed_and_others_get_what_the_branch_adds() -> None:
    bare = {(first, last): 1.0 + last - first for first, last in needed_spans(8)}
    branches = [None] * 5 + [0.5, None, 0.25]
    rows, method = complete(bare, 8, ended={(5, 5): 1.75, (0, 7): 9.0}, branches=branches)
    assert method == TILED_BRANCHES
    assert (rows[5][0], rows[0][7]) == (1.75, 9.0), "as they were timed, whatever the sum says"
    assert [rows[first][5 - first] for first in range(5)] == [6.5, 5.5, 4.5, 3.5, 2.5]
    assert rows[7][0] == 1.25
    assert rows[3][3] == 4, "block 7 has no branch"


def test_of_few_blocks_spans_with_branches_and_those_without_make_up_all() -> None:
    bare, ended = {(0, 0): 1.0, (1, 1): 1.0, (0, 1): 2.0, (2, 2): 1.0}, {(0, 2): 3.5, (1, 2): 2.5, (2, 2): 1.5}
    assert complete(bare, 3, ended=ended, branches=[None, None, 0.5]) == ([[1, 2, 3.5], [1, 2.5], [1.5]], ALL_TIMED)
