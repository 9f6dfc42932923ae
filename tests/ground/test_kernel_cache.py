"""Compiled kernels without a place to be kept in, and damaged ones."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest

from tiercut import kernel_cache
from tiercut.errors import TiercutWarning


@pytest.fixture
def compiled_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Return a function that compiles ``one_more`` of a file in a folder of its own, as a new process would."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    path = tmp_path / "some_kernels.py"
    path.write_text("def one_more(number):\n    return number + 1\n")

    def make() -> Any:
        spec = importlib.util.spec_from_file_location("some_kernels", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        dispatcher = numba.njit(module.one_more)
        kernel_cache.attach(dispatcher, module.one_more, "stamp")
        return dispatcher

    return make


def test_where_nothing_can_be_kept_kernels_answer_and_one_warning_says_what_to_set(
    compiled_here: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(_: Any) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(kernel_cache, "_Cache", nowhere)
    kernel_cache._warn_of_no_place.cache_clear()
    with pytest.warns(TiercutWarning, match="NUMBA_CACHE_DIR") as caught:
        kernels = [compiled_here(), compiled_here()]
    assert len(caught) == 1
    assert [kernel(1) for kernel in kernels] == [2, 2]


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", ["empty", "cut", "changed"])
def test_damaged_code_is_compiled_again_and_kept(
    compiled_here: Callable[[], Any], tmp_path: Path, ending: str, damage: str
) -> None:
    assert compiled_here()(1) == 2
    (file,) = tmp_path.rglob(f"*.{ending}")
    held = file.read_bytes()
    middle = len(held) // 2
    changed = held[:middle] + bytes([held[middle] ^ 0xFF]) + held[middle + 1 :]
    file.write_bytes({"empty": b"", "cut": held[:middle], "changed": changed}[damage])
    again, third = compiled_here(), compiled_here()
    assert again(1) == 2
    assert sum(again.stats.cache_hits.values()) == 0
    assert third(1) == 2
    assert sum(third.stats.cache_hits.values()) == 1


def test_a_full_disk_costs_no_answer(compiled_here: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kernel_cache._CheckedFile, "save", full)
    assert compiled_here()(1) == 2


def test_it_is_said_once_that_something_is_compiled_and_never_that_it_is_read(
    compiled_here: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    kernel_cache._tell_of_compiling.cache_clear()
    caplog.set_level(logging.INFO, "tiercut.kernel_cache")
    first = compiled_here()
    assert [first(1), first(1.5)] == [2, 2.5]
    assert [each.message.partition(",")[0] for each in caplog.records] == ["compiling kernels"]
    kernel_cache._tell_of_compiling.cache_clear()
    assert compiled_here()(1) == 2
    assert len(caplog.records) == 1
