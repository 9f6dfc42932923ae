"""What a profile says of one device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tiercut.profiling.timing.device import Key, Times, device_record, time_exits
from tiercut.profiling.timing.timing import Effort, Runs


def _times(seconds: float) -> Times:
    return Times(runs=7, mean=seconds + 0.1, p25=seconds - 0.1, p50=seconds, p99=seconds + 0.9, iqr=0.01)


@pytest.fixture
def two_blocks() -> dict[Key, Times]:
    return {
        ("block", 0, 0): _times(1),
        ("block", 1, 1): _times(2),
        ("branch", 1, 1): _times(3),
        ("span", 0, 0): _times(4),
        ("span", 0, 1): _times(5),
        ("span", 1, 1): _times(6),
        ("whole", 0, 1): _times(7),
        **{("encode", place, place): _times(10 + place) for place in range(3)},
        **{("decode", place, place): _times(20 + place) for place in range(3)},
    }


def test_times_stand_where_the_profile_wants_them(two_blocks: dict[Key, Times]) -> None:
    record = device_record(two_blocks, 2)
    assert record["block_s"] == [1, 2]
    assert record["branch_s"] == [None, 3]
    assert record["span_s"] == [[4, 5], [6]]
    assert record["encode_s"] == [10, 11, 12]
    assert record["decode_s"] == [20, 21, 22]
    assert (record["whole_model_s"], record["statistic"], record["runs"]) == (7, "p50", 7)


def test_the_other_statistics_stand_beside_the_one_that_counts(two_blocks: dict[Key, Times]) -> None:
    record = device_record(two_blocks, 2, statistic="p99")
    assert record["block_s"] == record["block_p99_s"] == [1.9, 2.9]
    assert record["block_p50_s"] == [1, 2]
    assert record["block_mean_s"] == [1.1, 2.1]
    assert record["branch_iqr_s"] == [None, 0.01]
    assert record["span_s"] == [[4.9, 5.9], [6.9]]


def test_every_block_span_and_tensor_of_a_model_is_timed(tiny: Callable[..., Any]) -> None:
    from tiercut.profiling.exits.exits import attach_exits

    made = tiny()
    exits = attach_exits(made.model, cuts=made.cuts, branches=[1, 3])
    built: list[tuple[int, int]] = []
    times = time_exits(
        exits,
        np.zeros((1, 8, 8, 3), dtype=np.float32),
        Effort(runs=3, least=3, burst=3),
        building=lambda done, most: built.append((done, most)),
    )
    record = device_record(times, 3)
    assert [len(row) for row in record["span_s"]] == [3, 2, 1]
    assert [branch is None for branch in record["branch_s"]] == [False, True, False]
    assert len(record["encode_s"]) == len(record["decode_s"]) == 4
    assert min(record["block_s"] + record["encode_s"] + record["decode_s"] + [record["whole_model_s"]]) > 0
    assert record["runs"] == 3
    assert built[-1] == (10, 10)


def test_a_branch_is_what_it_adds_to_its_block_and_never_less_than_nothing(
    tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiercut.profiling.exits.exits import attach_exits
    from tiercut.profiling.timing import device

    def told(calls: dict[Key, object], *_: object, **__: object) -> dict[Key, Runs]:
        seconds = {key: Runs(np.array([1.0, 2.0, 3.0])) for key in calls}
        seconds["span", 0, 0] = Runs(np.array([1.5, 2.5, 3.5]))
        seconds["span", 1, 1] = Runs(np.array([0.5, 1.5, 2.5]))
        return seconds

    monkeypatch.setattr(device, "time_calls", told)
    made = tiny()
    exits = attach_exits(made.model, cuts=made.cuts)
    times = time_exits(exits, np.zeros((1, 8, 8, 3), dtype=np.float32), Effort())
    assert (times["branch", 0, 0].p50, times["branch", 0, 0].mean) == (0.5, 0.5)
    assert (times["branch", 1, 1].p50, times["branch", 1, 1].p99) == (0, 0)
