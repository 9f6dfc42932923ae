"""The framework that runs the models: what is said where it is missing, and that calls wait for their device."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from tiercut.errors import QuestionError
from tiercut.profiling.models import runtime
from tiercut.profiling.models.runtime import start_framework


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The frameworks that can be found, of which none can be loaded."""
    names: set[str] = set()
    monkeypatch.setattr(runtime, "find_spec", lambda name: name if name in names else None)
    for name in ("keras", *runtime.BACKENDS):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return names


@pytest.mark.parametrize(
    ("there", "backend", "message"),
    [
        ((), None, "models need keras and tensorflow; install with: pip install 'tiercut[profiling]'"),
        (("keras", "tensorflow"), "torch", "models need torch; install with: pip install 'tiercut[torch]', or set "
         "KERAS_BACKEND=tensorflow, which is installed"),
        (("keras", "torch"), None, "models need tensorflow; install with: pip install 'tiercut[profiling]', or set "
         "KERAS_BACKEND=torch, which is installed"),
        (("keras",), "jax", "models need jax; install with: pip install 'tiercut[jax]'"),
    ],
)  # fmt: skip
def test_what_is_not_installed_is_told_with_how_to_install_it(
    installed: set[str], monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], backend: str | None, message: str
) -> None:
    installed.update(there)
    monkeypatch.setenv("KERAS_BACKEND", "")  # what is set meanwhile is forgotten afterwards
    with pytest.raises(QuestionError) as caught:
        start_framework(backend=backend)
    assert str(caught.value) == message


def test_what_is_installed_but_broken_is_told_with_its_reason(installed: set[str]) -> None:
    installed.update(("keras", "tensorflow"))
    with pytest.raises(QuestionError, match="tensorflow cannot be loaded: import of keras halted"):
        start_framework()


def pretended(device: str, done: list[str], **more: Any) -> SimpleNamespace:
    """Return what stands for torch: it keeps the order of what is done."""

    @contextmanager
    def no_grad() -> Iterator[None]:
        done.append("without gradients")
        yield

    return SimpleNamespace(
        no_grad=no_grad, **{device: SimpleNamespace(synchronize=lambda: done.append("waited"))}, **more
    )


@pytest.mark.parametrize(("device", "after"), [("cuda", ["waited"]), ("mps", ["waited"]), ("cpu", [])])
def test_a_call_on_torch_computes_as_it_infers_and_waits_for_its_device(
    monkeypatch: pytest.MonkeyPatch, device: str, after: list[str]
) -> None:
    done: list[str] = []
    monkeypatch.setitem(sys.modules, "torch", pretended(device, done))

    def model(tensor: object, *, training: bool) -> str:
        done.append(f"training {training}")
        return "result"

    call = runtime._torch_piece(model, None)
    assert call(SimpleNamespace(device=SimpleNamespace(type=device))) == "result"
    assert done == ["without gradients", "training False", *after]


def test_a_piece_that_torch_cannot_compile_is_told_by_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def export(*_: object, **__: object) -> None:
        raise RuntimeError("no compiler\nlong story")

    torch = SimpleNamespace(no_grad=nullcontext, compile=None, export=SimpleNamespace(export=export))
    monkeypatch.setitem(sys.modules, "torch", torch)
    model = SimpleNamespace(outputs=[SimpleNamespace(name="mixed3")])
    with pytest.raises(QuestionError, match="piece that ends in 'mixed3': no compiler; leave out --jit-compile"):
        runtime._torch_piece(model, "example")
