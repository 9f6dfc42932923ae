"""One hash for one network, in every process and with every Keras that builds it; another one for any other."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.checkout import ROOT

from tiercut.profiling.models.fingerprint import fingerprint


@pytest.fixture
def hash_of(keras: Any) -> Callable[..., str]:
    """A function that returns the hash of a small network, some of whose settings are chosen."""

    def make(*, units: int = 3, inner: Any = None, **settings: Any) -> str:
        keras.utils.clear_session()
        entry = keras.Input((6, 6, 3))
        named = {"filters": 4, "kernel_size": 3} | settings
        tensor = keras.layers.Conv2D(**named)(entry)
        tensor = tensor if inner is None else inner(tensor)
        return fingerprint(keras.Model(entry, keras.layers.Dense(units)(keras.layers.Flatten()(tensor))))

    return make


def test_a_real_change_gives_another_hash(keras: Any, hash_of: Callable[..., str]) -> None:
    prints = [
        hash_of(),
        hash_of(units=4),
        hash_of(kernel_size=5),
        hash_of(kernel_size=5, padding="same"),
        hash_of(activation="relu"),
        hash_of(activation="tanh"),
        hash_of(strides=2),
        hash_of(inner=keras.layers.ReLU()),
        hash_of(inner=keras.layers.ReLU(max_value=6.0)),
        hash_of(inner=keras.layers.LeakyReLU(0.2)),
        hash_of(inner=lambda tensor: tensor * 2.0),
        hash_of(inner=lambda tensor: tensor * 3.0),
        hash_of(inner=lambda tensor: keras.layers.Add()([tensor, tensor])),
        hash_of(dtype="float16"),
    ]
    assert len(set(prints)) == len(prints)
    assert {len(each) for each in prints} == {64}


def test_what_changes_no_time_and_what_keras_makes_up_does_not_count(keras: Any, hash_of: Callable[..., str]) -> None:
    assert (
        hash_of()
        == hash_of(name="mine")
        == hash_of(kernel_initializer="zeros", kernel_regularizer="l2", trainable=False)
    )
    assert hash_of(padding="valid", strides=(1, 1), use_bias=True) == hash_of()


def test_settings_that_another_keras_adds_with_their_defaults_say_nothing(
    keras: Any, hash_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hash_of(activation="relu")
    original, begin = keras.layers.Conv2D.get_config, keras.layers.Conv2D.__init__

    def newer(self: Any, *args: Any, packed: bool = False, **named: Any) -> None:
        begin(self, *args, **named)

    known = inspect.signature(begin)
    added = inspect.Parameter("packed", inspect.Parameter.KEYWORD_ONLY, default=False)
    *others, last = known.parameters.values()
    newer.__signature__ = known.replace(parameters=[*others, added, last])  # type: ignore[attr-defined]
    monkeypatch.setattr(keras.layers.Conv2D, "__init__", newer)
    monkeypatch.setattr(
        keras.layers.Conv2D, "get_config", lambda self: original(self) | {"quantization_config": None, "packed": False}
    )
    assert hash_of(activation="relu") == before
    monkeypatch.setattr(keras.layers.Conv2D, "get_config", lambda self: original(self) | {"packed": True})
    assert hash_of(activation="relu") != before


def test_objects_sets_and_long_arrays_count_by_what_is_in_them(keras: Any, hash_of: Callable[..., str]) -> None:
    class Held:
        def __init__(self, value: int) -> None:
            self.value = value

    class Own(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, held: Any, **more: Any) -> None:
            super().__init__(**more)
            self.held = held

        def call(self, tensor: Any) -> Any:
            return tensor

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "held": self.held}

    def hashed(held: Any) -> str:
        return hash_of(inner=Own(held))

    long = np.zeros(5000)
    other = long.copy()
    other[2500] = 1
    assert hashed(Held(1)) == hashed(Held(1)) != hashed(Held(2))
    assert hashed({"a", "b", "c"}) == hashed({"c", "b", "a"}) != hashed({"a", "b"})
    assert hashed(long) == hashed(long.copy()) != hashed(other)
    assert hashed(keras.initializers.RandomNormal()) == hashed(keras.initializers.RandomNormal())
    assert hashed(lambda each: each) != hashed(Held)


PROGRAM = """
import keras
from tiercut.profiling.models.fingerprint import fingerprint
class Object:
    pass
class Own(keras.layers.Layer):
    def call(self, tensor):
        return tensor
    def get_config(self):
        return {**super().get_config(), "object": Object(), "names": {"a", "b", "c", "d"}, "function": print}
entry = keras.Input((4,))
tensor = keras.layers.Lambda(lambda each: each + 1)(Own()(entry))
print(fingerprint(keras.Model(entry, keras.layers.Dense(2)(tensor))))
"""


def test_the_hash_is_the_same_in_every_process_and_folder(keras: Any, tmp_path: Any) -> None:
    found = set()
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        (folder / "program.py").write_text(PROGRAM)
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": seed}
        command = [sys.executable, str(folder / "program.py")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found.add(done.stdout.strip().splitlines()[-1])
    assert len(found) == 1
