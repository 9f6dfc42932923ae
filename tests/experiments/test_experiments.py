"""The experiments still run: each in its smallest form."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from support.checkout import ROOT


def run(*call: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *call], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("hops", [False, pytest.param(True, marks=pytest.mark.slow)])  # in six processes
def test_every_benchmark_runs_in_its_smallest_size_and_both_exact_solvers_agree(
    hops: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "experiments" / "benchmarks"))
    spec = spec_from_file_location("run_benchmarks", ROOT / "experiments" / "benchmarks" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    benchmarks = module_from_spec(spec)
    spec.loader.exec_module(benchmarks)
    # All in this process: apart, as they are when they count, each would load everything again.
    cases = [case for case in importlib.import_module("cases").CASES if (case.name == "hops-1MiB") == hops]
    results = [benchmarks.run(case, smoke=True) for case in cases]
    table = benchmarks.report(results)
    if hops:
        assert "| hops-1MiB | own stream over TCP |" in table
        return
    assert table.count("| optimal |") >= 8
    assert "| scorers-24x4x20 | numpy |" in table
    assert table.count("sample-branches a second |") == 2
    assert all(row["same"] for result in results for row in result["rows"] if "same" in row)


def test_the_study_of_growth_runs_in_its_smallest_sizes_and_draws_what_it_keeps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "experiments" / "benchmarks"))
    growth = importlib.import_module("growth")
    results = growth.study(smoke=True)
    assert all(point["proved"] and point["labels"] > 0 for point in results["points"])
    growth.plot(results, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_a_benchmark_runs_alone_from_the_command_line() -> None:
    assert "| frontier-91x4x20 | exhaustive |" in run("experiments/benchmarks/run.py", "frontier-91x4x20", "--smoke")


@pytest.mark.parametrize("part", ["accuracy", pytest.param("cases", marks=pytest.mark.slow)])
def test_the_study_of_the_joint_model_prints_what_its_readme_says(part: str) -> None:
    printed = run("experiments/joint/run.py", part)
    written = (ROOT / "experiments/joint/README.md").read_text(encoding="utf-8")
    rows = [line for line in printed.splitlines() if line.startswith(("| digits", "| clutter", "- "))]
    assert len(rows) > 10
    assert [row for row in rows if row not in written] == []


def test_the_study_of_thresholds_prints_what_its_readme_says() -> None:
    printed = run("experiments/thresholds/run.py")
    written = (ROOT / "experiments/thresholds/README.md").read_text(encoding="utf-8")
    assert printed.strip() in written


def test_the_study_of_estimators_prints_what_its_readme_says() -> None:
    printed = run("experiments/estimators/run.py")
    written = (ROOT / "experiments/estimators/README.md").read_text(encoding="utf-8")
    assert printed.strip() in written
    errors = {row.split(" | ")[0]: float(row.split(" | ")[1]) for row in printed.splitlines()[4:7]}
    assert errors["| conditional"] < 0.6 * errors["| marginal"]


def test_the_study_of_spans_prints_what_its_readme_says_and_draws_it(tmp_path: Path) -> None:
    printed = run("experiments/scission/spans/run.py", "--plot", str(tmp_path / "spans.png"))
    written = (ROOT / "experiments/scission/spans/README.md").read_text(encoding="utf-8")
    assert printed.count("|") > 50
    assert printed.strip() in written
    assert (tmp_path / "spans.png").stat().st_size > 10_000


@pytest.mark.slow
def test_the_study_of_fidelity_tells_what_its_lines_hold(tmp_path: Path) -> None:
    folder = tmp_path / "fidelity"
    shutil.copytree(ROOT / "experiments" / "fidelity", folder)
    stage = {"frames": 200, "compute_s": 0.0102, "queue_s": 0.0, "decode_s": 0.0, "encode_s": 0.0, "input_s": 0.001,
             "send_s": None, "result_s": 0.001, "predicted": {"compute_s": 0.01, "input_s": 0.001, "send_s": None,
                                                              "result_s": 0.001}}  # fmt: skip
    with (folder / "results.jsonl").open("w", encoding="utf-8") as out:
        for number in range(8):
            where = {"number": number, "network": ("lenet", "simulator")[number % 2], "nodes": 2, "kind": "random",
                     "bandwidths": [1e6 * (1 + number)], "slowdowns": [4.0, 1.0]}  # fmt: skip
            latency = dict.fromkeys(("mean", "p50", "p95", "p99"), 0.01 * (1 + number))
            measured = {each: 1.02 * seconds for each, seconds in latency.items()}
            said = {"accuracy": 0.9, "exit_rate": {"3": 1.0}}
            run_ = {
                "frames": 200,
                "answered": 200,
                "failed": 0,
                "same_as_uncut": 200,
                "stages": [stage],
                "predicted": {"latency_s": latency, **said},
                "measured": {"latency_s": measured, **said},
            }
            more = {"codecs": [None], "terms_s": {"computing": 2e-4, "return": 0.0}, "halves": [0.02, 0.03]}
            more |= {"profiled_s": [0.005 if number % 2 else 0.001], "computing": [1.0] * 9 + [1.3]}
            more |= {"elsewhere": {"others": 0.25, "stolen": 0.5}}
            line = {"configuration": where, "load_before": 0.1, "plan": "a", "run": run_, **more}
            out.write(json.dumps(line) + "\n")
    shutil.copy(folder / "results.jsonl", folder / "again.jsonl")
    with (folder / "results.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps({"configuration": where, "load_before": 0.1, "skipped": "no plan"}) + "\n")
    told = run(str(folder / "report.py"))
    assert "| mean | 8 | 2.0% | 2.0% | 100% | 1.020 | 1.0000 | +2.0% | 0.0% |" in told
    assert "| all frames come, first | 8 | +2.0% | 0.0% |" in told
    worst = [each for each in told.splitlines() if each.startswith("- +2.0% in number ")]
    assert len(worst) == 3
    for each in worst:
        before, during = ("2.0", "2.0") if "simulator" in each else ("10.0", "10.2")
        assert f"took {before} times the seconds of the profile in the rehearsal and {during} times in the" in each
        assert f"{before} and {during} times (medians)" in each
        assert "took 1.00 to 1.30 of what it had" in each
        assert "0.25 processors were busy with what is no part of the run, and 0.50 were taken away" in each
        assert each.endswith("Run again, with nothing changed: +2.0%.")
    assert "| network | simulator (held out) | 4 | +2.0% | 0.0% | 100% |" in told
    assert "| computing | +200 us | 0 us |" in told
    assert "| mean latency: within 5 % | 95 % | 100% | yes |" in told
    assert "differ by 1.0% (median" in told
    assert "1 did not run: no plan." in told
    assert told.strip() in (folder / "README.md").read_text(encoding="utf-8")
    assert (folder / "figure.png").stat().st_size > 10_000


@pytest.mark.slow
def test_cuts_of_scissionlite_that_ran_are_told_beside_what_was_predicted(tmp_path: Path) -> None:
    folder = tmp_path / "scissionlite"
    shutil.copytree(ROOT / "experiments" / "scissionlite", folder)
    stage = {"compute_s": 0.05, "send_s": 0.1, "encode_s": 0.001, "decode_s": 0.001, "queue_s": 0.0,
             "predicted": {"compute_s": 0.05, "send_s": 0.1}}  # fmt: skip
    with (tmp_path / "results.jsonl").open("w", encoding="utf-8") as out:
        for coded in (True, False):
            asked = {"network": "resnet50", "pair": ["device GPU", "edge GPU"], "rate": 57, "block": 1,
                     "coded": coded, "frames": 40}  # fmt: skip
            ran = {
                "frames": 40,
                "same_as_uncut": 40,
                "stages": [stage, stage],
                "predicted": {"latency_s": {"mean": 0.1 if coded else 0.2}},
                "measured": {"latency_s": {"mean": 0.101 if coded else 0.202}},
            }
            out.write(json.dumps({"asked": asked, "layer": 1, "load_before": 0.1, "run": ran}) + "\n")
    run(str(folder / "for_real.py"), str(tmp_path / "results.jsonl"), "--readme")
    told = (folder / "README.md").read_text(encoding="utf-8")
    assert "| 1 | with | 100 | 101 | +1.0% | 50 / 50 | 102 / 100 | 50 / 50 | 40 of 40 |" in told
    assert "Errors: 1.0% in the median, 1.0% at most; bias +1.0%. The layer makes cuts quicker by 2.00 to 2.00" in told


@pytest.mark.slow
def test_the_study_of_scissionlite_prints_what_its_readme_says() -> None:
    printed = run("experiments/scissionlite/run.py")
    written = (ROOT / "experiments/scissionlite/README.md").read_text(encoding="utf-8")
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    assert len(rows) == 62
    assert not [row for row in rows if row not in written]
