"""With TLS agents talk to those who show a certificate of their authority, and to nobody else."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from support.at_work.certificates import authority, folder_of, needs_openssl

from tiercut.errors import InputError, QuestionError
from tiercut.offloader import Agent, RunOptions, run_with_agents
from tiercut.offloader.bundles.split import split_plan
from tiercut.offloader.deployment.files import write_deployment
from tiercut.offloader.deployment.measure import measure_command
from tiercut.offloader.protocol.channels import Peer
from tiercut.offloader.protocol.messages import message
from tiercut.offloader.protocol.service import Service
from tiercut.offloader.protocol.tls import Tls, load_tls
from tiercut.optimizer import Plan
from tiercut.profiling import CutNetwork, Profile
from tiercut.topologies import Topology

grpc = pytest.importorskip("grpc", reason="needs the extra 'offload'")
pytest.importorskip("onnxruntime", reason="needs the extra 'offload'")

ANY = "127.0.0.1:0"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return folders: good, of another authority, expired, for another host, and one that believes somebody else."""
    needs_openssl()
    base = tmp_path_factory.mktemp("tls")
    ours, theirs = authority(base / "ours"), authority(base / "theirs")
    return {
        "ours": ours,
        "good": folder_of(base / "good", ours),
        "wrong": folder_of(base / "wrong", theirs, believes=ours),
        "expired": folder_of(base / "expired", ours, days=-1),
        "another host": folder_of(base / "host", ours, host="DNS:elsewhere.example"),
        "believes others": folder_of(base / "believes", ours, believes=theirs),
    }


@pytest.fixture(scope="module")
def first(
    shown: dict[str, Path], plan: Plan, cut: CutNetwork, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Agent]:
    """Return the first of three agents that ask for certificates of their authority, and show good ones."""
    folders = split_plan(plan, cut, tmp_path_factory.mktemp("bundles")).folders
    with ExitStack() as stack:
        address: str | None = None
        for folder in reversed(folders):
            agent = Agent(folder, ANY, address, threads=1, tls=load_tls(shown["good"]))
            stack.callback(agent.close)
            address = agent.address
        yield agent


def is_live(address: str, tls: Tls | None) -> bool:
    with closing(Peer(address, 1 << 20, tls)) as peer:
        return bool(peer.call("ServerLive", message("ServerLiveRequest"), 30.0).live)


def test_who_shows_a_certificate_of_the_authority_is_answered(first: Agent, shown: dict[str, Path]) -> None:
    assert is_live(first.address, load_tls(shown["good"]))


@pytest.mark.parametrize("caller", ["wrong", "expired", "believes others", "none shown", "nothing encrypted"])
def test_who_does_not_is_refused_soon(first: Agent, shown: dict[str, Path], tmp_path: Path, caller: str) -> None:
    tls: Tls | None = None
    if caller == "none shown":
        shutil.copyfile(shown["ours"] / "ca.crt", tmp_path / "ca.crt")
        tls = load_tls(tmp_path, server=False)
    elif caller != "nothing encrypted":
        tls = load_tls(shown[caller])
    begun = time.monotonic()
    with pytest.raises(grpc.RpcError) as refused:
        is_live(first.address, tls)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert time.monotonic() - begun < 20  # and not when the time for the call is over


@pytest.mark.parametrize("server", ["wrong", "expired", "another host"])
def test_a_server_that_shows_something_else_is_not_believed(shown: dict[str, Path], server: str) -> None:
    handlers: dict[str, Any] = {"ServerLive": lambda _, __: message("ServerLiveResponse", live=True)}
    service = Service(handlers, ANY, 1 << 20, tls=load_tls(shown[server]))
    try:
        with pytest.raises(grpc.RpcError) as refused:
            is_live(service.address, load_tls(shown["good"]))
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        service.close()


def test_a_plan_runs_through_encrypted_agents(
    first: Agent, shown: dict[str, Path], plan: Plan, topology: Topology, profile: Profile, cut: CutNetwork, data: Path
) -> None:
    tls = load_tls(shown["good"])
    options = RunOptions(frames=20, interval_s=0.03, deadline_s=30.0, tls=tls)
    ran = run_with_agents(plan, topology, profile, cut, data, first.address, options)
    assert (ran.answered, ran.same_as_uncut) == (20, 20)
    with pytest.raises(QuestionError, match="does not answer as an agent"):
        run_with_agents(plan, topology, profile, cut, data, first.address, RunOptions(frames=1))


def test_a_deployment_that_is_encrypted_is_measured(
    first: Agent,
    shown: dict[str, Path],
    plan: Plan,
    topology: Topology,
    profile: Profile,
    cut: CutNetwork,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import runpy

    write_deployment(plan, split_plan(plan, cut, tmp_path), topology, profile)
    predicted = runpy.run_path(str(tmp_path / "measure.py"), run_name="measure")["PREDICTED"]
    call = ["--data", str(data), "--agent", first.address, "--frames", "5", "--tls", str(shown["good"])]
    assert measure_command(tmp_path, predicted, call) == 0
    assert "5 frames answered, 0 failed" in capsys.readouterr().out


def test_ways_that_encrypt_nothing_are_refused(first: Agent, shown: dict[str, Path], tmp_path: Path) -> None:
    del tmp_path
    with closing(Peer(first.address, 1 << 20, load_tls(shown["good"]))) as peer:
        said = peer.call("ServerMetadata", message("ServerMetadataRequest"), 5.0)
    assert not list(said.extensions)  # no streams beside gRPC
    from tiercut.offloader.protocol.tls import only_grpc

    assert only_grpc("auto", load_tls(shown["good"])) == "grpc"
    with pytest.raises(QuestionError, match="--transport memory encrypts nothing"):
        only_grpc("memory", load_tls(shown["good"]))


def test_a_folder_that_cannot_be_used_is_refused_with_the_file(shown: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tls\.crt: there is no such file; a folder for TLS holds tls\.crt and"):
        load_tls(tmp_path)
    shutil.copyfile(shown["good"] / "tls.crt", tmp_path / "tls.crt")
    with pytest.raises(InputError, match=r"tls\.key: there is no such file"):
        load_tls(tmp_path)
    shutil.copyfile(shown["wrong"] / "tls.key", tmp_path / "tls.key")
    with pytest.raises(InputError, match=r"tls\.crt: does not belong to tls\.key"):
        load_tls(tmp_path)
    shutil.copyfile(shown["good"] / "tls.key", tmp_path / "tls.key")
    assert load_tls(tmp_path).authority is None
    (tmp_path / "ca.crt").write_text("no certificate", encoding="utf-8")
    with pytest.raises(InputError, match=r"ca\.crt: holds no certificate in PEM"):
        load_tls(tmp_path)


def test_a_key_is_not_shown_by_accident(shown: dict[str, Path]) -> None:
    assert "PRIVATE" not in repr(load_tls(shown["good"]))


def test_a_wrong_folder_is_told_by_the_commands(shell_call: Any, tmp_path: Path, plan: Plan, cut: CutNetwork) -> None:
    folder = split_plan(plan, cut, tmp_path / "bundles").folders[-1]
    status, out, err = shell_call("agent", folder, "--tls", tmp_path)
    assert (status, out) == (2, "")
    assert f"{tmp_path / 'tls.crt'}: there is no such file" in err
