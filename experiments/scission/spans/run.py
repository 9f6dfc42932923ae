"""How near the times of spans that are put together come to times that were measured.

``python experiments/scission/spans/run.py`` prints the table of README.md from the profiles in ``../profiles``
that were recorded with ``--check``; ``--plot FILE`` draws them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tiercut

PROFILES = Path(__file__).parents[1] / "profiles"
WITHIN = 0.05
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, which colour-blind readers tell apart."""

Errors = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Checked:
    """The spans of one model on one device that were timed only to be compared.

    Parameters
    ----------
    name
        Model and device.
    blocks
        How many the model has.
    known
        To which share of itself half of the medians are known, or how few runs there were.
    timed
        Seconds of each span, measured.
    predicted
        Seconds of each span by each method.
    """

    name: str
    blocks: int
    known: str
    timed: Errors
    predicted: dict[str, Errors]

    def errors(self, method: str) -> Errors:
        """Return by which share of itself each measured time is missed, with its sign."""
        return self.predicted[method] / self.timed - 1


def checked(folder: Path) -> list[Checked]:
    """Return what the profiles of a folder say of spans that were checked."""
    found = []
    for path in sorted(folder.glob("*.json")):
        profile = tiercut.load_profile(path)
        for name, device in profile.devices.items():
            if device.span_check:
                found.append(_compared(f"{profile.model}, {name}", profile.block_count, device))
    return found


def _compared(name: str, count: int, device: Any) -> Checked:
    alone, rows = np.array(device.block_s), device.span_s
    pairs = np.array([row[1] for row in rows[:-1]])
    spans = [(first - 1, last - 1) for first, last in (each.blocks for each in device.span_check)]
    return Checked(
        name,
        count,
        f"{device.precision:.1%}" if device.precision < 1 else f"{device.runs} run{'s' * (device.runs != 1)}",
        np.array([each.timed_s for each in device.span_check]),
        {
            "tiles": np.array([each.predicted_s for each in device.span_check]),
            "neighbours": np.array([pairs[i:j].sum() - alone[i + 1 : j].sum() for i, j in spans]),
            "sums of blocks": np.array([alone[i : j + 1].sum() for i, j in spans]),
        },
    )


METHODS = ("tiles", "neighbours", "sums of blocks")


def table(models: list[Checked]) -> str:
    """Return median and 90th percentile of the errors of each method, for each model and over all spans."""
    lines = [
        "| model, device | blocks | spans | times known to | " + " | ".join(METHODS) + " |",
        "| --- | --- | --- | --- |" + " --- |" * len(METHODS),
    ]
    for each in models:
        head = f"| {each.name} | {each.blocks} | {len(each.timed)} | {each.known} | "
        lines.append(head + " | ".join(_cell(each.errors(method)) for method in METHODS) + " |")
    together = [np.concatenate([each.errors(method) for each in models]) for method in METHODS]
    lines.append(f"| all | | {len(together[0])} | | " + " | ".join(map(_cell, together)) + " |")
    return "\n".join(lines)


def _cell(errors: Errors) -> str:
    return f"{np.median(abs(errors)):.1%} ({np.quantile(abs(errors), 0.9):.1%})"


def plot(models: list[Checked], path: Path) -> None:
    """Draw predicted against measured times, and the share of spans that each method misses by less than a bound."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for place, each in enumerate(models):
        look: dict[str, Any] = {"color": COLOURS[place % 7], "marker": "os^DvPX*<>"[place % 10]}
        left.plot(1e3 * each.timed, 1e3 * each.predicted["tiles"], ls="none", ms=4, label=each.name, **look)
    times = 1e3 * np.concatenate([each.timed for each in models])
    ends = np.array([times.min() / 1.5, times.max() * 1.5])
    left.fill_between(ends, (1 - WITHIN) * ends, (1 + WITHIN) * ends, color="#dddddd", zorder=0, label="within 5 %")
    left.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    left.set(xlabel="measured, ms", ylabel="put together from tiles, ms")
    left.legend(fontsize=6.5, frameon=False, loc="upper left")
    for method, colour in zip(METHODS, COLOURS, strict=False):
        errors = np.sort(np.concatenate([abs(each.errors(method)) for each in models])) * 100
        right.plot(errors, np.arange(1, len(errors) + 1) / len(errors) * 100, color=colour, label=method)
    right.axvline(100 * WITHIN, color="#888888", lw=0.8)
    right.set(xscale="log", xlim=(0.1, 300), ylim=(0, 100), xlabel="error at most, %", ylabel="spans, %")
    right.legend(fontsize=8, frameon=False, loc="upper left")
    figure.savefig(path, dpi=200)


def main() -> None:
    """Print what was checked, and draw it where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=Path, default=PROFILES, help="a folder of profiles recorded with --check")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    given = parser.parse_args()
    models = checked(given.profiles)
    if not models:
        parser.error(f"no profile in {given.profiles} was recorded with --check")
    print(table(models))
    if given.plot is not None:
        plot(models, given.plot)


if __name__ == "__main__":
    main()
