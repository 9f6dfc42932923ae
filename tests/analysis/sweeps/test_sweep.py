"""Sweeps: every combination is a row with the answer of a question of its own, kept whatever comes between."""

from __future__ import annotations

import errno
import json
from collections import Counter
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.made import both, exits_data, profile_data, topology_data

import tiercut
from tiercut.analysis.sweeps import cases, folder as folders, rows, workers
from tiercut.analysis.sweeps.run_sweep import Swept
from tiercut.errors import InputError, QuestionError, StoppedError

pa = pytest.importorskip("pyarrow", reason="needs the extra 'sweep'")

CURVE = {"cpu": {"levels": [0.0, 0.5, 0.9], "factor": [1.0, 2.0, 9.0]}}


def profile(name: str, **more: Any) -> dict[str, Any]:
    exits = exits_data([0.6, 0.8, 0.9], [0.5, 0.2, 0.3], [0.2, 0.1, 0.7])
    made = profile_data([0.1, 0.2, 0.3], [4e5, 3e5, 1e5, 1e3], exits=exits, **more)
    made["devices"]["d"]["stress_curve"] = CURVE
    return made | {"model": name}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with a sweep file, and what it names beside it."""
    nodes = [{"name": "cam", "slowdown": 9.0}, {"name": "edge", "slowdown": 2.0}, {"name": "cloud"}]
    links = [both("cam", "edge", 0.01, 1e6), both("edge", "cloud", 0.05, 4e6)]
    chain = topology_data(nodes, links) | {"name": "chain"}
    pair = topology_data(nodes[:2], links[:1]) | {"name": "pair"}
    for name, data in (("chain", chain), ("pair", pair)):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(data))
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(json.dumps(profile(name)))
    (tmp_path / "strict.yaml").write_text("format: tiercut.query/1\nmin_accuracy: 0.8\nmax_latency: 2 s\n")
    (tmp_path / "sweep.yaml").write_text(
        """format: tiercut.sweep/1
models: [one.json, two.json]
topologies: [chain.yaml, pair.yaml]
conditions:
  bandwidth(cam-edge): {from: 100 kB/s, to: 10 MB/s, count: 3, spacing: ratio}
  cpu(edge): [0 %, 70 %]
  latency(edge>cloud): [1 ms, 1 s]
  down: [cloud]
