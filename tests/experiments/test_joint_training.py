"""How the study of the Joint model trains its networks: which, until when, and by several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.checkout import ROOT

import tiercut

sys.path.insert(0, str(ROOT / "experiments" / "joint"))

import settling
import train
import trainings


def test_partitionings_are_drawn_by_their_seed_and_have_two_to_four_parts() -> None:
    drawn = trainings.partitionings(28)
    assert drawn == trainings.partitionings(28) != trainings.partitionings(28, seed=1)
    assert drawn[:8] == trainings.partitionings(8)
    assert len(set(drawn)) == 28
    assert {len(each) for each in drawn} == {2, 3, 4}
    assert all(each[0] >= 1 and list(each) == sorted(set(each)) and each[-1] <= 10 for each in drawn)


def test_trainings_are_read_as_they_were_written(tmp_path: Path) -> None:
    arrays = {f"{split}_{what}": np.ones((2, 1)) for split in ("profile", "test") for what in ("entropy", "correct")}
    kept = trainings.Trainings({})
    for name in ("all", "3-9-10", "1"):
        kept = kept.with_training(name, arrays)
    kept.write(tmp_path / "some.npz")
    found = trainings.Trainings.read(tmp_path / "some.npz")
    assert found.has("3-9-10")
    assert not found.has("9")
    assert list(found.partitionings()) == [("3-9-10", (3, 9, 10))]
    np.testing.assert_array_equal(found.separate("test", blocks=2), [1.0, np.nan])
    assert trainings.Trainings({}).separate("test") is None


WORKER = """
import sys, time
from pathlib import Path
import numpy as np
import train
from trainings import SETTINGS

folder, pause = Path(sys.argv[1]), float(sys.argv[2])

def trained(name):
    print("begins", name, flush=True)
    time.sleep(pause)
    return {"test_correct": np.ones((1, 1), bool)}

for name, _ in train.share(train.names(SETTINGS["clutter"]), folder / "some.npz", folder / "work", trained):
    print("ends", name, flush=True)
