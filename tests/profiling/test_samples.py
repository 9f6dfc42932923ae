"""The samples file: what is written comes back, what does not fit is refused, and a profile finds its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.made import profile_data

import tiercut
from tiercut.errors import InputError, QuestionError
from tiercut.profiling.profile import Profile
from tiercut.profiling.samples import Samples, load_samples, samples_of, save_samples


@pytest.fixture
def four() -> Samples:
    """Four samples, three branches."""
    entropy = [[0.1, 0.1, 0.1], [0.5, 0.2, 0.1], [0.9, 0.8, 0.7], [0.9, 0.3, 0.5]]
    correct = [[True, True, True], [False, True, True], [False, False, True], [False, True, False]]
    return Samples(np.array(entropy, dtype=np.float32), np.array(correct))


def test_samples_come_back_from_their_file_as_they_were(four: Samples, tmp_path: Path) -> None:
    save_samples(four, tmp_path / "it.samples.npz")
    back = load_samples(tmp_path / "it.samples.npz")
    np.testing.assert_array_equal(back.entropy, four.entropy)
    np.testing.assert_array_equal(back.correct, four.correct)
    assert (back.entropy.dtype, back.correct.dtype) == (np.float32, np.bool_)
    assert [path.name for path in tmp_path.iterdir()] == ["it.samples.npz"]


def test_a_file_that_is_no_archive_of_samples_is_refused(four: Samples, tmp_path: Path) -> None:
    path = tmp_path / "it.npz"
    with pytest.raises(InputError, match="no such file"):
        load_samples(path)
    path.write_bytes(b"not an archive")
    with pytest.raises(InputError, match="no archive of samples"):
        load_samples(path)
    save_samples(four, path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="no archive of samples"):
        load_samples(path)
    np.savez(path, entropy=four.entropy)
    with pytest.raises(InputError, match="correct"):
        load_samples(path)


def test_an_archive_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "it.npz"
    np.savez(path, entropy=np.array([[{}]], dtype=object), correct=np.array([[True]]))
    with pytest.raises(InputError, match="no archive of samples"):
        load_samples(path)


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(QuestionError, match="one shape"):
        Samples(np.zeros((2, 3), dtype=np.float32), np.zeros((2, 2), dtype=bool))
    for entropy in (1.5, -0.1, np.nan):
        with pytest.raises(QuestionError, match=r"0\.\.1"):
            Samples(np.full((1, 1), entropy, dtype=np.float32), np.ones((1, 1), dtype=bool))


def test_a_profile_finds_its_samples_beside_it_also_after_a_change() -> None:
    profile = tiercut.load_profile("resnet20-digits32")
    for each in (profile, profile.model_copy(update={"input_bytes": 1.0})):
        assert samples_of(each).entropy.shape == (720, 10)


def test_where_a_profile_was_read_does_not_make_it_another_one(tmp_path: Path) -> None:
    profile = tiercut.load_profile("resnet20-digits32")
    tiercut.save_profile(profile, tmp_path / "it.json")
    again = tiercut.load_profile(tmp_path / "it.json")
    assert again == profile
    assert again != profile.model_copy(update={"input_bytes": 1.0})
    with pytest.raises(InputError, match="no such file"):
        samples_of(again)


def test_samples_of_another_profile_are_refused(tmp_path: Path, four: Samples) -> None:
    profile = tiercut.load_profile("resnet20-digits32")
    tiercut.save_profile(profile, tmp_path / "it.json")
    save_samples(four, tmp_path / str(profile.samples_file))
    with pytest.raises(InputError, match=r"4 samples at 3 branches.*720 at 10"):
        samples_of(tiercut.load_profile(tmp_path / "it.json"))


def test_a_profile_without_samples_or_without_a_place_says_what_is_missing() -> None:
    data = profile_data([0.1], [1.0, 1.0])
    with pytest.raises(QuestionError, match="needs the key 'samples_file'"):
        samples_of(Profile.from_data(data))
    with pytest.raises(QuestionError, match="was not read from a file"):
        samples_of(Profile.from_data({**data, "samples_file": "it.npz"}))
