"""Where the rest of a plan does not answer, the source does in time, until it is there again."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from support.at_work.sites import Site

from tiercut.errors import QuestionError
from tiercut.offloader import Agent, Run, RunOptions, run_local
from tiercut.offloader.bundles.manifest import load_bundle
from tiercut.offloader.bundles.split import split_plan
from tiercut.offloader.local.cascade import Verdict, uncut_cascade
from tiercut.offloader.local.driver import Driver, Outcome
from tiercut.offloader.local.fallback import check_fallback
from tiercut.offloader.local.frames import Frames, load_frames
from tiercut.offloader.local.processes import AgentProcess
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.tensors import put_parameters
from tiercut.offloader.transports.server import Arrival
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork, Profile
from tiercut.report import run_tables
from tiercut.topologies import Topology

pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

ANY = "127.0.0.1:0"
DEADLINE_S, SPARE_S = 2.0, 0.8
REPLY_S = 2.0
"""So much later than at its deadline a busy machine may report a frame failed."""
LAST_HERE = 4
"""The last exit of the first partition."""


class Chain:
    """Three agents in this process, any of which can be ended and started again where it was."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self.agents: list[Agent | None] = [None] * len(folders)
        self.addresses = [ANY] * len(folders)
        for place in reversed(range(len(folders))):
            self.start(place)

    def start(self, place: int) -> None:
        after = self.addresses[place + 1] if place + 1 < len(self._folders) else None
        made = Agent(self._folders[place], self.addresses[place], after, threads=1)
        self.agents[place], self.addresses[place] = made, made.address

    def end(self, place: int) -> None:
        agent, self.agents[place] = self.agents[place], None
        if agent is not None:
            agent.close()

    def close(self) -> None:
        for place in range(len(self.agents)):
            self.end(place)


