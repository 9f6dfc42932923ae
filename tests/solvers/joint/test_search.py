"""What a joint search says where something ends early: nothing counts as proved that is not."""

from __future__ import annotations

import json
from math import inf, isclose
from pathlib import Path
from threading import get_ident
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from support.seeded.joint import by_trying, joint_case

import tiercut
from tiercut.analysis import JointAnswer
from tiercut.optimizer import SLACK, Decision
from tiercut.solvers.joint import columns, generating, search
from tiercut.solvers.joint.branches import Branch, Side, split
from tiercut.solvers.joint.columns import Column, Multipliers
from tiercut.solvers.joint.curves import Priced
from tiercut.solvers.joint.master import Choice, Master


def asked(seed: int, folder: Path, goal: Any = "mean", workers: int = 1) -> JointAnswer:
    case = joint_case(seed)
    for name, profile in case.profiles.items():
        (folder / f"{name}.json").write_text(json.dumps(profile))
    for source in case.sources:
        source["profile"] = str(folder / f"{source['profile']}.json")
    topology = tiercut.Topology.from_data(case.topology)
    return tiercut.solve_sources(topology, joint=goal, max_utilisation=case.most, workers=workers, estimator="marginal")


@pytest.mark.parametrize("seed", [19, 20, 22])  # in which what is best for each source does not go together
def test_a_relaxed_choice_that_is_whole_counts_without_the_choice_among_all(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "choose_whole", lambda *_: Choice((), inf, proved=False))
    answer = asked(seed, tmp_path)
    assert answer.status == "optimal"
    assert isclose(answer.outcome.value, by_trying(joint_case(seed)).mean, rel_tol=1e-8)


def test_where_no_whole_choice_is_had_nothing_counts_as_proved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "choose_whole", lambda *_: Choice((), inf, proved=False))
    monkeypatch.setattr(search._Search, "_adopt", lambda *_: None)
    answer = asked(19, tmp_path)
    assert (answer.status, answer.outcome.reason) == ("stopped", search._CLOSED)
    assert answer.outcome.bound <= by_trying(joint_case(19)).mean


def test_prices_that_are_not_proved_do_not_prove_that_there_is_no_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search._Search, "_seed", lambda *_: False)
    monkeypatch.setattr(columns.Pricer, "cheapest", lambda *_: Priced(inf, None, proved=False))
    answer = asked(19, tmp_path)
    assert (answer.status, answer.outcome.reason) == ("stopped", generating._UNPROVED)


def test_a_relaxed_choice_that_is_never_solved_ends_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(master: Master) -> tuple[float, Multipliers, Any]:
        count = len(master.weights)
        return inf, Multipliers(np.zeros(count), np.zeros(len(master.limits))), np.zeros(count)

    monkeypatch.setattr(Master, "solve", fails)
    answer = asked(19, tmp_path)
    assert answer.outcome.reason == generating._FAILED
    assert answer.outcome.bound <= by_trying(joint_case(19)).mean


@pytest.mark.parametrize("goal", ["mean", "worst"])
def test_threads_that_price_plans_add_none_to_what_they_share(
    goal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    priced, added = set(), set()
    cheapest, take = columns.Pricer.cheapest, columns.Pool.take

    def pricing(pricer: columns.Pricer, *given: Any) -> Priced:
        priced.add(get_ident())
        return cheapest(pricer, *given)

    def adding(pool: columns.Pool, *given: Any) -> Any:
        added.add(get_ident())
        return take(pool, *given)

    monkeypatch.setattr(search._Search, "load", lambda *_: None)
    monkeypatch.setattr(columns.Pricer, "cheapest", pricing)
    monkeypatch.setattr(columns.Pool, "take", adding)
    asked(41, tmp_path, goal, workers=2)
    assert priced - {get_ident()}
    assert added == {get_ident()}


def test_where_enough_is_priced_halving_ends_between_two_caps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    caps, generate = [], search._Search._generate

    def generating(search_: search._Search, stage: Any, branch: Branch, *, first: bool = False) -> Any:
        caps.extend([branch.cap] if stage == "mean" else [])
        return generate(search_, stage, branch, first=first)

    monkeypatch.setattr(search, "_PRICED", 0)
    monkeypatch.setattr(search._Search, "_generate", generating)
    answer = asked(40, tmp_path, "worst")
    assert len(caps) == 1
    assert answer.outcome.reason == "0 plans were priced"
    assert answer.outcome.bound <= by_trying(joint_case(40)).worst


def test_a_source_without_any_plan_has_all_of_them_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed, list_all = [], columns.Pricer.list_all

    def listing(pricer: columns.Pricer, most: int) -> bool:
        done = list_all(pricer, most)
        listed.append((len(pricer.columns), done))
        return done

    monkeypatch.setattr(columns.Pricer, "list_all", listing)
    assert asked(3, tmp_path, "served").status == "optimal"
    assert (0, True) in listed
    assert all(done for _, done in listed)


def test_no_stream_borrows_a_plan_that_is_slower_than_a_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    caps, borrow = [], search._Search._borrow
    borrowed = columns.Pricer.borrowed

    def borrowing(search_: search._Search, master: Master, branch: Branch, *given: Any) -> bool:
        caps.append(branch.cap)
        return borrow(search_, master, branch, *given)

    def within(pricer: columns.Pricer, *given: Any) -> list[columns.Column]:
        found = borrowed(pricer, *given)
        assert given[-1] == caps[-1]
        assert all(column.latency_s <= caps[-1] for column in found)
        return found

    monkeypatch.setattr(search._Search, "_borrow", borrowing)
    monkeypatch.setattr(columns.Pricer, "borrowed", within)
    asked(41, tmp_path, "worst")
    assert min(caps) < inf


def test_a_master_without_a_choice_mixes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    master = Master("mean", np.array([0.5, 0.5]), 1)
    shares, left = master.mixed
    assert (shares, left.tolist()) == ([[], []], [0.0, 0.0])
    assert capfd.readouterr().err == ""


def test_a_bound_allows_for_what_limits_may_be_exceeded_by() -> None:
    at = Multipliers(np.ones(1), np.array([2.0, 3.0]))
    assert Master("mean", np.ones(1), 2).allowed(at) == 5.0 * (1 + SLACK)


def test_no_part_is_split_by_a_share_of_memory() -> None:
    decision = Decision((1,), (0,), (1,), None)
    mixed = [(Column(decision, 1.0, np.array([0.5, held])), 0.5) for held in (0.2, 0.8)]
    prices = np.array([0.0, 1.0])
    (low, high) = split(Branch(0.0), [mixed], np.zeros(1), prices, 2)
    assert low.of(0) + high.of(0) == (Side(1, 0.5, 1.0), Side(1, -0.5, -1.0))
    assert split(Branch(0.0), [mixed], np.zeros(1), prices, 1) == ()


def test_an_end_by_the_user_is_passed_on() -> None:
    ended = SimpleNamespace(solve=lambda *_: SimpleNamespace(status="interrupted", decisions=()))
    with pytest.raises(KeyboardInterrupt):
        columns._solved(cast("Any", ended), cast("Any", None))
