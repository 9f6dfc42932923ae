"""What a record says of the machine."""

from __future__ import annotations

import platform
import re

import pytest

from tiercut.profiling.timing import machine


def test_the_description_has_cores_and_memory_but_no_name() -> None:
    text = machine.describe_machine()
    assert re.search(r"\d+ cores?, .* memory", text)
    assert platform.node() not in text


def test_what_other_processes_use_is_told_in_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, own, wall = iter([100.0, 116.0]), iter([1.0, 9.0]), iter([50.0, 60.0])
    monkeypatch.setattr(machine, "_busy_seconds", lambda: next(busy))
    monkeypatch.setattr(machine.time, "process_time", lambda: next(own))
    monkeypatch.setattr(machine.time, "monotonic", lambda: next(wall))
    assert machine.Watch().describe().endswith("0.80 cores busy with other things during it")


def test_a_system_that_tells_nothing_is_described_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_text", lambda path: "")
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    assert machine.describe_machine().startswith("unknown processor, ")
    assert "cores busy" not in machine.Watch().describe()
