"""ONNX networks whose outputs are classifiers at several depths: what their exits do with samples is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from support.onnx_models import model, saved, value, weight, with_exits

from tiercut.errors import InputError, QuestionError
from tiercut.profiling.exits.onnx_exits import exit_ends, probabilities
from tiercut.profiling.exits.statistics import normalised_entropy
from tiercut.profiling.models.blocks import find_blocks
from tiercut.profiling.models.onnx.graph_onnx import load_onnx
from tiercut.profiling.models.onnx.options import OnnxOptions
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.profile.samples import samples_of
from tiercut.profiling.record.record import record_model
from tiercut.profiling.record.settings import Settings
from tiercut.profiling.record.subject import open_cut
from tiercut.profiling.timing.timing import Effort

NAMES = ("logits1", "logits2", "scores3")
FAST = Effort(runs=3, least=3, precision=1.0, burst=1)


def _data(folder: Path, *, count: int = 200) -> Path:
    """Write samples whose labels are mostly what the last exit says."""
    found = load_onnx(saved(folder, with_exits(), "labels.onnx"))
    rng = np.random.default_rng(0)
    images = rng.normal(size=(count, 4)).astype(np.float32) * 3
    labels = found.predict(["scores3"], images, 64)[0].argmax(axis=-1)
    labels = np.where(rng.random(count) < 0.1, rng.integers(0, 3, count), labels)
    np.savez(folder / "samples.npz", x=images, y=labels)
    return folder / "samples.npz"


def test_a_branch_belongs_to_the_block_that_makes_what_it_reads(tmp_path: Path) -> None:
    found = load_onnx(saved(tmp_path, with_exits()), exits=NAMES)
    blocks = find_blocks(found.graph)
    assert [block.name for block in blocks] == ["block1", "block2", "block3", "scores3"]
    ends = exit_ends(found.graph, blocks)
    assert [None if end is None else found.graph.steps[end].name for end in ends] == [
        "logits1", "logits2", None, "scores3"
    ]  # fmt: skip
    assert sum(block.flops for block in blocks) == 2 * (24 + 36 + 36 + 18)
    with pytest.raises(QuestionError, match="the exits 'logits1' and 'logits2' hang after the same block"):
        exit_ends(found.graph, find_blocks(found.graph, "explicit", cuts=["block3"]))


@pytest.mark.filterwarnings("ignore::tiercut.errors.TiercutWarning")
def test_exits_are_recorded_with_rates_accuracies_and_samples(tmp_path: Path) -> None:
    path, data = saved(tmp_path, with_exits()), _data(tmp_path)
    options = OnnxOptions(exits=NAMES, data=str(data))
    settings = Settings(onnx=options, effort=FAST, thresholds="0.2,0.6", check=1)
    target = record_model(str(path), tmp_path / "net.json", settings).path
    profile = load_profile(target)
    assert profile.exits is not None
    assert (profile.name, profile.classes, profile.samples, profile.block_count) == ("net/samples", 3, 150, 4)
    samples = samples_of(profile)
    found = load_onnx(path)
    images = np.load(data)["x"]
    logits = found.predict(NAMES, images, 7)
    exact = np.exp(logits[0].astype(np.float64))
    exact /= exact.sum(axis=-1, keepdims=True)
    every = -(exact * np.log(exact)).sum(axis=-1) / np.log(3)
    for seen in samples.entropy[:, 0]:
        assert np.abs(every - seen).min() < 1e-6
    below = (samples.entropy[:, 0].astype(np.float64) < 0.6).mean()
    assert profile.exits.exit_rate is not None
    assert profile.exits.exit_rate[1][0] == pytest.approx(below)
    assert [each is None for each in profile.exits.accuracy] == [False, False, True, False]
    assert profile.exits.accuracy[3] is not None
    assert profile.exits.accuracy[3] > 0.8
    device = profile.devices["local"]
    assert device.branch_s is not None
    assert [each is None for each in device.branch_s] == [False, False, True, False]
    assert (tmp_path / "net.samples.npz").exists()
    assert (tmp_path / "net.test.samples.npz").exists()
    assert record_model(str(path), tmp_path / "net.json", settings).fresh is False


def test_entropies_are_right_for_one_hot_and_half_precision_scores() -> None:
    sharp = probabilities("out", np.array([[0.0, -200.0], [-200.0, 0.0]], dtype=np.float32))
    assert normalised_entropy(sharp).tolist() == [0, 0]
    half = probabilities("out", np.array([[30, 0, 0], [0, 0, 0]], dtype=np.float16))
    assert normalised_entropy(half) == pytest.approx([5.4e-12, 1.0], abs=1e-6)
    rounded = np.array([[0.3333, 0.3333, 0.3333]], dtype=np.float16)
    assert normalised_entropy(probabilities("out", rounded)).tolist() == [1]
    with pytest.raises(QuestionError, match="but do not sum to 1"):
        probabilities("out", np.array([[0.9, 0.8]]))
    with pytest.raises(QuestionError, match="no number"):
        probabilities("out", np.array([[np.nan, 0.8]]))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros((9, 4), np.float32)}, "expected the arrays images and labels, x and y, or x and labels, got x"),
        ({"x": np.zeros((9, 5), np.float32), "y": np.arange(9) % 3}, r"expected samples of the shape \(4,\)"),
        ({"x": np.zeros((9, 4), np.float32), "y": np.arange(8)}, "expected 9 labels"),
        ({"x": np.zeros((9, 4), np.float32), "y": np.arange(9)}, "has the label 8, but the model tells 3 classes"),
    ],
)
def test_samples_that_do_not_fit_are_refused(arrays: dict[str, Any], said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "wrong.npz", **arrays)
    options = OnnxOptions(exits=NAMES, data=str(tmp_path / "wrong.npz"))
    path = str(saved(tmp_path, with_exits()))
    with pytest.raises((InputError, QuestionError), match=said):
        record_model(path, tmp_path / "net.json", Settings(onnx=options, effort=FAST))
    assert not (tmp_path / "net.json").exists()


def test_what_is_no_exit_is_refused(tmp_path: Path) -> None:
    path = str(saved(tmp_path, with_exits()))
    data = str(_data(tmp_path))

    def record(*names: str, **more: Any) -> None:
        record_model(path, tmp_path / "net.json", Settings(onnx=OnnxOptions(exits=names, **more), effort=FAST))

    with pytest.raises(QuestionError, match="there is no output 'logits4'; did you mean"):
        record("logits1", "logits4", data=data)
    with pytest.raises(QuestionError, match="names two outputs or more"):
        record("logits1", data=data)
    with pytest.raises(QuestionError, match=r"--data FILE\.npz"):
        record("logits1", "scores3")
    with pytest.raises(QuestionError, match="--data is what exits are measured on"):
        OnnxOptions(data=data)
    nodes = [helper.make_node("Conv", ["x", "w"], ["maps"]), helper.make_node("Relu", ["maps"], ["out"])]
    wide = model(
        nodes, [value("x", ["n", 1, 4, 4])], [value("maps", None), value("out", None)], [weight("w", 2, 1, 3, 3)]
    )
    other = str(saved(tmp_path, wide, "wide.onnx"))
    with pytest.raises(QuestionError, match=r"output 'maps' is no classifier: it has the shape \(1, 2, 2, 2\)"):
        record_model(other, tmp_path / "w.json", Settings(onnx=OnnxOptions(exits=("maps", "out"), data=data)))
    with pytest.raises(QuestionError, match="output 'maps' is no classifier"):
        open_cut(other, onnx=OnnxOptions(exits=("maps", "out")))
