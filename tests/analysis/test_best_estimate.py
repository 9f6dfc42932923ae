"""The estimate that a question gets by default, and the accuracy of replayed samples beside the model's."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.made import both, profile_data, topology_data
from typer.testing import CliRunner

import tiercut
from tiercut import InputError, Profile, QuestionError, TiercutWarning, Topology
from tiercut.cli.app import app
from tiercut.report.rows import plan_rows
from tiercut.report.tables import headline

CASE = ("iot", "resnet20-digits32")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a copy of the recorded profile, its samples beside it."""
    folder = tiercut.load_profile(CASE[1]).folder
    assert folder is not None
    for path in folder.glob("resnet20-digits32*"):
        shutil.copy(path, tmp_path / path.name)
    return tmp_path / "resnet20-digits32.json"


def changed(path: Path, without: tuple[str, ...] = (), **exits: Any) -> Path:
    """Leave keys out of a profile, or out of its exits, and return its path."""
    data = json.loads(path.read_text())
    for key in without:
        data.pop(key, None)
        data["exits"].pop(key, None)
    data["exits"] |= exits
    path.write_text(json.dumps(data))
    return path


def test_by_default_a_faster_plan_is_found_that_is_as_right_as_was_asked_for() -> None:
    plain = tiercut.solve(*CASE, min_accuracy=0.926, estimator="marginal")
    best = tiercut.solve(*CASE, min_accuracy=0.926)
    assert best.best.latency_s < plain.best.latency_s
    assert best.replayed_accuracies is not None
    assert best.replayed_accuracies[0] >= 0.926


def test_the_best_that_profile_and_question_support_is_taken_and_named(copied: Path) -> None:
    def taken(**asked: Any) -> str:
        answer = tiercut.solve("iot", str(copied), min_accuracy=0.9, **asked)
        said = json.loads(answer.to_json())["made_of"]["estimator"]
        assert said == answer.query.estimator == answer.space.estimator
        if asked.get("exits") != "final":
            assert f", {said} estimates; " in str(headline(answer))
        return str(said)

    assert taken() == taken(estimator="auto") == taken(thresholds="per-exit") == "conditional"
    assert taken(solver="annealing") == taken(solver="cp-sat", partitions="1-2") == "conditional"
    assert taken(exits="final") == "marginal"
    for estimator in ("marginal", "nested"):
        assert taken(estimator=estimator) == estimator
    changed(copied, accuracy_separate=[0.9] * 10)
    assert taken(accuracies="separate") == "marginal"
    changed(copied, ("samples_file", "samples_sha256"))
    assert taken() == taken(thresholds="per-exit") == "nested"
    changed(copied, ("hit_rate_alone",))
    assert taken() == "marginal"


def test_a_profile_without_exits_has_but_one_estimate() -> None:
    profile = Profile.from_data(profile_data([1.0, 1.0], [0.0, 0.0, 0.0], accuracy=0.9))
    topology = Topology.from_data(topology_data("a b", [both("a", "b", 0.0, 1.0)]))
    answer = tiercut.solve(topology, profile)
    assert answer.query.estimator == "marginal"
    assert "estimates" not in str(headline(answer))
    assert answer.replayed_accuracies is None


def test_samples_that_are_not_beside_the_profile_are_missed_in_a_warning(copied: Path) -> None:
    (copied.parent / "resnet20-digits32.samples.npz").unlink()
    with pytest.warns(TiercutWarning, match=r"'resnet20-digits32\.samples\.npz' is not beside the profile"):
        answer = tiercut.solve("iot", str(copied), min_accuracy=0.9)
    assert answer.query.estimator == "nested"
    assert answer.replayed_accuracies is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tiercut.solve("iot", str(copied), min_accuracy=0.9, estimator="marginal").replayed_accuracies is None
    with pytest.raises(InputError, match="there is no such file"):
        tiercut.solve("iot", str(copied), estimator="conditional")


def test_samples_of_another_network_are_no_samples_to_do_without(copied: Path) -> None:
    shutil.copy(copied.with_name("resnet20-digits32.json"), copied.with_name("resnet20-digits32.samples.npz"))
    with pytest.raises(InputError, match="is not the file that profile"):
        tiercut.solve("iot", str(copied), min_accuracy=0.9)


@pytest.mark.parametrize("estimator", ["marginal", "nested", "conditional"])
@pytest.mark.parametrize("asked", [{}, {"thresholds": "per-exit", "partitions": "1-2"}, {"exits": "free"}])
def test_the_accuracy_beside_the_models_is_what_replay_says(asked: dict[str, Any], estimator: Any) -> None:
    for kind in (tiercut.rank, tiercut.frontier):
        answer = kind(*CASE, min_accuracy=0.95, estimator=estimator, **asked)
        seen = tiercut.replay(*CASE, list(answer))
        assert answer.replayed_accuracies is not None
        np.testing.assert_allclose(answer.replayed_accuracies, [each.accuracy for each in seen], rtol=1e-15)


