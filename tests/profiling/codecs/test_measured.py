"""Codecs are measured at every cut of a network, land in its profile, and are chosen where links are slow."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiercut
from tiercut.errors import InputError, QuestionError
from tiercut.profiling.codecs.codec import read_codec
from tiercut.profiling.codecs.measure import weigh_codecs
from tiercut.profiling.codecs.samples import CodecSamples, load_codec_samples
from tiercut.profiling.models.blocks import find_blocks
from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.models.graph_keras import KerasModel
from tiercut.profiling.models.loader import start_for
from tiercut.profiling.models.onnx.options import OnnxOptions
from tiercut.profiling.profile.files import load_profile, recorded_file
from tiercut.profiling.profile.schema import Profile
from tiercut.profiling.record.record import record
from tiercut.profiling.record.settings import EFFORT, Settings
from tiercut.profiling.record.subject import Subject, open_cut

CODECS = "transfer-layer,float16,int8,int8+zlib,zlib"
LOSSY = ("transfer-layer", "float16", "int8")


@pytest.fixture(scope="module")
def network(keras: Any) -> CutNetwork:
    """A small classifier of images of odd sizes, whose answers hang on single pixels."""
    keras.utils.set_random_seed(3)
    tensor = entry = keras.Input((9, 9, 2), name="entry")
    for place, filters in enumerate((4, 6)):
        tensor = keras.layers.Conv2D(filters, 3, strides=1 + place, activation="relu", name=f"conv{place}")(tensor)
    tensor = keras.layers.Flatten(name="flat")(tensor)
    tensor = keras.layers.Dense(5, activation="softmax", name="out")(tensor)
    model = KerasModel(keras.Model(entry, tensor, name="small"))
    return CutNetwork("Small", "all", model, find_blocks(model.graph))


@pytest.fixture(scope="module")
def samples(network: CutNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples with the network's own answers as labels, so that every other answer is an error."""
    images = np.random.default_rng(0).random((40, 9, 9, 2), np.float32)
    labels = np.concatenate([network.numbers(network.model.run(network.values([each[None]])))[0] for each in images])
    path = tmp_path_factory.mktemp("samples") / "samples.npz"
    np.savez(path, images=images, labels=labels.argmax(axis=1))
    return path


@pytest.fixture(scope="module")
def settings(samples: Path) -> Settings:
    effort = replace(EFFORT, runs=3, least=3)
    return Settings(device="here", effort=effort, codecs=CODECS, codec_data=str(samples), codec_samples=30)


