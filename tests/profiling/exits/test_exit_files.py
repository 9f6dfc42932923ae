"""A network with its branches as one file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.errors import InputError
from tiercut.profiling.exits.exit_files import ExitFile, has_exits, load_exits, save_exits
from tiercut.profiling.exits.exits import ExitModel, attach_exits

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, when it saves

RECORD = ExitFile(
    title="Tiny", cuts=["first", "second", "third"], branches=[1, 3], dataset="d", seed=4, trained_on="0" * 64
)


@pytest.fixture(scope="module")
def exits(keras: Any, tiny: Callable[..., Any]) -> ExitModel:
    network = tiny()
    return attach_exits(network.model, cuts=network.cuts, branches=[1])


@pytest.fixture
def saved(exits: ExitModel, tmp_path: Path) -> Path:
    save_exits(exits, RECORD, tmp_path / "it.keras")
    return tmp_path / "it.keras"


def test_a_network_comes_back_with_its_blocks_and_branches(exits: ExitModel, saved: Path) -> None:
    again, record = load_exits(saved)
    assert record == RECORD
    assert (again.present, again.branches[1]) == ((0, 2), None)
    assert [(block.name, block.output_bytes, block.flops) for block in again.blocks] == [
        (block.name, block.output_bytes, block.flops) for block in exits.blocks
    ]
    image = np.random.default_rng(0).random((2, 8, 8, 3), dtype=np.float32)
    for ours, theirs in zip(again.model(image), exits.model(image), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(again.backbone(image), exits.backbone(image))
    assert [path.name for path in saved.parent.iterdir()] == ["it.keras"]


def test_plain_keras_loads_the_file_too(keras: Any, saved: Path) -> None:
    assert len(keras.saving.load_model(saved, compile=False, safe_mode=True).outputs) == 2


def test_a_file_without_exits_or_cut_short_is_refused(keras: Any, exits: ExitModel, saved: Path) -> None:
    assert has_exits(saved)
    plain = saved.with_name("plain.keras")
    exits.model.save(plain)
    assert not has_exits(plain)
    with pytest.raises(InputError, match="has no exits in it"):
        load_exits(plain)
    plain.write_bytes(saved.read_bytes()[:-200])
    with pytest.raises(InputError, match="cut short"):
        load_exits(plain)
    with pytest.raises(InputError, match="there is no such file"):
        load_exits(saved.with_name("none.keras"))


def test_a_description_that_does_not_fit_is_refused_by_its_key(exits: ExitModel, saved: Path) -> None:
    save_exits(exits, RECORD.model_copy(update={"branches": [1, 2, 3]}), saved)
    with pytest.raises(InputError, match=r"2 outputs and 3 blocks, which does not go with .* 1, 2, 3"):
        load_exits(saved)
    with zipfile.ZipFile(saved, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("tiercut.json", '{"format": "tiercut.exits/2"}')
    with pytest.raises(InputError, match=r"expected 'tiercut\.exits/1', got 'tiercut\.exits/2'"):
        load_exits(saved)