def test_codecs_lower_the_replayed_accuracy_too() -> None:
    profile = tiercut.load_profile(CASE[1])
    codec = {"bytes": [None, *[64.0] * 9, None], "accuracy_drop": [None, *[0.01] * 9, None]}
    data = {**profile.model_dump(exclude_defaults=True), "format": profile.format, "codecs": {"small": codec}}
    assert profile.folder is not None
    coded = Profile.from_data(data).found_in(profile.folder)
    answer = tiercut.rank("iot", coded, codec="small", partitions=2, min_accuracy=0.9)
    seen = tiercut.replay("iot", coded, list(answer))
    assert answer.replayed_accuracies == tuple(each.accuracy for each in seen)
    assert any(each.codec_drop > 0 for each in seen)


def test_json_tables_and_csv_have_it() -> None:
    answer = tiercut.rank(*CASE, min_accuracy=0.95, estimator="marginal", partitions=2)
    seen = answer.replayed_accuracies
    assert seen is not None
    data = json.loads(answer.to_json())
    assert [plan["replayed_accuracy"] for plan in data["plans"]] == list(seen)
    assert (data["replay"]["split"], data["replay"]["samples"]) == ("profile", 720)
    assert data["replay"]["samples_file"].endswith("resnet20-digits32.samples.npz")
    assert answer.to_frame()["replayed_accuracy"].tolist() == list(seen)
    rows = plan_rows(answer)
    place = rows.headings.index("replayed")
    assert rows.headings[place - 1] == "accuracy"
    assert [cells[place] for cells in rows.cells] == [f"{each:.2%}" for each in seen]


@pytest.mark.parametrize("asked", [{"evaluate": "replay"}, {"estimator": "replay", "partitions": 1}])
def test_plans_that_samples_priced_or_chose_are_not_replayed_again(asked: Any) -> None:
    answer = tiercut.solve(*CASE, min_accuracy=0.95, **asked)
    assert answer.replayed_accuracies is None
    assert "replayed_accuracy" not in json.loads(answer.to_json())["plans"][0]


def test_more_than_is_counted_in_a_second_is_left_to_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = tiercut.solve(*CASE, min_accuracy=0.95)
    monkeypatch.setattr("tiercut.analysis.answers.seen._MOST", 719)
    assert answer.replayed_accuracies is None
    assert not {"replay", "replayed_accuracy"} & (
        json.loads(answer.to_json()).keys() | answer.to_data()["plans"][0].keys()
    )


def test_plans_of_ones_own_are_priced_alike() -> None:
    own: dict[str, Any] = {"partition": [5, 6], "placement": ["micro", "local"], "threshold": 0.7}
    names: tuple[Any, ...] = ("marginal", "nested", "conditional")
    right = {name: tiercut.plan(*CASE, **own, estimator=name).accuracy for name in names}
    assert len(set(right.values())) == 3
    assert tiercut.plan(*CASE, **own).accuracy == right["conditional"]
    assert tiercut.explain(*CASE, tiercut.plan(*CASE, **own)).plan.accuracy == right["conditional"]
    flags = ("--partition", "5,6", "--placement", "micro,local", "--threshold", "0.7", "--json")
    for more, wanted in (((), "conditional"), (("--estimator", "marginal"), "marginal")):
        told = CliRunner().invoke(app, ["explain", *CASE, *flags, *more])
        assert json.loads(told.stdout)["plan"]["accuracy"] == right[wanted]


def test_other_samples_are_replayed_without_those_of_the_profile(copied: Path) -> None:
    (copied.parent / "resnet20-digits32.samples.npz").unlink()
    samples = tiercut.samples_of(tiercut.load_profile(CASE[1]))
    plan = tiercut.plan("iot", str(copied), partition=[5], placement=["micro"], estimator="marginal")
    assert tiercut.replay("iot", str(copied), plan, samples=samples).samples == 720


def test_there_is_no_other_estimator() -> None:
    with pytest.raises(QuestionError, match="there is no estimator 'atuo'; did you mean 'auto'"):
        tiercut.solve(*CASE, estimator="atuo")  # type: ignore[arg-type]
    with pytest.raises(QuestionError, match="there is no estimator 'atuo'; did you mean 'auto'"):
        tiercut.plan(*CASE, partition=[5], placement=["micro"], estimator="atuo")  # type: ignore[arg-type]
