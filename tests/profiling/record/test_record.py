"""Recording of any model on this machine: what stands in the profile, and what is refused."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiercut.errors import InputError, QuestionError
from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.profile.files import load_profile
from tiercut.profiling.profile.schema import Profile
from tiercut.profiling.record import record
from tiercut.profiling.record.campaign import Step, record_models
from tiercut.profiling.record.record import Recording, record_model
from tiercut.profiling.record.settings import EFFORT, Settings
from tiercut.profiling.record.subject import open_subject
from tiercut.profiling.record.worker import FailedModelError, record_here
from tiercut.profiling.timing.pieces_timed import time_pieces
from tiercut.profiling.timing.spans import ALL_TIMED, TILED, needed_spans
from tiercut.profiling.timing.timing import Effort

NINE = """
import keras
def nine(units=4):
    tensor = entry = keras.Input((4,), name="entry")
    for number in range(1, 10):
        tensor = keras.layers.Dense(units, name=f"dense{number}")(tensor)
    return keras.Model(entry, tensor, name="nine")
def three():
    tensor = entry = keras.Input((4,), name="entry")
    for number in range(1, 4):
        tensor = keras.layers.Dense(4, name=f"dense{number}")(tensor)
    return keras.Model(entry, tensor, name="three")
def too_large():
    raise MemoryError("cannot have so much")
