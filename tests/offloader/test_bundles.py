"""Bundles hold the pieces of a plan, answer as the uncut network, and are refused where they were changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.errors import InputError, QuestionError
from tiercut.offloader.bundles.manifest import NAME, load_bundle
from tiercut.offloader.bundles.split import open_bundles, split_plan
from tiercut.offloader.bundles.stage import Ended
from tiercut.offloader.local.cascade import uncut_cascade
from tiercut.offloader.local.frames import load_frames
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork, OnnxOptions, open_cut

pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

from onnx import helper
from support.onnx_models import model, saved, value, weight


@pytest.fixture(scope="module")
def folders(plan: Plan, cut: CutNetwork, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return split_plan(plan, cut, tmp_path_factory.mktemp("bundles")).folders


def test_there_is_a_bundle_for_each_partition(folders: tuple[Path, ...], plan: Plan) -> None:
    bundles = [load_bundle(folder) for folder in folders]
    assert [folder.name for folder in folders] == ["1-camera", "2-gateway", "3-cloud"]
    assert [(each.node, each.next) for each in bundles] == [
        ("camera", "gateway"), ("gateway", "cloud"), ("cloud", None)
    ]  # fmt: skip
    assert [piece.exit for each in bundles for piece in each.pieces] == list(plan.exits)
    assert [piece.threshold for each in bundles for piece in each.pieces] == [0.6, 0.6, 0.6, None]
    for before, after in pairwise(bundles):
        assert before.outputs == after.inputs


def test_the_pieces_take_every_exit_as_the_uncut_network_does(
    folders: tuple[Path, ...], plan: Plan, cut: CutNetwork, data: Path
) -> None:
    bundles, runners = open_bundles(folders)
    frames = load_frames(data, bundles[0].inputs)
    taken = set()
    for number, verdict in enumerate(uncut_cascade(plan, cut, frames, 60)):
        ended: Ended | None = None
        held = frames.frame(number)
        for runner in runners:
            ended = runner(held)
            held = ended.tensors
            if ended.leaves:
                break
        assert ended is not None
        assert verdict.agrees(ended.exit, ended.tensors)
        np.testing.assert_allclose(next(iter(held.values())), verdict.results[0], rtol=0, atol=1e-4)
        taken.add(ended.exit)
    assert taken == set(plan.exits)


def test_what_goes_on_is_written_where_there_is_room_and_is_the_same(
    folders: tuple[Path, ...], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiercut.offloader.bundles.stage._WORTH", 1)
    bundles, runners = open_bundles(folders)
    frames = load_frames(data, bundles[0].inputs)
    rooms: list[list[np.ndarray[Any, np.dtype[np.uint8]]]] = []

    def room(sizes: Sequence[int]) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
        rooms.append([np.zeros(size, np.uint8) for size in sizes])
        return rooms[-1]

    went_on = 0
    for number in range(30):
        held = frames.frame(number)
        for runner in runners:
            rooms.clear()
            plain, placed = runner(held), runner(held, None, room)
            assert (plain.exit, plain.entropy, plain.leaves) == (placed.exit, placed.entropy, placed.leaves)
            for name, numbers in plain.tensors.items():
                np.testing.assert_array_equal(numbers, placed.tensors[name])
            if plain.leaves:
                break
            assert [np.shares_memory(*pair) for pair in zip(placed.tensors.values(), rooms[0], strict=True)] == [True]
            went_on += 1
            held = placed.tensors
    assert went_on
    nowhere = runners[0](frames.frame(0), None, lambda _: None)
    assert nowhere.tensors.keys() == runners[0](frames.frame(0)).tensors.keys()


def test_a_trimmed_plan_without_early_exits_is_split(
    planned: Callable[..., Plan], cut: CutNetwork, tmp_path: Path
) -> None:
    trimmed = planned(partition=[2, 5], placement=["camera", "cloud"], exits=[5], threshold=None)
    made = split_plan(trimmed, cut, tmp_path)
    assert made.furthest <= 1e-4
    assert [piece.exit for bundle in made.bundles for piece in bundle.pieces] == [None, 5]


@pytest.mark.parametrize(("end", "numbers"), [("Sigmoid", 3), ("Softmax", 3), ("Neg", 1), ("Sqrt", 2)])
def test_a_network_without_exits_has_no_entropy_whatever_its_numbers_are(
    planned: Callable[..., Plan], tmp_path: Path, end: str, numbers: int
) -> None:
    node = helper.make_node
    nodes = [node("Gemm", ["x", "w"], ["dense"]), node("Relu", ["dense"], ["rest"]), node(end, ["rest"], ["out"])]
    path = saved(tmp_path, model(nodes, [value("x", ["n", 4])], [value("out", None)], [weight("w", 4, numbers)]))
    sigmoids = open_cut(str(path), onnx=OnnxOptions(cuts=("rest",)))
    plan = planned(partition=[1, 2], placement=["camera", "cloud"], exits=[2], threshold=None)
    made = split_plan(plan, sigmoids, tmp_path / "bundles")
    (first, last), frame = open_bundles(made.folders)[1], {"x": np.ones((1, 4), np.float32)}
    ended = last(first(frame).tensors)
    assert (ended.leaves, ended.exit, ended.entropy) == (True, 2, None)
    assert all(piece.scores is None for bundle in made.bundles for piece in bundle.pieces)
    np.testing.assert_allclose(ended.tensors["out"], sigmoids.model.run(frame["x"]), rtol=1e-5)


def test_what_was_there_before_is_written_anew(plan: Plan, cut: CutNetwork, tmp_path: Path) -> None:
    (tmp_path / "1-camera").mkdir()
    (tmp_path / "1-camera" / "old.onnx").write_text("old", encoding="utf-8")
    (tmp_path / "kept.txt").write_text("kept", encoding="utf-8")
    split_plan(plan, cut, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-camera", "2-gateway", "3-cloud", "kept.txt"]
    assert not (tmp_path / "1-camera" / "old.onnx").exists()


def test_a_plan_of_exits_that_are_not_there_is_refused(
    planned: Callable[..., Plan], cut: CutNetwork, tmp_path: Path
) -> None:
    from dataclasses import replace

    with pytest.raises(QuestionError, match="an exit after block 10, where digits-onnx has no branch"):
        split_plan(replace(planned(), exits=(3, 10, 12)), cut, tmp_path)


def changed(folder: Path, to: Path, change: Callable[[dict[str, object]], None]) -> Path:
    """Copy a bundle with another manifest."""
    import shutil

    shutil.copytree(folder, to)
    manifest = json.loads((to / NAME).read_text(encoding="utf-8"))
    change(manifest)
    (to / NAME).write_text(json.dumps(manifest), encoding="utf-8")
    return to


def test_a_file_that_was_changed_is_refused(folders: tuple[Path, ...], tmp_path: Path) -> None:
    copy = changed(folders[0], tmp_path / "copy", lambda _: None)
    piece = copy / "piece1.onnx"
    piece.write_bytes(piece.read_bytes()[:-1] + b"?")
    with pytest.raises(InputError, match="SHA-256 differs"):
        load_bundle(copy)
    piece.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        load_bundle(copy)


@pytest.mark.parametrize("path", ["../1-camera/piece1.onnx", "/etc/passwd", "..", "a\\b"])
def test_a_manifest_names_files_in_its_own_folder_alone(folders: tuple[Path, ...], tmp_path: Path, path: str) -> None:
    def change(manifest: dict[str, object]) -> None:
        manifest["pieces"][0]["files"]["onnx"]["path"] = path  # type: ignore[index]

    with pytest.raises(InputError, match="expected a name in the bundle's own folder"):
        load_bundle(changed(folders[0], tmp_path / "copy", change))


def test_a_manifest_whose_tensors_do_not_fit_together_is_refused(folders: tuple[Path, ...], tmp_path: Path) -> None:
    def change(manifest: dict[str, object]) -> None:
        manifest["outputs"][0]["shape"] = [1, 2]  # type: ignore[index]

    with pytest.raises(InputError, match="no piece makes"):
        load_bundle(changed(folders[0], tmp_path / "copy", change))


def test_samples_of_another_shape_are_refused(folders: tuple[Path, ...], tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=np.zeros((3, 8, 8), np.float32), labels=np.zeros(3, np.int64))
    with pytest.raises(InputError, match=r"expected samples of the shape \(32, 32, 3\)"):
        load_frames(tmp_path / "x.npz", load_bundle(folders[0]).inputs)
