"""Two trainings of one file at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiercut.documents.locks import clear, held
from tiercut.errors import InputError


def test_a_second_training_of_the_same_file_is_refused_while_the_first_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / ".net.partial"
    with held(folder, "net.keras", by="another training"):
        with (
            pytest.raises(InputError, match=r"net\.keras: another training is making this file at the moment"),
            held(folder, "net.keras", by="another training"),
        ):
            pass
        with held(tmp_path / ".other.partial", "other.keras", by="another training"):
            (folder / "joint.npz").write_bytes(b"")
        clear(folder)
    assert list(tmp_path.iterdir()) == []


def test_partial_results_outlive_an_interrupted_training_and_its_lock_does_not(tmp_path: Path) -> None:
    folder = tmp_path / ".net.partial"

    def interrupted() -> None:
        with held(folder, "net.keras", by="another training"):
            (folder / "joint.npz").write_bytes(b"")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [each.name for each in folder.iterdir()] == ["joint.npz"]
    with held(folder, "net.keras", by="another training"):
        pass
