"""The experiments still run: each in its smallest form."""

from __future__ import annotations

import subprocess
import sys

from support.checkout import ROOT


def run(*call: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *call], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_benchmark_runs_in_its_smallest_size_and_both_exact_solvers_agree() -> None:
    table = run("experiments/benchmarks/run.py", "--smoke")
    assert table.count("| optimal |") >= 8
    assert "| scorers | numpy |" in table


def test_the_study_of_the_recorded_network_prints_what_its_readme_says() -> None:
    printed = run("experiments/joint/run.py")
    written = (ROOT / "experiments/joint/README.md").read_text(encoding="utf-8")
    rows = [line for line in printed.splitlines() if line.startswith(("| 0", "- ", "Of the"))]
    assert len(rows) > 20
    assert [row for row in rows if row not in written] == []


def test_the_study_of_thresholds_prints_what_its_readme_says() -> None:
    printed = run("experiments/thresholds/run.py")
    written = (ROOT / "experiments/thresholds/README.md").read_text(encoding="utf-8")
    assert printed.strip() in written
