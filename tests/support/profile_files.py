"""A good profile and a full one, as plain data, and what is said of wrong ones."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

import tiercut
from support.made import exits_data, profile_data
from tiercut.errors import InputError

GOOD: dict[str, Any] = profile_data(
    [1.5, 2.5, 4.5],
    [12.0, 8.0, 4.0, 2.0],
    branch_s=[0.5, 0.5, 0.5],
    exits=exits_data([0.5, 0.75, 0.9], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5]),
)

FULL: dict[str, Any] = {
    "format": "tiercut.profile/1",
    "model": "ResNet20",
    "dataset": "CIFAR10",
    "classes": 10,
    "samples": 5000,
    "origin": "made up, ü included",
    "input_bytes": 12288,
    "result_bytes": 16,
    "blocks": [
        {
            "name": "block1",
            "output_bytes": 65536,
            "first_layer": 0,
            "last_layer": 6,
            "parameter_bytes": 1792,
            "activation_bytes": 70000,
            "flops": 884736,
        },
        {"name": "block2", "output_bytes": None},
    ],
    "accuracy": 0.91,
    "exits": {
        "thresholds": [0.0, 0.1],
        "exit_rate": [[0.0, 1.0], [0.1, 0.9]],
        "exit_rate_alone": [[0.0, 1.0], [0.1, 1.0]],
        "hit_rate_alone": [[0.0, 0.87], [0.09, 0.9]],
        "accuracy": [0.41, 0.87],
        "accuracy_separate": [0.45, 0.88],
        "calibration_error": [0.1, 0.02],
        "temperature": [1.5, 0.9],
    },
    "samples_file": "resnet20-cifar10.samples.npz",
    "reference": "a100",
    "devices": {
        "a100": {
            "description": "a card",
            "framework": "keras 3",
            "statistic": "p99",
            "runs": 100,
            "block_s": [0.0001, 0.0002],
            "branch_s": [0.00002, 0.00001],
            "block_mean_s": [0.0001, 0.0002],
            "block_p50_s": [0.0001, 0.0002],
            "branch_mean_s": [0.00002, None],
            "branch_p50_s": [0.00002, None],
            "span_s": [[0.0001, 0.0002], [0.0001]],
            "encode_s": [0.0, 1e-5, None],
            "decode_s": [0.0, 1e-5],
            "whole_model_s": 0.0011,
        }
    },
    "codecs": {
        "transfer-layer": {
            "bytes": [None, 16384],
            "encode_s": {"a100": [None, 1e-5]},
            "decode_s": {"a100": [None, 1e-5, None]},
            "accuracy_drop": [None, 0.009],
        }
    },
}


def changed(*keys: Any, value: Any = None, drop: bool = False) -> dict[str, Any]:
    """Return the good profile with the value at a key path replaced, added, or dropped."""
    data = deepcopy(GOOD)
    place: Any = data
    for key in keys[:-1]:
        place = place[key]
    if drop:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    return data


def dumped(data: Any) -> str:
    return json.dumps(data, indent=1)


def refusal(path: Path, content: Any) -> str:
    """Write a profile (data, text or bytes) to a file, expect it to be refused, and return the message."""
    text = content if isinstance(content, bytes | str) else dumped(content)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InputError) as raised:
        tiercut.load_profile(path)
    message = str(raised.value)
    assert message.startswith(str(path))
    return message
