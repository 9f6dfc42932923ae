"""Floating-point operations of layers that apply their kernels several times, and of those that hold other layers."""

from __future__ import annotations

from typing import Any

from tiercut.profiling.models.graph_keras import KerasModel


def counted(keras: Any, layer: Any, shape: tuple[int, ...]) -> int:
    """Return the operations of one layer on an input of some shape."""
    entry = keras.Input(shape)
    return KerasModel(keras.Model(entry, layer(entry))).graph.steps[-1].flops


def test_recurrent_layers_use_their_kernels_at_each_step(keras: Any) -> None:
    k = keras.layers
    lstm = 2 * (8 * 24 + 6 * 24)
    assert counted(keras, k.LSTM(6), (5, 8)) == counted(keras, k.LSTM(6, return_sequences=True), (5, 8)) == 5 * lstm
    assert counted(keras, k.GRU(6), (5, 8)) == 5 * 2 * (8 * 18 + 6 * 18)
    assert counted(keras, k.SimpleRNN(6), (5, 8)) == 5 * 2 * (8 * 6 + 6 * 6)
    assert counted(keras, k.Bidirectional(k.LSTM(6)), (5, 8)) == 2 * 5 * lstm


def test_convolutional_recurrent_layers_do_so_at_each_place(keras: Any) -> None:
    kernels = 3 * 3 * 2 * 16 + 3 * 3 * 4 * 16
    for sequences in (False, True):
        layer = keras.layers.ConvLSTM2D(4, 3, padding="same", return_sequences=sequences)
        assert counted(keras, layer, (5, 7, 6, 2)) == 2 * kernels * 5 * 7 * 6


def test_layers_that_are_applied_to_each_step_count_at_each(keras: Any) -> None:
    k = keras.layers
    each = keras.Sequential([keras.Input((6, 6, 3)), k.Conv2D(4, 3), k.GlobalAveragePooling2D(), k.Dense(2)])
    expected = 2 * (3 * 3 * 3 * 4 * 4 * 4 + 4 * 2)
    assert counted(keras, k.TimeDistributed(each), (5, 6, 6, 3)) == 5 * expected
    assert counted(keras, each, (6, 6, 3)) == expected
    assert counted(keras, k.TimeDistributed(k.Dense(2)), (5, 3)) == 5 * 2 * 3 * 2