@pytest.fixture(scope="module")
def profiled(network: CutNetwork, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("profiles") / "small.json"
    record(Subject(network, ""), target, settings, threads=1)
    return target


def test_every_codec_has_its_bytes_times_and_fall_at_every_cut_that_it_is_for(profiled: Path) -> None:
    profile = load_profile(profiled)
    whole = profile.payload_bytes
    count = profile.block_count
    assert list(profile.codecs) == CODECS.split(",")
    for name, codec in profile.codecs.items():
        flat = [place for place in range(count) if name == "transfer-layer" and place >= count - 1]
        for key in (codec.bytes, codec.bytes_p99, codec.accuracy_drop, codec.agreement):
            assert key is not None
            assert [place for place in range(count + 1) if key[place] is None] == [*flat, count], name
        for times in (codec.encode_s, codec.decode_s):
            assert [each is None for each in times["here"]] == [each is None for each in codec.bytes]
        assert codec.samples == 30
    pooled, half, bytes_ = (profile.codecs[name].bytes for name in LOSSY)
    assert pooled[:2] == [5 * 5 * 2 * 4, 4 * 4 * 4 * 4]
    assert half[:3] == [each / 2 for each in whole[:3]]
    assert bytes_[:3] == [each / 4 + 8 for each in whole[:3]]
    packed = profile.codecs["int8+zlib"].bytes
    assert all(a is not None and b is not None and a <= b + 1 for a, b in zip(packed[:-1], bytes_[:-1], strict=True))


def test_the_fall_in_accuracy_is_what_a_network_answers_otherwise(profiled: Path) -> None:
    codecs = load_profile(profiled).codecs
    for codec in codecs.values():
        assert codec.accuracy_drop is not None
        assert codec.agreement is not None
        for drop, agreement in zip(codec.accuracy_drop[:-1], codec.agreement[:-1], strict=True):
            assert (drop is None) == (agreement is None)
            if drop is not None and agreement is not None:
                assert drop == pytest.approx(1 - agreement)
    assert codecs["zlib"].agreement[:2] == [1, 1]  # type: ignore[index]
    assert codecs["float16"].agreement[0] >= 0.9  # type: ignore[index, operator]
    assert codecs["transfer-layer"].agreement[0] < 1  # type: ignore[index, operator]
    assert codecs["int8+zlib"].agreement == codecs["int8"].agreement


def test_without_labels_the_fall_is_the_share_that_is_answered_otherwise(network: CutNetwork, samples: Path) -> None:
    images = np.load(samples)["images"]
    found = weigh_codecs(network, [read_codec("transfer-layer")], CodecSamples((images,), None, "here"))
    (weights,) = found.values()
    assert weights["accuracy_drop"][0] == pytest.approx(1 - weights["agreement"][0], abs=1e-6)


def test_another_device_adds_its_times_alone_and_what_is_there_is_not_measured_again(
    network: CutNetwork, settings: Settings, profiled: Path
) -> None:
    before = load_profile(profiled)
    assert not record(Subject(network, ""), profiled, settings, threads=1).fresh
    assert load_profile(profiled) == before
    record(Subject(network, ""), profiled, replace(settings, device="there", codec_samples=2), threads=1)
    after = load_profile(profiled)
    assert after.codecs["int8"].agreement == before.codecs["int8"].agreement
    assert after.codecs["int8"].samples == 30
    assert sorted(after.codecs["int8"].encode_s) == ["here", "there"]
    assert after.devices["here"] == before.devices["here"]
    more = replace(settings, codecs=f"{CODECS},int8-channel")
    assert record(Subject(network, ""), profiled, more, threads=1).fresh
    assert list(load_profile(profiled).codecs) == [*before.codecs, "int8-channel"]


def with_made_up_times(profiled: Path) -> Profile:
    """Return a profile with the bytes and the falls that were measured, and times that nobody measured.

    Which of two measured times of some microseconds is the shorter hangs on what else the machine does.
    """
    data = json.loads(profiled.read_text())
    device, count = data["devices"]["here"], len(data["blocks"])
    device["block_s"] = [3e-4] * count
    device["span_s"] = [[3e-4 * length for length in range(1, count - first + 1)] for first in range(count)]
    for coding, plain_s, coded_s in (("encode_s", 1e-5, 4e-5), ("decode_s", 7e-5, 1e-4)):
        device[coding] = [plain_s] * (count + 1)
        for codec in data["codecs"].values():
            codec[coding] = {"here": [None if size is None else coded_s for size in codec["bytes"]]}
    return Profile.from_data(data | {"devices": {"here": device}})


def test_a_slow_link_makes_a_codec_win_and_a_quick_one_does_without(profiled: Path) -> None:
    profile = with_made_up_times(profiled)
    nodes = [{"name": "watch", "slowdown": 1000}, {"name": "tower"}]
    plans = {}
    for speed in ("20 kb/s", "100 Gb/s"):
        link = {"between": ["watch", "tower"], "bandwidth": speed, "latency": "1 us"}
        topology = tiercut.Topology.from_data(
            {"format": "tiercut.topology/1", "name": "pair", "nodes": nodes, "links": [link], "source": "watch"}
        )
        plans[speed] = tiercut.solve(topology, profile, codec="auto", exits="final").best
        plain = tiercut.solve(topology, profile, codec="none", exits="final").best
        assert plans[speed].latency_s <= plain.latency_s
    assert plans["20 kb/s"].uses_codecs
    assert not plans["100 Gb/s"].uses_codecs


def test_numbers_too_large_for_half_precision_leave_the_cut_without_it(network: CutNetwork) -> None:
    images = np.full((2, 9, 9, 2), 1e5, np.float32)
    found = weigh_codecs(network, [read_codec("float16")], CodecSamples((images,), None, "here"))
    assert found["float16"]["bytes"][0] is None
    assert found["float16"]["accuracy_drop"][0] is None


def test_what_cannot_be_measured_is_refused(network: CutNetwork, settings: Settings, tmp_path: Path) -> None:
    subject = Subject(network, "")
    with pytest.raises(QuestionError, match="name samples with --codec-data"):
        record(subject, tmp_path / "a.json", replace(settings, codec_data=None), threads=1)
    np.savez(tmp_path / "other.npz", images=np.zeros((4, 3, 3, 2), np.float32))
    with pytest.raises(InputError, match=r"expected samples of the shape \(9, 9, 2\)"):
        record(subject, tmp_path / "a.json", replace(settings, codec_data=str(tmp_path / "other.npz")), threads=1)
    np.savez(tmp_path / "one.npz", images=np.zeros((4, 9, 9, 2), np.float32), labels=3)
    with pytest.raises(InputError, match=r"expected labels as whole numbers from 0, got int64 of \(\)"):
        load_codec_samples(tmp_path / "one.npz", network)
    with pytest.raises(QuestionError, match="'int9'"):
        replace(settings, codecs="int9")
    with pytest.raises(QuestionError, match="name the codecs with --codecs"):
        Settings(codec_samples=3)
    if find_spec("zstandard") is None:
        with pytest.raises(QuestionError, match=r"tiercut\[offload\]"):
            record(subject, tmp_path / "a.json", replace(settings, codecs="zstd"), threads=1)
    assert not (tmp_path / "a.json").exists()


def test_a_network_without_classes_can_only_be_sent_without_loss(keras: Any, samples: Path) -> None:
    entry = keras.Input((9, 9, 2), name="entry")
    tensor = keras.layers.Conv2D(3, 3, name="one")(entry)
    model = KerasModel(keras.Model(entry, keras.layers.Conv2D(2, 3, name="two")(tensor), name="pixels"))
    cut = CutNetwork("Pixels", "all", model, find_blocks(model.graph))
    images = CodecSamples((np.load(samples)["images"][:3],), None, "here")
    with pytest.raises(QuestionError, match="does not end in the scores of classes"):
        weigh_codecs(cut, [read_codec("int8")], images)
    exact: Any = weigh_codecs(cut, [read_codec("zlib")], images)
    assert exact["zlib"]["agreement"][:2] == [1, 1]


def test_codecs_of_an_onnx_file_with_exits_are_measured_where_its_channels_stand_first() -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")
    path, data = recorded_file("digits-onnx", ".onnx"), recorded_file("digits-onnx", ".data.npz")
    assert path is not None
    assert data is not None
    start_for(path, threads=1)
    exits = tuple(f"exit{place}" for place in range(1, 11))
    cut = open_cut(
        path, onnx=OnnxOptions(exits=exits), blocks=[each.name for each in load_profile("digits-onnx").blocks]
    )
    samples = load_codec_samples(Path(data), cut).part(4, 1)
    names = "transfer-layer,int8-channel,shuffle-zlib"
    found = weigh_codecs(cut, [read_codec(each) for each in names.split(",")], samples)
    assert found["transfer-layer"]["bytes"][:6] == [3072, *[16384] * 4, 8192]  # the input has its channels last
    assert found["int8-channel"]["bytes"][1] == 16384 + 16 * 8
    assert found["shuffle-zlib"]["accuracy_drop"][:12] == [0] * 12
    assert found["int8-channel"]["agreement"][6] == 1
    assert found["transfer-layer"]["bytes"][11] is None