@pytest.fixture(scope="module")
def folders(plan: Plan, cut: CutNetwork, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return split_plan(plan, cut, tmp_path_factory.mktemp("bundles")).folders


@pytest.fixture(scope="module")
def frames(folders: Sequence[Path], data: Path) -> Frames:
    return load_frames(data, load_bundle(folders[0]).inputs)


@pytest.fixture(scope="module")
def verdicts(plan: Plan, cut: CutNetwork, frames: Frames) -> list[Verdict]:
    return uncut_cascade(plan, cut, frames, 60)


@pytest.fixture
def chain(folders: Sequence[Path]) -> Iterator[Chain]:
    with closing(Chain(folders)) as made:
        yield made


@pytest.fixture
def driver(folders: Sequence[Path], chain: Chain) -> Iterator[Driver]:
    bundles = tuple(load_bundle(each) for each in folders)
    with Driver(bundles, chain.addresses[0], deadline_s=DEADLINE_S, fallback_s=SPARE_S) as made:
        yield made


def going_on(verdicts: Sequence[Verdict], beyond: int) -> list[int]:
    """Return the numbers of the frames that leave after a block."""
    return [number for number, each in enumerate(verdicts) if each.exit > beyond]


def sent(driver: Driver, frames: Frames, numbers: Sequence[int], prefix: str = "") -> list[Outcome]:
    found = driver.run(lambda place: frames.frame(numbers[place]), len(numbers), 0.02, prefix=prefix)
    assert all(each.answered for each in found), [each.failure for each in found]
    assert all(each.latency_s <= DEADLINE_S + REPLY_S for each in found)
    assert sum(each.doubled for each in found) == 0
    return found


def test_what_cannot_go_on_is_answered_here_and_the_plan_is_taken_up_again_when_the_agent_is_back(
    chain: Chain, driver: Driver, frames: Frames, verdicts: list[Verdict]
) -> None:
    on = going_on(verdicts, LAST_HERE)[:6]
    assert [each.fell_back for each in sent(driver, frames, on)] == [None] * len(on)
    chain.end(1)
    away = sent(driver, frames, on, "away ")
    assert {each.exit for each in away} == {LAST_HERE}
    assert all(str(each.fell_back).startswith(f"camera: {chain.addresses[1]}") for each in away)
    chain.start(1)
    until = time.monotonic() + 20
    while sent(driver, frames, on[:1], f"{time.monotonic_ns()} ")[0].fell_back is not None:
        assert time.monotonic() < until
        time.sleep(0.05)
    again = sent(driver, frames, on, "again ")
    assert [each.fell_back for each in again] == [None] * len(on)
    for number, each in zip(on, again, strict=True):
        assert verdicts[number].agrees(each.exit, each.results)


def test_the_nearest_agent_that_holds_an_exit_answers(
    chain: Chain, driver: Driver, frames: Frames, verdicts: list[Verdict]
) -> None:
    chain.end(2)
    on = going_on(verdicts, 6)[:3]
    assert {each.exit for each in sent(driver, frames, on)} == {6}


def test_an_agent_that_takes_a_frame_and_never_answers_does_not_cost_it(
    chain: Chain, driver: Driver, frames: Frames, verdicts: list[Verdict]
) -> None:
    taken = threading.Event()
    gateway: Any = chain.agents[1]
    gateway._serve = lambda _: taken.set()  # frozen once it has a frame
    on = going_on(verdicts, LAST_HERE)[:2]
    found = sent(driver, frames, on)
    assert taken.is_set()
    assert [each.exit for each in found] == [LAST_HERE] * len(on)
    assert all(DEADLINE_S - SPARE_S <= each.latency_s <= DEADLINE_S for each in found)
    assert all(each.fell_back == "camera: no answer in time" for each in found)


def test_a_peer_that_accepts_and_never_answers_is_given_up_in_time(
    chain: Chain, driver: Driver, frames: Frames, verdicts: list[Verdict]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        camera: Any = chain.agents[0]
        camera.follow(f"127.0.0.1:{silent.getsockname()[1]}")
        on = going_on(verdicts, LAST_HERE)[:8]
        found = sent(driver, frames, on)
        assert [each.exit for each in found] == [LAST_HERE] * len(on)
        late = sent(driver, frames, on[:2], "later ")
        assert all(each.latency_s < SPARE_S for each in late)  # it is known to be silent
        camera.follow(chain.addresses[1])
    assert [each.fell_back for each in sent(driver, frames, on, "again ")] == [None] * len(on)


def test_without_it_frames_that_cannot_go_on_fail(
    chain: Chain, folders: Sequence[Path], frames: Frames, verdicts: list[Verdict]
) -> None:
    chain.end(1)
    on = going_on(verdicts, LAST_HERE)[:2]
    bundles = tuple(load_bundle(each) for each in folders)
    with Driver(bundles, chain.addresses[0], deadline_s=DEADLINE_S) as driver:
        found = driver.run(lambda place: frames.frame(on[place]), len(on), 0.02)
    assert [each.answered for each in found] == [False] * len(on)


def test_what_fails_elsewhere_does_not_end_a_frame_whose_answer_here_is_under_way(
    folders: Sequence[Path], frames: Frames
) -> None:
    bundles = tuple(load_bundle(each) for each in folders)
    with Driver(bundles, "127.0.0.1:1", deadline_s=DEADLINE_S, fallback_s=SPARE_S) as driver:
        asked = Outcome(time.monotonic_ns(), asked=True)
        driver._frames["0"] = asked
        failed = message("ModelInferRequest", model_name="results", id="0")
        put_parameters(failed, {"failed": "cloud: it waited for a worker until its deadline"})
        driver._take(Arrival(failed, ()))
        assert asked.ended_ns is None
        driver._is_over("0")
        assert asked.failure == "no answer before its deadline"


def test_results_are_taken_where_another_run_took_them_before(
    chain: Chain, folders: Sequence[Path], frames: Frames
) -> None:
    bundles, listen = tuple(load_bundle(each) for each in folders), ANY
    for _ in range(2):
        with Driver(bundles, chain.addresses[0], deadline_s=2.0, listen=listen) as driver:
            until = time.monotonic() + 30
            while any(each.failure for each in driver.run(frames.frame, 2, 0.01, prefix=f"{time.monotonic_ns()} ")):
                assert time.monotonic() < until  # an agent whose results nobody took calls again in half a second
            listen = driver.address


def test_a_plan_without_an_exit_at_the_source_has_nothing_to_fall_back_to(planned: Callable[..., Plan]) -> None:
    check_fallback(planned(), "camera")
    with pytest.raises(QuestionError, match="'gateway' runs no part of the plan"):
        check_fallback(planned(), "gateway")
    with pytest.raises(QuestionError, match="no exit among the blocks 1 to 2, which 'camera' holds"):
        check_fallback(planned(partition=[2, 6, 12], exits=[6, 12]), "camera")


@pytest.mark.slow
def test_a_run_answers_what_an_agent_that_was_killed_does_not(
    plan: Plan, topology: Topology, profile: Profile, cut: CutNetwork, data: Path
) -> None:
    def kill(agents: Sequence[AgentProcess]) -> None:
        threading.Timer(0.3, lambda: os.kill(agents[1].pid, signal.SIGKILL)).start()

    options = RunOptions(30, 0.03, 0.5, retime=True, fallback=True)
    ran: Run = run_local(plan, topology, profile, cut, data, options, started=kill)
    assert (ran.answered, ran.failed, ran.duplicated) == (30, 0, 0)
    assert ran.fell_back_at.keys() == {LAST_HERE}
    data_ = json.loads(ran.to_json())
    assert data_["fell_back"] == data_["fell_back_at"][str(LAST_HERE)] == len(data_["fallbacks"]) > 0
    assert data_["fallbacks"][-1]["exit"] == LAST_HERE
    assert ran.same_as_uncut == 30 - data_["fell_back"]
    said = [str(part) for part in run_tables(ran)]
    assert any("fell back to the exit after block 4: camera: 127.0.0.1:" in each for each in said)


def processor_s(pid: int) -> float:
    """Return the seconds that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processor time as Linux tells it")
@pytest.mark.parametrize("kind", ["killed", "frozen"])
def test_a_dead_peer_costs_next_to_nothing_and_is_used_again_within_a_second(
    folders: tuple[Path, ...], frames: Frames, verdicts: list[Verdict], kind: str
) -> None:
    bundles = tuple(load_bundle(each) for each in folders)
    number = going_on(verdicts, LAST_HERE)[0]
    with ExitStack() as stack:
        site = Site(folders, stack)
        driver = stack.enter_context(Driver(bundles, site.addresses[0], deadline_s=DEADLINE_S, fallback_s=SPARE_S))
        assert sent(driver, frames, [number])[0].fell_back is None
        if kind == "killed":
            site.kill(1)
        else:
            os.kill(site.agents[1].pid, signal.SIGSTOP)
        assert sent(driver, frames, [number] * 3, "away ")[-1].fell_back is not None
        time.sleep(1.0)
        before, begun = processor_s(site.agents[0].pid), time.monotonic()
        time.sleep(8.0)
        share = (processor_s(site.agents[0].pid) - before) / (time.monotonic() - begun)
        if kind == "killed":
            site.restart(1)
        else:
            os.kill(site.agents[1].pid, signal.SIGCONT)
        back, tries = time.monotonic(), 0
        while sent(driver, frames, [number], f"back {tries} ")[0].fell_back is not None:
            tries += 1
        took = time.monotonic() - back
    print(f"{kind}: {share:.2%} of a core while it was away, used again after {took:.2f} s")
    assert share < 0.02
    assert took < 1.0