questions: [strict.yaml, {exits: final}, {objective: bytes}]
"""
    )
    return tmp_path


def swept(files: Path, **more: Any) -> tiercut.Swept:
    return tiercut.sweep(files / "sweep.yaml", files / "out", workers=1, **more)


def test_every_point_is_a_row_with_the_answer_of_a_question_of_its_own(files: Path) -> None:
    found = swept(files)
    rows = found.to_frame()
    assert (len(rows), found.cases, found.points) == (288, 24, 288)
    assert found.statuses == dict(Counter(rows["status"]))
    assert rows["point"].tolist() == list(range(288))
    assert set(rows.loc[rows["topology"] == "pair", "status"]) == {"failed"}  # it has neither that link nor that node
    assert found.statuses["failed"] == 144
    assert sum(found.reasons.values()) == 288 - found.statuses["optimal"]
    asked: dict[str, Any] = {
        "strict": {"min_accuracy": 0.8, "max_latency": "2 s"},
        "question 2": {"exits": "final"},
        "question 3": {"objective": "bytes"},
    }
    for row in rows[rows["topology"] == "chain"].iloc[::7].to_dict("records"):
        named = {name: row[name] for name in rows.columns if "(" in name}
        if row["down"] == "cloud":
            named["down"] = ["cloud"]
        answer = tiercut.solve(files / "chain.yaml", files / "one.json", condition=named, **asked[row["question"]])
        if not answer.plans:
            assert (row["status"], row["latency_s"] == row["latency_s"]) == ("infeasible", False)
            continue
        best = answer.best
        assert row["status"] == "optimal"
        assert row["latency_s"] == best.latency_s
        assert row["partition"] == ",".join(map(str, best.partition))
        assert row["placement"] == ",".join(best.placement)
        assert row["accuracy"] == best.accuracy
        assert row["threshold"] == best.threshold or (row["threshold"] != row["threshold"] and best.threshold is None)


def test_a_sweep_goes_on_where_it_ended_and_solves_nothing_twice(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, room = folders.Folder.keep, iter(range(5))

    def full(self: Any, piece: Any, part: Any) -> None:
        if next(room, None) is None:
            part = type("Full", (), {"data": property(lambda _: fail())})()
        real(self, piece, part)

    def fail() -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folders.Folder, "keep", full)
    with pytest.raises(
        InputError, match="No space left on device; what is finished is kept, and the same call goes on"
    ):
        swept(files)
    monkeypatch.undo()
    assert len(list((files / "out" / "points").glob("*/*.parquet"))) == 5
    (broken, *_) = sorted((files / "out" / "points").glob("*/*.parquet"))
    broken.write_bytes(b"PAR1")
    found = swept(files)
    assert found.found_before == 4 * 12
    assert len(found.to_frame()) == 288
    again = swept(files)
    assert (again.found_before, again.statuses, again.reasons) == (288, found.statuses, found.reasons)


@pytest.mark.parametrize("at", ["case", "point"])
def test_an_interruption_ends_a_sweep_and_makes_no_row(files: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        outcome = SimpleNamespace(status="interrupted", decisions=(), reason="interrupted before the end")
        return SimpleNamespace(outcome=outcome) if at == "case" else outcome

    if at == "case":
        monkeypatch.setattr(cases, "ask", interrupted)
    else:
        solver = SimpleNamespace(solve=interrupted)
        monkeypatch.setattr(rows, "registry", SimpleNamespace(choose=lambda _: (solver, "")))
    asked = {
        "models": [str(files / "one.json")],
        "topologies": [str(files / "pair.yaml")],
        "conditions": {"latency(cam-edge)": ["1 ms", "1 s"]},
        "questions": [{"objective": "bytes"}],
    }
    with pytest.raises(KeyboardInterrupt):
        tiercut.sweep(asked, files / "out", workers=1)
    assert not list((files / "out").glob("points/*/*.parquet"))


def test_a_folder_with_another_sweep_is_refused_until_it_may_be_thrown_away(files: Path) -> None:
    swept(files)
    file = files / "sweep.yaml"
    file.write_text(file.read_text().replace("[0 %, 70 %]", "[0 %, 60 %]"))
    with pytest.raises(QuestionError, match="holds another sweep, or one of models, topologies or questions that have"):
        swept(files)
    assert swept(files, redo=True).found_before == 0
    other = files / "other"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    with pytest.raises(QuestionError, match="is not empty and holds no sweep"):
        tiercut.sweep(file, other, workers=1)


def test_the_same_rows_come_from_processes(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("joblib", reason="needs the extra 'sweep'")
    wanted = swept(files).to_frame()
    jobs = list_jobs(files)
    got = {(piece.case.number, piece.start): part.data for piece, part in workers.in_processes(jobs, 1)}
    assert len(got) == 24
    for (case, _), data in got.items():
        rows = pa.parquet.read_table(pa.BufferReader(data)).to_pandas()
        same = wanted[wanted["point"].isin(rows["point"])]
        assert rows["latency_s"].tolist() == pytest.approx(same["latency_s"].tolist(), rel=0, nan_ok=True), case


def list_jobs(files: Path) -> list[workers.Job]:
    from tiercut.analysis.sweeps.cases import cases_of
    from tiercut.analysis.sweeps.run_sweep import _jobs
    from tiercut.analysis.sweeps.sweep_file import sweep_of

    return list(_jobs(list(folders.pieces_of(cases_of(*sweep_of(files / "sweep.yaml"))))))


BOTH = {"models": ["resnet20-digits32"], "topologies": ["mobile"]}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"models": []}, "models: "),
    ({"models": ["nowhere.json"]}, "nowhere.json"),
    ({"topologies": ["mobile", "mobile"]}, r"topologies\[1\]: mobile stands here twice"),
    ({"conditions": {"bandwidth(a-b)": ["1 Mb/s"]}}, "the sweep: bandwidth a-b: there is no link 'a-b'|no link 'a-b'"),
    ({"conditions": {"down": ["moon"]}}, "there is no node 'moon'"),
    ({"conditions": {"cpu(phone)": ["45 %"]}}, "has no times of device"),
    ({"conditions": {"slowdown(phone)": {"from": 1, "to": 2}}}, "expected a list of levels, or a range such as"),
    ({"conditions": {"slowdown(phone)": {"from": 1, "to": 1, "count": 2}}}, "from and to must differ"),
    ({"conditions": {"slowdown(phone)": 7}}, "expected a list of levels, or a range such as"),
    (
        {"conditions": {f"{kind}(phone-base)": {"from": f"1 {unit}", "to": f"2 {unit}", "count": 10**6}
                        for kind, unit in (("bandwidth", "Mb/s"), ("latency", "s"))}},
        "the sweep has 1,000,000,000,000 combinations; at most 1,000,000,000 can be looked at",
    ),
    ({"questions": [{"objective": "speed"}]}, r"questions\[0\]: objective"),
    ({"questions": [{"over": ["latency", "energy"]}]}, "a sweep has one best plan at every point"),
    ({"questions": ["nowhere.yaml"]}, "nowhere.yaml"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_what_is_wrong_is_refused_before_anything_is_solved(more: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises((InputError, QuestionError), match=message):
        tiercut.sweep(BOTH | more, tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


def test_workers_and_schedulers_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="workers must be 1 or more, not 0"):
        tiercut.sweep(BOTH, tmp_path / "out", workers=0)
    with pytest.raises(QuestionError, match="give scheduler or workers, not both"):
        tiercut.sweep(BOTH, tmp_path / "out", workers=1, scheduler="tcp://127.0.0.1:1")


def test_a_process_that_dies_is_said_and_what_is_finished_is_kept(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joblib = pytest.importorskip("joblib", reason="needs the extra 'sweep'")
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    def dying(self: Any, tasks: Any) -> Any:
        for number, (function, arguments, _) in enumerate(tasks):
            if number == 3:
                raise TerminatedWorkerError("killed")
            yield function(*arguments)

    monkeypatch.setattr(joblib.Parallel, "__call__", dying)
    parts = workers.in_processes(list_jobs(files), 2)
    assert [piece.case.number for piece, _ in islice(parts, 3)] == [0, 1, 2]
    with pytest.raises(StoppedError, match="a process that solved points died"):
        next(parts)


@pytest.mark.parametrize(
    ("points", "said"),
    [(2, "2 points of 1 case in 5.5 s, 0.36 a second"), (12_000, "12,000 points of 1 case in 5.5 s, 2,182 a second")],
)
def test_how_many_points_a_second_were_solved_is_never_none_of_some(points: int, said: str, tmp_path: Path) -> None:
    assert said in str(Swept(tmp_path, points, 1, 1, 0, {"optimal": points}, {}, 5.5))


def test_the_command_says_what_became_of_the_points(files: Path, shell_call: Any) -> None:
    arguments = ("sweep", files / "sweep.yaml", "--output", files / "out", "--workers", "1")
    status, out, _ = shell_call(*arguments)
    assert status == 0
    assert "288 points of 24 cases" in out
    assert "no plan is quick enough" in out
    status, out, _ = shell_call(*arguments, "--json")
    told = json.loads(out)
    assert (status, told["format"], told["found_before"]) == (0, "tiercut.swept/1", 288)
    status, out, err = shell_call("sweep", files / "sweep.yaml", "--output", files, "--workers", "1")
    assert (status, out) == (2, "")
    assert "is not empty and holds no sweep" in err
