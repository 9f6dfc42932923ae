"""Curves of loads: what is compared with what, under which load, and what is written on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tiercut.errors import QuestionError, TiercutWarning
from tiercut.profiling.record.settings import Settings, check_settings
from tiercut.profiling.timing import stress_curves as module
from tiercut.profiling.timing.stress_curves import parse_levels, stress_curves
from tiercut.profiling.timing.timing import Effort


class Machine:
    """A clock on which a run of the whole takes as long as the load says; other pieces take no time."""

    def __init__(self, *, branch: bool) -> None:
        self.now, self.load, self.loads = 0, {}, list[dict[str, float]]()
        self.network = SimpleNamespace(
            blocks=[1, 2, 3], present={2} if branch else set(), example=lambda batch: batch, compile=self.compile
        )
        self.compiled: list[tuple[Any, ...]] = []

    def compile(self, first: int, last: int, *, branch: bool, batch: int, jit: bool) -> Any:
        self.compiled.append((first, last, branch, batch, jit))
        return self.run

    def run(self, batch: int) -> None:
        assert batch == self.compiled[-1][3]
        self.now += round(1e6 * (1 + 2 * self.load.get("cpu", 0.0) + self.load.get("memory", 0.0)))

    @contextmanager
    def stressed(self, shares: dict[str, float]) -> Iterator[None]:
        self.loads.append(dict(shares))
        self.load = dict(shares)
        yield
        self.load = {}


@pytest.mark.parametrize("branch", [True, False])
def test_factors_compare_the_whole_under_each_load_with_the_whole_alone(
    monkeypatch: pytest.MonkeyPatch, branch: bool
) -> None:
    machine, told = Machine(branch=branch), list[tuple[int, int]]()
    monkeypatch.setattr(module, "stressed", machine.stressed)
    curves = stress_curves(
        cast("Any", machine.network),
        (0.0, 0.5, 0.9),
        Effort(runs=4, least=4, burst=2, warm_up=1),
        batch=3,
        jit=True,
        clock=lambda: machine.now,
        progress=lambda *done: told.append(done),
    )
    assert curves == {
        "cpu": {"levels": [0.0, 0.5, 0.9], "factor": [1.0, 2.0, 2.8]},
        "memory": {"levels": [0.0, 0.5, 0.9], "factor": [1.0, 1.5, 1.9]},
    }
    assert machine.loads == [{}, {"cpu": 0.5}, {"cpu": 0.9}, {"memory": 0.5}, {"memory": 0.9}, {}]
    assert machine.compiled == [(0, 2, branch, 3, True)]
    assert told == [(done, 6) for done in range(1, 7)]


def test_a_load_that_makes_it_quicker_is_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(branch=False)
    machine.run = lambda batch: setattr(machine, "now", machine.now + (1_000_000 if machine.load else 2_000_000))  # type: ignore[method-assign]
    monkeypatch.setattr(module, "stressed", machine.stressed)
    with pytest.warns(TiercutWarning, match=r"only 0.5 times as long as alone"):
        stress_curves(cast("Any", machine.network), (0.0, 0.5), Effort(4, 4), clock=lambda: machine.now)


def test_levels_are_per_cent_that_rise_from_0() -> None:
    assert parse_levels("0, 22,45,67 ,90") == (0.0, 0.22, 0.45, 0.67, 0.9)


@pytest.mark.parametrize("text", ["", "0", "22,45", "0,45,45", "0,90,45", "0,101", "0,x", "0,-5", "0,4.5", "0,,5"])
def test_other_levels_are_refused(text: str) -> None:
    with pytest.raises(QuestionError, match="--stress-levels is written 0,22,45,67,90"):
        parse_levels(text)


def test_levels_go_with_neither_another_load_nor_processor_time() -> None:
    with pytest.raises(QuestionError, match="leave --stress out"):
        check_settings("lenet", Settings(stress_levels=(0.0, 0.5), stress={"cpu": 0.5}))
    with pytest.raises(QuestionError, match="--clock wall"):
        check_settings("lenet", Settings(stress_levels=(0.0, 0.5), clock="cpu", threads=1))