"""


def worker(folder: Path, pause: float) -> subprocess.Popen[str]:
    """Start a process that shares the trainings of a setting, each of which lasts some seconds."""
    study = os.pathsep.join([str(ROOT / "experiments" / "joint"), str(ROOT / "src")])
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(pause)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": study},
    )


def test_two_processes_share_trainings_and_each_keeps_what_the_other_did(tmp_path: Path) -> None:
    names = train.names(trainings.SETTINGS["clutter"])
    said = [each.communicate(timeout=60)[0].split("\n") for each in [worker(tmp_path, 0.02), worker(tmp_path, 0.02)]]
    ended = [line.removeprefix("ends ") for lines in said for line in lines if line.startswith("ends")]
    assert sorted(ended) == sorted(names)
    assert train.left(names, tmp_path / "some.npz") == []


def test_what_a_process_that_died_was_at_is_taken_over_and_what_another_is_at_is_not(tmp_path: Path) -> None:
    names = train.names(trainings.SETTINGS["clutter"])
    first = worker(tmp_path, 600)
    assert first.stdout is not None
    with first:
        assert first.stdout.readline() == f"begins {names[0]}\n"

        def done(wanted: list[str]) -> list[str]:
            arrays = {"test_correct": np.ones((1, 1), bool)}
            shared = train.share(wanted, tmp_path / "some.npz", tmp_path / "work", lambda _: arrays)
            return [name for name, _ in shared]

        assert done(names[:3]) == names[1:3]
        first.kill()
        first.wait()
        assert done(names[:3]) == names[:1]
    assert done(names[:3]) == []


def test_a_training_is_asked_for_by_its_name_and_archives_of_others_are_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    some, value = trainings.Trainings({}), np.ones((1, 1), bool)
    done = []

    def called(*arguments: str) -> str:
        given = ["train.py", "clutter", *arguments, "--to", str(tmp_path / "to"), "--work", str(tmp_path / "work")]
        monkeypatch.setattr(sys, "argv", given)
        train.main()
        return capsys.readouterr().out

    monkeypatch.setattr(train, "trainer", lambda *_: lambda name: done.append(name) or {"test_correct": value})
    called("--only", "3", "5", "7")
    called("--only", "7", "3", "all", "--most", "1")
    assert done == ["3", "5", "7", "all"]
    for name, correct in (("3", ~value), ("9", value), ("3-4", value)):
        some.with_training(name, {"test_correct": correct}).write(tmp_path / "from" / f"{name}.npz")
    said = called("--from", str(tmp_path / "from")).splitlines()
    assert [line.rpartition(": ")[2] for line in said] == ["nothing new", "nothing new", "9"]  # 3-4 was never drawn
    kept = trainings.Trainings.read(trainings.archive_of("clutter", tmp_path / "to"))
    assert {key.partition("/")[0] for key in kept.arrays} == {"3", "5", "7", "all", "9"}
    assert kept.correct("3", "test").all()  # which was there before
    assert "has all" in called("--only", "9")
    with pytest.raises(SystemExit):
        called("--only", "11")


def test_trainings_are_done_in_one_order_the_whole_network_first() -> None:
    setting = trainings.SETTINGS["clutter"]
    names = train.names(setting)
    assert len(set(names)) == len(names) == 1 + 8 + 10
    assert names[0] == "all"
    assert names[1:9] == ["-".join(map(str, blocks)) for blocks in trainings.partitionings(8)]
    kept = trainings.Trainings.read(trainings.archive_of("clutter"))
    assert all(kept.has(name) for name in names)


class Made:
    """Stands for a model in training: what it is right about, and its weights."""

    present = (0, 1)

    def __init__(self, accuracies: list[float]) -> None:
        self.accuracies, self.weights, self.model = accuracies, [np.zeros(1)], self

    def get_weights(self) -> list[np.ndarray]:
        return [each.copy() for each in self.weights]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        self.weights = [each.copy() for each in weights]


def test_a_training_ends_when_accuracy_stops_rising_and_goes_on_where_it_was_interrupted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def trained(model: Made, *_: Any, progress: Any, **__: Any) -> None:
        while int(model.weights[0][0]) < 6:  # epochs that are done, as a checkpoint would say
            model.weights = [model.weights[0] + 1]
            if model.accuracies[int(model.weights[0][0]) - 1] < 0:
                raise KeyboardInterrupt
            progress(SimpleNamespace(done=int(model.weights[0][0])))

    def recorded(model: Made, *_: Any, **__: Any) -> Any:
        hits = np.arange(100) < 100 * model.accuracies[int(model.weights[0][0]) - 1]
        return SimpleNamespace(correct=np.stack([hits, hits], axis=1))

    monkeypatch.setattr(tiercut, "train_jointly", trained)
    monkeypatch.setattr(tiercut, "record_samples", recorded)
    kept = tmp_path / "3-9.npz"
    model = Made([0.3, 0.6, -1, 0.5, 0.5, 0.9])
    with pytest.raises(KeyboardInterrupt):
        settling.settle(model, None, tiercut.Schedule(), None, 2, kept)
    model.accuracies[2] = 0.5
    model.weights = [np.full(1, 2.0)]
    for _ in range(2):  # and once more after it has settled
        assert settling.settle(model, None, tiercut.Schedule(), None, 2, kept).tolist() == [0.3, 0.6, 0.5, 0.5]
        assert model.weights[0][0] == 2
    assert capsys.readouterr().out.count("accuracy 0.5000") == 2
    again = Made([0.4, 0.2, 0.2])
    other = tiercut.Schedule(epochs=7)  # nothing of the training before counts
    assert settling.settle(again, None, other, None, 2, kept).tolist() == [0.4, 0.2, 0.2]
    assert again.weights[0][0] == 1
    anew = Made([0.7, 0.1, 0.1, 0.1])  # its checkpoint is gone, what was kept beside it is not
    assert settling.settle(anew, None, other, None, 3, kept)[:1] == [0.7]
    assert anew.weights[0][0] == 1


def test_partitionings_take_turns_with_branches_so_that_a_part_of_the_study_says_something() -> None:
    names = train.names(trainings.SETTINGS["clutter-settled"])
    assert len(set(names)) == len(names) == 1 + 28 + 10
    drawn = ["-".join(map(str, blocks)) for blocks in trainings.partitionings(28)]
    assert names[:5] == ["all", drawn[0], "8", drawn[1], "9"]
    assert [name for name in names if "-" in name] == drawn
    assert all("-" in name for name in names[21:])