"""
QUICK = Settings(device="here", effort=replace(EFFORT, runs=3, least=3))
THREE = "chains_for_tests:three"


@pytest.fixture(autouse=True)
def chains(keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module with models of nine and of three layers in the working directory."""
    import sys

    path = tmp_path / "chains_for_tests.py"
    path.write_text(NINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # as old as what replaces it within a second, and as long
    yield path
    sys.modules.pop("chains_for_tests", None)


def test_a_record_holds_what_was_timed_how_and_on_what(tmp_path: Path) -> None:
    stages: list[str] = []
    done = record_model(
        "chains_for_tests:nine", tmp_path / "out", QUICK, progress=lambda stage, *_: stages.append(stage)
    )
    assert done == Recording(tmp_path / "out" / "nine.json", "nine", 9, done.whole_s, fresh=True)
    profile = load_profile(done.path)
    here = profile.devices["here"]
    assert (profile.model, profile.rule, profile.batch, profile.input_bytes) == ("nine", "all", 1, 16)
    assert (profile.result_bytes, len(str(profile.architecture))) == (16, 64)
    assert [block.parameter_bytes for block in profile.blocks] == [80.0] * 9
    assert here.span_s is not None
    assert here.block_s is not None
    assert [len(row) for row in here.span_s] == list(range(9, 0, -1))
    assert here.block_s == [row[0] for row in here.span_s]
    assert here.whole_model_s == here.span_s[0][8]
    assert here.encode_s is not None
    assert len(here.encode_s) == len(here.decode_s or ()) == 10
    assert min(here.block_s + [each or 0.0 for each in here.encode_s]) > 0
    assert (here.statistic, here.span_method, here.backend) == ("p50", TILED, "tensorflow")
    assert here.block_p50_s == here.block_s
    assert None not in (here.block_mean_s, here.block_iqr_s, here.whole_model_iqr_s, here.precision)
    assert here.benchmark_s is not None
    assert sum(here.block_mean_s or ()) < here.benchmark_s < 600  # all of its runs, and building the pieces
    assert (here.block_p99_s, here.whole_model_p99_s) == (None, None), "3 runs have no p99"
    assert set(here.versions) == {"keras", "tensorflow", "numpy", "python"}
    assert (here.threads or 0) >= 1
    assert here.branch_s is None
    assert list(dict.fromkeys(stages)) == ["load", "build", "time"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, when it saves
def test_a_sequence_of_layers_in_a_file_is_recorded(keras: Any, tmp_path: Path) -> None:
    file = tmp_path / "sequence.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.ReLU()]).save(file)
    assert record_model(str(file), tmp_path / "out", QUICK).blocks == 2


def test_a_p99_rests_on_662_runs_or_is_refused_with_that_number(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match=r"a p99 takes at least 662 runs of each piece, not 3: --runs 993; or"):
        replace(QUICK, statistic="p99")
    tail = replace(QUICK, effort=None, statistic="p99", clock="cpu", threads=1)
    hurried = replace(tail, effort=replace(tail.timing, limit_s=1e-3))
    with pytest.raises(
        QuestionError, match=r"^662 runs of each piece are needed, but at this pace \d+ fit into 0.001 s"
    ):
        record_model(THREE, tmp_path, hurried)
    assert not (tmp_path / "three.json").exists()
    here = load_profile(record_model(THREE, tmp_path, tail).path).devices["here"]
    assert (here.statistic, here.block_s) == ("p99", here.block_p99_s)
    assert 662 <= (here.runs or 0) <= 993


def test_a_second_device_is_added_and_the_first_stays_as_it_was(tmp_path: Path) -> None:
    first = load_profile(record_model(THREE, tmp_path, QUICK).path)
    both = load_profile(record_model(THREE, tmp_path, replace(QUICK, device="there")).path)
    assert list(both.devices) == ["here", "there"]
    assert both.devices["here"] == first.devices["here"]
    assert both.devices["there"].span_method == ALL_TIMED


def test_what_is_recorded_already_is_not_timed_again_unless_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_model(THREE, tmp_path, QUICK)
    timed: list[object] = []
    original = record.time_pieces
    monkeypatch.setattr(record, "time_pieces", lambda *a, **k: timed.append(1) or original(*a, **k))
    assert not record_model(THREE, tmp_path, QUICK).fresh
    assert not timed
    assert record_model(THREE, tmp_path, replace(QUICK, redo=True)).fresh
    assert timed


def test_a_device_that_was_recorded_otherwise_is_not_taken_for_this_one(tmp_path: Path) -> None:
    path = record_model(THREE, tmp_path, QUICK).path
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"recorded with jit_compile False and not True.*--redo"):
        record_model(THREE, tmp_path, replace(QUICK, jit=True))
    assert path.read_bytes() == before


def test_a_model_that_has_changed_is_refused_and_nothing_is_lost(tmp_path: Path, chains: Path) -> None:
    import sys

    path = record_model(THREE, tmp_path, QUICK).path
    before = path.read_bytes()
    for old, new, words in (
        ("range(1, 4)", "range(1, 5)", r"block 4 differs first: only here is one, 'dense4'"),
        ("Dense(4, name", 'Dense(4, "relu", name', "layers in them have changed"),
    ):
        chains.write_text(NINE.replace(old, new))
        sys.modules.pop("chains_for_tests")
        with pytest.raises(InputError, match=words):
            record_model(THREE, tmp_path, replace(QUICK, device="there"))
    assert path.read_bytes() == before


def test_bytes_and_operations_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    one = load_profile(record_model(THREE, tmp_path / "one", QUICK).path)
    four = load_profile(record_model(THREE, tmp_path / "four", replace(QUICK, batch=4)).path)
    assert four.payload_bytes == [4 * each for each in one.payload_bytes]
    assert four.blocks[0].flops == 4 * (one.blocks[0].flops or 0)
    assert four.blocks[0].parameter_bytes == one.blocks[0].parameter_bytes
    with pytest.raises(InputError, match="the batch is 1 there and 4 here"):
        record_model(THREE, tmp_path / "one", replace(QUICK, device="there", batch=4))


def test_spans_that_are_checked_stand_beside_what_was_put_together_for_them(tmp_path: Path) -> None:
    path = record_model("chains_for_tests:nine", tmp_path, replace(QUICK, check=5, statistic="p25")).path
    here = load_profile(path).devices["here"]
    assert here.span_method == TILED
    assert len(here.span_check) == 5
    for checked in here.span_check:
        first, last = checked.blocks
        assert (first - 1, last - 1) not in needed_spans(9)
        assert checked.predicted_s == (here.span_s or [])[first - 1][last - first]
        assert checked.timed_s > 0


def test_processor_time_does_not_pass_while_a_call_sleeps(keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    original = CutNetwork.compile

    def slept(*args: Any, **named: Any) -> Any:
        piece = original(*args, **named)
        return lambda tensor: (time.sleep(0.02), piece(tensor))[1]

    monkeypatch.setattr(CutNetwork, "compile", slept)
    cut, effort = open_subject(THREE, QUICK).cut, replace(EFFORT, runs=2, least=2)
    wall, cpu = (time_pieces(cut, effort, clock=clock).times for clock in ("wall", "cpu"))  # type: ignore[arg-type]
    assert wall["blocks", 0, 0].p50 > 0.02 > cpu["blocks", 0, 0].p50 > 0


def test_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="at least 1 sample"):
        Settings(batch=0)
    with pytest.raises(QuestionError, match="at least 1 run"):
        Effort(runs=0)
    with pytest.raises(QuestionError, match="only with one thread: --threads 1"):
        Settings(clock="cpu", threads=2)
    with pytest.raises(QuestionError, match="needs a name"):
        Settings(device="")
    with pytest.raises(QuestionError, match=r"\.json file"):
        record_model(THREE, tmp_path / "it.yaml", QUICK)
    with pytest.raises(QuestionError, match="did you mean 'tensorflow'"):
        record_model(THREE, tmp_path, replace(QUICK, backend="tensorflo"))
    with pytest.raises(QuestionError, match="Keras runs on tensorflow already"):
        record_model(THREE, tmp_path, replace(QUICK, backend="jax"))


def test_memory_that_runs_out_is_told_and_the_other_models_are_recorded(tmp_path: Path) -> None:
    finished: list[tuple[Step, float]] = []
    campaign = record_models(
        ["chains_for_tests:too_large", "VGG61", THREE],
        tmp_path,
        QUICK,
        record=record_here,
        finished=lambda step, left: finished.append((step, left)),
    )
    assert [step.recorded is None for step in campaign.steps] == [True, True, False]
    assert "MemoryError: cannot have so much" in campaign.failed[0].error
    assert "no model 'VGG61'" in campaign.failed[1].error
    assert load_profile(tmp_path / "three.json").model == "three"
    assert finished[-1][1] == 0


def test_memory_that_runs_out_while_timing_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class ResourceExhaustedError(Exception):
        pass

    def fail(*_: object, **__: object) -> None:
        raise ResourceExhaustedError("OOM when allocating tensor with shape[1,42,42,4032]")

    monkeypatch.setattr(record, "time_pieces", fail)
    with pytest.raises(FailedModelError, match=r"three: memory ran out.*smaller --batch"):
        record_here(THREE, str(tmp_path), QUICK, progress=lambda *_: None)
    assert not list(tmp_path.glob("*.json"))


def test_an_interrupted_campaign_goes_on_after_the_models_that_are_done(tmp_path: Path) -> None:
    done: list[str] = []

    def record(name: str, *args: Any, **named: Any) -> Recording:
        if name == THREE and not done:
            done.append(name)
            raise KeyboardInterrupt
        return record_here(name, *args, **named)

    names = ["chains_for_tests:nine", THREE]
    with pytest.raises(KeyboardInterrupt):
        record_models(names, tmp_path, QUICK, record=record)
    assert [path.name for path in tmp_path.glob("*.json")] == ["nine.json"]
    again = record_models(names, tmp_path, QUICK, record=record)
    assert [step.recorded.fresh for step in again.steps if step.recorded] == [False, True]


def test_progress_rises_from_model_to_model_up_to_the_whole(tmp_path: Path) -> None:
    shares: list[float] = []
    record_models(
        [THREE, THREE], tmp_path, replace(QUICK, redo=True), record=record_here,
        progress=lambda _, share: shares.append(share),
    )  # fmt: skip
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)


