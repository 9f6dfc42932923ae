"""A plan whose cuts have codecs is split and run with them, and answers as its pieces do with these between them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiercut
from tiercut.errors import InputError, QuestionError
from tiercut.offloader import Run, RunOptions, run_local
from tiercut.offloader.bundles.manifest import NAME, TensorSpec, load_bundle
from tiercut.offloader.bundles.split import open_bundles, split_plan
from tiercut.offloader.local.cascade import cascades, uncut_cascade
from tiercut.offloader.local.expected import by_replay
from tiercut.offloader.local.frames import load_frames
from tiercut.offloader.local.prediction import predicted
from tiercut.offloader.protocol.coding import Coding, coming, going
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import put, take_parameters
from tiercut.optimizer import Plan, build_problem, decide_again
from tiercut.profiling import CutNetwork, Profile, read_codec
from tiercut.topologies import Topology

pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

CODECS = ("transfer-layer", "float16", "int8", "int8-channel+zlib", "shuffle-zlib")
IMAGE = TensorSpec(name="input_layer", dtype="float32", shape=[1, 32, 32, 3])
SPATIAL = 10
"""So many blocks of the network make images, as its input is one."""


@pytest.fixture(scope="module")
def coded_profile(profile: Profile) -> Profile:
    """The recorded profile with codecs, as if they had been measured."""
    data = profile.model_dump(exclude_defaults=True)
    whole = profile.payload_bytes
    times = {"one-core": [1e-4] * (SPATIAL + 1) + [None] * 2}
    data["codecs"] = {
        name: {
            "bytes": [size / 4 for size in whole[: SPATIAL + 1]] + [None] * 2,
            "encode_s": times,
            "decode_s": times,
            "accuracy_drop": [0.01] * (SPATIAL + 1) + [None] * 2,
        }
        for name in CODECS
    }
    assert profile.folder is not None
    return Profile.from_data(data | {"format": "tiercut.profile/1"}).found_in(profile.folder)


def planned(topology: Topology, profile: Profile, codecs: Sequence[str | None] | None, **changed: Any) -> Plan:
    usual = {"partition": [4, 6, 12], "placement": ["camera", "gateway", "cloud"], "exits": [3, 4, 6, 12]}
    return tiercut.plan(topology, profile, **(usual | {"threshold": 0.6} | changed), codecs=codecs)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def coded_plan(topology: Topology, coded_profile: Profile) -> Plan:
    return planned(topology, coded_profile, ["int8-channel+zlib", "transfer-layer"])


@pytest.fixture(scope="module")
def ran(coded_plan: Plan, topology: Topology, coded_profile: Profile, cut: CutNetwork, data: Path) -> Run:
    options = RunOptions(20, 0.03, 30.0, retime=True, explain_hop=True)
    return run_local(coded_plan, topology, coded_profile, cut, data, options)


def test_every_frame_is_answered_as_the_pieces_answer_with_the_codecs_between_them(ran: Run) -> None:
    assert (ran.answered, ran.failed, ran.duplicated) == (20, 0, 0)
    assert ran.same_as_uncut == 20
    assert ran.same_as_uncoded is not None
    assert 12 <= ran.same_as_uncoded <= 20
    assert ran.by_replay


def test_bytes_on_the_way_and_times_of_the_codecs_are_shown(ran: Run) -> None:
    data = json.loads(ran.to_json())
    camera, gateway, cloud = data["stages"]
    assert "codec" not in camera
    for stage, name in ((gateway, "int8-channel+zlib"), (cloud, "transfer-layer")):
        assert stage["codec"] == name
        assert 0 < stage["coding_s"] < 1
        assert 0 < stage["predicted"]["coding_s"] < 1
    assert data["same_as_uncoded"] == ran.same_as_uncoded
    assert [hop.size for hop in ran.hops][1:] == pytest.approx([65536 / 4, 32768 / 4], abs=400)


def test_what_codecs_cost_is_taken_off_the_prediction_for_those_that_cross_them(
    coded_plan: Plan, topology: Topology, coded_profile: Profile, cut: CutNetwork, data: Path
) -> None:
    problem, frames = build_problem(topology, coded_profile), load_frames(data, [IMAGE])
    uncut = uncut_cascade(coded_plan, cut, frames, 60)
    found = []
    for plan in (coded_plan, planned(topology, coded_profile, None)):
        prediction = predicted(problem, decide_again(problem, plan))
        said = by_replay(plan, prediction, coded_profile, uncut, frames.count, range(60))
        assert said is not None
        assert said.accuracy is not None
        found.append((said.exit_rate, said.accuracy))
    (rates, coded), (plain_rates, plain) = found
    assert rates == plain_rates
    assert plain - coded == pytest.approx(0.01 * (rates[6] + 2 * rates[12]))


def test_random_cuts_and_codecs_are_split_and_answer_alike_in_messages(
    topology: Topology, coded_profile: Profile, cut: CutNetwork, data: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    for number in range(3):
        first, second = sorted(rng.choice(np.arange(1, SPATIAL + 1), 2, replace=False).tolist())
        codecs = [None if draw == len(CODECS) else CODECS[draw] for draw in rng.integers(0, len(CODECS) + 1, 2)]
        plan = planned(topology, coded_profile, codecs, partition=[first, second, 12], exits=[12], threshold=None)
        made = split_plan(plan, cut, tmp_path / str(number))
        assert [each.codec for each in made.bundles] == [*codecs, None]
        assert [each.input_codec for each in made.bundles] == [None, *codecs]
        bundles, runners = open_bundles(made.folders)
        frames = load_frames(data, bundles[0].inputs)
        coded, uncut = cascades(plan, cut, bundles, runners, frames, 3)
        for place, verdict in enumerate(coded):
            held = frames.frame(place)
            for bundle, runner in zip(bundles, runners, strict=True):
                tensors = runner(held).tensors
                if bundle.is_last:
                    break
                request = message("ModelInferRequest")
                going(bundle).put(request, tensors)
                there, said = coming(bundles[bundle.stage]), take_parameters(request)
                held = there.decoded(there.take(request, said), said)
            assert verdict.agrees(12, tensors)
        if all(codec is None or read_codec(codec).is_exact for codec in codecs):
            assert all(a.agrees(b.exit, {"": b.results[0]}) for a, b in zip(uncut, coded, strict=True))


def test_a_codec_that_is_not_for_a_cut_or_nobody_knows_is_refused(
    coded_plan: Plan, cut: CutNetwork, tmp_path: Path
) -> None:
    from dataclasses import replace

    flat = replace(coded_plan, partition=(4, 11, 12), codecs=(None, "transfer-layer"), exits=(3, 4, 12))
    with pytest.raises(QuestionError, match=r"'transfer-layer' is not for what comes to 'cloud': float32 of \[1, 64\]"):
        split_plan(flat, cut, tmp_path)
    with pytest.raises(InputError, match="codec"):
        split_plan(replace(coded_plan, codecs=("zip", None)), cut, tmp_path)
    assert not list(tmp_path.iterdir())


SPEC = TensorSpec(name="t", dtype="float32", shape=[1, 4, 4, 8])


def request_of(tensors: dict[str, Any], codec: str | None) -> tuple[Any, dict[str, Any]]:
    request = message("ModelInferRequest")
    put(request, tensors)
    return request, {} if codec is None else {"codec": codec}


def test_tensors_that_come_as_they_are_are_taken_too() -> None:
    coding, numbers = Coding("int8", [SPEC], "channels_last"), np.ones((1, 4, 4, 8), np.float32)
    request, said = request_of({"t": numbers}, None)
    assert np.array_equal(coding.decoded(coding.take(request, said), said)["t"], numbers)


@pytest.mark.parametrize(
    ("size", "codec", "fault"),
    [
        (136, "float16", "expected tensors as they are or by 'int8', got them by 'float16'"),
        (137, "int8", "expected 136 bytes at most, got 137"),
        (135, "int8", "expected 136 bytes for float32"),
        (0, "int8", "expected 136 bytes for float32"),
    ],
)
def test_encoded_tensors_of_another_size_or_codec_are_refused(size: int, codec: str, fault: str) -> None:
    coding = Coding("int8", [SPEC], "channels_last")
    request, said = request_of({"t": np.zeros(size, np.uint8)}, codec)
    with pytest.raises(QuestionError, match=fault):
        coding.decoded(coding.take(request, said), said)


def test_encoded_tensors_that_nobody_expects_are_refused() -> None:
    request, said = request_of({"t": np.zeros(136, np.uint8)}, "int8")
    with pytest.raises(QuestionError, match="expected tensors as they are, got them by 'int8'"):
        Coding(None, [SPEC], "channels_last").take(request, said)


def test_a_manifest_with_a_codec_that_is_none_is_refused(coded_plan: Plan, cut: CutNetwork, tmp_path: Path) -> None:
    folder = split_plan(coded_plan, cut, tmp_path).folders[0]
    manifest = json.loads((folder / NAME).read_text(encoding="utf-8"))
    (folder / NAME).write_text(json.dumps(manifest | {"codec": "int9"}), encoding="utf-8")
    with pytest.raises(InputError, match="int9"):
        load_bundle(folder)
