"""Hops of 1 MiB between processes, by the benchmark that comes with the package."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

__all__ = ["hops"]

Row = dict[str, Any]


def hops(runs: int, mlserver: bool) -> list[Row]:
    """Time each kind of hop so many times, all in turn; a row's ratio is to what its status names.

    Parameters
    ----------
    runs
        Of each; medians are taken.
    mlserver
        Whether to ask a stock server too, where there is one: TIERCUT_MLSERVER, or mlserver on the path.
    """
    if find_spec("grpc") is None:
        return []
    command = [sys.executable, "-m", "tiercut.offloader.transports.benchmark", str(runs)]
    command += [] if mlserver else ["--mlserver", ""]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    rows: list[Row] = []
    for name, seconds in found["median_s"].items():
        row = {"solver": name, "seconds": seconds, "work": runs}
        pairs = [(pair.partition(" / "), ratio) for pair, ratio in found["ratios"].items()]
        ratios = [{"ratio": ratio, "status": f"to {other}"} for (first, _, other), ratio in pairs if first == name]
        rows += [row | each for each in ratios or [{}]]
    return rows
