"""The samples file: what is written comes back, what does not fit is refused, and a profile finds its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from support.made import profile_data

import tiercut
from tiercut.errors import InputError, QuestionError
from tiercut.profiling.profile.samples import Samples, load_samples, samples_of, save_samples
from tiercut.profiling.profile.schema import Profile


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
    with pytest.raises(InputError, match="no archive of samples") as caught:
        load_samples(path)
    assert "pickle" not in str(caught.value)
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
    with pytest.raises(InputError, match=r"no archive of samples: .* plain numbers$"):
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


def test_samples_of_another_shape_are_refused_also_where_no_hash_is_known(tmp_path: Path, four: Samples) -> None:
    profile = tiercut.load_profile("resnet20-digits32").model_copy(update={"samples_sha256": None})
    tiercut.save_profile(profile, tmp_path / "it.json")
    save_samples(four, tmp_path / str(profile.samples_file))
    with pytest.raises(InputError, match=r"4 samples at 3 branches.*720 at 10"):
        samples_of(tiercut.load_profile(tmp_path / "it.json"))


def test_a_samples_file_with_another_hash_is_refused_whatever_its_shape(tmp_path: Path) -> None:
    profile = tiercut.load_profile("resnet20-digits32")
    samples = samples_of(profile)
    other = Samples(samples.entropy[::-1], samples.correct[::-1])
    path = tmp_path / str(profile.samples_file)
    assert save_samples(other, path) == hashlib.sha256(path.read_bytes()).hexdigest() != profile.samples_sha256
    with pytest.raises(InputError, match=r"samples\.npz: is not the file that profile .*640bc33edbb0"):
        samples_of(profile.found_in(tmp_path))
    mended = profile.model_copy(update={"samples_sha256": save_samples(other, path)})
    np.testing.assert_array_equal(samples_of(mended.found_in(tmp_path)).entropy, other.entropy)


def test_confidences_are_kept_and_the_same_tables_give_the_same_file(tmp_path: Path, four: Samples) -> None:
    full = Samples(four.entropy, four.correct, np.full((4, 3), 0.7, dtype=np.float32))
    assert save_samples(full, tmp_path / "a.npz") == save_samples(full, tmp_path / "b.npz")
    back = load_samples(tmp_path / "a.npz")
    assert back.confidence is not None
    np.testing.assert_array_equal(back.confidence, full.confidence)
    with pytest.raises(QuestionError, match="confidences must be a table"):
        Samples(four.entropy, four.correct, np.ones((4, 2), dtype=np.float32))
    with pytest.raises(QuestionError, match=r"confidences must lie in 0\.\.1"):
        Samples(four.entropy, four.correct, np.full((4, 3), 1.5, dtype=np.float32))


def test_in_half_precision_samples_are_rounded_once_and_take_half_of_the_room(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    samples = Samples(rng.random((500, 4), dtype=np.float32), rng.random((500, 4)) < 0.5)
    half = samples.halved()
    save_samples(samples, tmp_path / "full.npz")
    save_samples(half, tmp_path / "half.npz")
    np.testing.assert_array_equal(load_samples(tmp_path / "half.npz").entropy, half.entropy)
    np.testing.assert_allclose(half.entropy, samples.entropy, atol=5e-4)
    assert (tmp_path / "half.npz").stat().st_size < 0.6 * (tmp_path / "full.npz").stat().st_size
    with np.load(tmp_path / "half.npz") as archive:
        assert archive["entropy"].dtype == np.float16


def test_a_profile_without_samples_or_without_a_place_says_what_is_missing() -> None:
    data = profile_data([0.1], [1.0, 1.0])
    with pytest.raises(QuestionError, match="needs the key 'samples_file'"):
        samples_of(Profile.from_data(data))
    with pytest.raises(QuestionError, match="was not read from a file"):
        samples_of(Profile.from_data({**data, "samples_file": "it.npz"}))


def test_answers_are_kept_with_the_samples_they_are_of(four: Samples, tmp_path: Path) -> None:
    named = np.arange(12, dtype=np.int32).reshape(4, 3) - 1
    kept = Samples(four.entropy, four.correct, answer=named)
    save_samples(kept.halved(), tmp_path / "named.npz")
    read = load_samples(tmp_path / "named.npz")
    assert read.answer is not None
    assert np.array_equal(read.answer, named)
    part = read.part(np.array([2, 0])).answer
    assert part is not None
    assert np.array_equal(part, named[[2, 0]])
    with pytest.raises(QuestionError, match="answers must be a table of"):
        Samples(four.entropy, four.correct, answer=named[:2])
