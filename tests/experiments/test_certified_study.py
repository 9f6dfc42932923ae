"""The study of certified accuracy: its tables are those of its results, and its bounds are what they are called."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import numpy as np
import pytest
from support.checkout import ROOT

from tiercut.optimizer import binomial_tail

FOLDER = ROOT / "experiments" / "certified"


@pytest.fixture(scope="module")
def study() -> ModuleType:
    spec = spec_from_file_location("run_certified", FOLDER / "run.py")
    assert spec is not None
    assert spec.loader is not None
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_the_readme_has_the_tables_of_the_results(study: ModuleType) -> None:
    data = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))
    results = study.unpacked(data)
    assert study.report(results).strip() in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert json.loads(json.dumps(study.packed(results))) == data


def test_certified_bounds_hold_and_cost_little(study: ModuleType) -> None:
    results = study.unpacked(json.loads((FOLDER / "results.json").read_text(encoding="utf-8")))
    rows = results["halved"]
    assert len(rows) == 1000
    for question, (_, floor) in study.QUESTIONS.items():
        plans = [row[f"certified; {question}"] for row in rows]
        assert np.mean([plan is None or plan[0] >= floor * results["population"] for plan in plans]) >= 0.936
        seconds = np.array([plan[1] for plan in plans if plan is not None])
        assert seconds.mean() <= 1.05 * results["reference"][question][1]


def test_p_values_of_other_bounds_are_no_smaller_than_the_exact_one(study: ModuleType) -> None:
    rng = np.random.default_rng(1)
    for share in (0.05, 0.1, 0.14):
        wrong = rng.random(3000) < share
        exact = binomial_tail(int((~wrong).sum()), 3000, 0.85)
        assert study.lower_tail(int(wrong.sum()), 3000, 0.15) == pytest.approx(exact, rel=1e-6, abs=1e-300)
        assert study.hoeffding_bentkus(wrong, 0.15) >= exact
    null = [study.betting(rng.random(400) < 0.15, 0.15) for _ in range(300)]
    assert np.mean(np.array(null) <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


@pytest.mark.slow
def test_draws_come_out_the_same_again(study: ModuleType) -> None:
    results = study.unpacked(json.loads((FOLDER / "results.json").read_text(encoding="utf-8")))
    population = study.Population()
    shared = study.OneForAll(population)
    for name, draw in study.TABLES.items():
        again = draw(population, shared, 3)
        assert {key: plan and list(plan) for key, plan in again.items()} == results[name][3]


@pytest.mark.slow
def test_the_study_of_smaller_networks_prints_what_its_readme_says() -> None:
    path = ROOT / "experiments" / "static" / "run.py"
    spec = spec_from_file_location("run_static", path)
    assert spec is not None
    assert spec.loader is not None
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    written = (path.parent / "README.md").read_text(encoding="utf-8")
    with TemporaryDirectory() as folder:
        profiles = found.networks(Path(folder))
        assert "\n".join(found.accuracies(profiles)) in written
        assert "\n".join(found.table(profiles)) in written