@pytest.mark.slow
def test_a_process_that_is_killed_takes_only_its_model_with_it(tmp_path: Path, chains: Path) -> None:
    chains.write_text(NINE + "\ndef killed():\n    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    campaign = record_models(["chains_for_tests:killed", THREE], tmp_path, QUICK)
    assert "killed, most likely because memory ran out" in campaign.failed[0].error
    assert campaign.steps[1].recorded is not None
    assert load_profile(tmp_path / "three.json").devices["here"].threads


def test_tensorflow_is_asked_not_to_warn_of_many_networks_in_one_process(keras: Any) -> None:
    from tiercut.profiling.models.runtime import start_framework

    logger = logging.getLogger("tensorflow")
    logger.setLevel(logging.WARNING)
    start_framework()
    assert not logger.isEnabledFor(logging.WARNING)


@pytest.mark.slow
def test_spans_put_together_are_near_those_that_were_timed(keras: Any, tmp_path: Path) -> None:
    """The study in experiments/scission/spans has the figures; here it must only be far better than sums of blocks."""
    from tiercut.profiling.models.blocks import compile_span, find_blocks
    from tiercut.profiling.models.loader import load_model
    from tiercut.profiling.timing.timing import time_calls

    model = load_model("MobileNetV2", size=(96, 96)).model
    blocks = find_blocks(model.graph)
    profile = load_profile(record_model("MobileNetV2", tmp_path, replace(QUICK, size=(96, 96), effort=EFFORT)).path)
    rows = profile.devices["here"].span_s or []
    spans = [(first, first + 12) for first in range(0, 60, 6)]
    assert not set(spans) & set(needed_spans(len(blocks)))
    calls = {}
    for first, last in spans:
        piece = compile_span(model, blocks, first, last)
        shape = model.graph.steps[blocks[first].start].output.shape[1:]
        data = keras.ops.convert_to_tensor(np.ones((1, *shape), dtype=np.float32))
        calls[first, last] = lambda piece=piece, data=data: piece(data)
    timed = {key: float(np.percentile(runs.seconds, 25)) for key, runs in time_calls(calls, EFFORT).items()}
    sums = {(first, last): sum(row[0] for row in rows[first : last + 1]) for first, last in spans}
    wrong = np.array([abs(rows[first][last - first] / timed[first, last] - 1) for first, last in spans])
    naive = np.array([abs(sums[span] / timed[span] - 1) for span in spans])
    assert np.median(wrong) < np.median(naive) / 2


def test_profiles_made_so_can_be_solved(tmp_path: Path) -> None:
    from tiercut import rank

    topology = {
        "format": "tiercut.topology/1",
        "name": "two",
        "nodes": [{"name": "a", "device": "here"}, {"name": "b", "slowdown": 0.5}],
        "links": [{"between": ["a", "b"], "bandwidth": "1 Gb/s", "latency": "1 us"}],
        "source": "a",
    }
    (tmp_path / "two.json").write_text(json.dumps(topology))
    path = record_model("chains_for_tests:nine", tmp_path, QUICK).path
    profile: Profile = load_profile(path)
    best = rank(str(tmp_path / "two.json"), str(path), top=100).plans
    spans = profile.devices["here"].span_s or []
    alone = next(plan for plan in best if plan.placement == ("a",))
    assert alone.latency_s == pytest.approx(spans[0][8])
