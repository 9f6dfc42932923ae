"""The slicing study: its streams drop what queueing theory says, and its tables are the paper's."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from support.checkout import ROOT


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "experiments" / "slicing"))
    return importlib.import_module("slicing_study")


@pytest.mark.parametrize(("configuration", "split", "size"), [(1, (1, 10), 86_528), (2, (3, 10), 36_864)])
def test_without_a_place_to_wait_the_first_link_drops_what_erlang_says(
    study: Any, configuration: int, split: tuple[int, int], size: int
) -> None:
    constants = study.Constants("poisson", queue=0, characters=1.5, rate=1.0)
    stream = study.simulated(configuration, split, constants, frames=5_000)
    load = 1.5 * size / (500e3 if configuration == 1 else 50e3)
    assert stream.dropped / stream.born == pytest.approx(load / (1 + load), abs=0.02)


def test_the_eight_splits_are_plans_of_the_fourteen_layers(study: Any) -> None:
    import tiercut

    profile = tiercut.load_profile(study.PROFILE)
    assert [profile.blocks[layer - 1].output_bytes for layer in (1, 3, 8, 9, 10, 11)] == [
        86528, 36864, 8192, 4096, 1024, 1024,
    ]  # fmt: skip
    plan = study.plan_of(study.topology_of(1), profile, (3, 11))
    assert plan.partition == (3, 11, 14)
    assert plan.placement == ("device", "edge", "cloud")
